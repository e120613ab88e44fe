//! Queries as people ask them: a set, some periods and places, some columns, an order, a count.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use fastrand::Rng;
use jobindsats_bridge::catalogue::measurement::Measurement;
use jobindsats_bridge::feed::column::{Column, Fact, MemberFact, PeriodFact};
use jobindsats_bridge::feed::facts::{Axis, axis, axis_len, value_at};
use jobindsats_bridge::feed::{CellForm, CellSource, Set};
use jobindsats_bridge::odata::value::Value;

use super::figures::Axes;

/// Rows that a query looks at, at most: a person narrows a cube.
const MOST_ROWS: usize = 20_000;
/// Rows of a page, as the app has them unless it is told otherwise.
const PAGE_ROWS: usize = 50_000;

/// A query and the figures that its answer needs.
#[derive(Debug)]
pub struct Query {
    pub path: String,
    /// The box that it is about.
    pub scope: Axes,
    /// How many places of the box its rows stand at; all where every row has to be looked at.
    pub places: Option<usize>,
}

/// One part of a query's condition: what it says, and the places of its axis that it keeps.
struct Condition {
    text: String,
    kept: BTreeSet<usize>,
}

/// A query of a set, made by chance.
pub fn query(rng: &mut Rng, table: &str, set: &Set, source: &CellSource) -> Query {
    loop {
        let made = attempt(rng, table, set, source);
        let rows: usize = made.scope.split_last().unwrap().1.iter().map(|(places, _)| places.len()).product();
        if (1..=MOST_ROWS).contains(&rows) {
            return made;
        }
    }
}

fn attempt(rng: &mut Rng, table: &str, set: &Set, source: &CellSource) -> Query {
    let measurement = &source.measurement;
    let mut kept: Vec<BTreeSet<usize>> = vec![periods_of(source)];
    kept.extend((0..measurement.dimensions.len()).map(|at| {
        (0..measurement.dimensions[at].members.len()).filter(|&member| source.holds(at, member)).collect()
    }));
    let mut conditions = Vec::new();
    let mut narrow = |at: usize, condition: Option<Condition>, kept: &mut Vec<BTreeSet<usize>>| {
        if let Some(condition) = condition {
            kept[at] = kept[at].intersection(&condition.kept).copied().collect();
            conditions.push(condition.text);
        }
    };
    narrow(0, of_periods(rng, set, measurement, &kept[0]), &mut kept);
    for at in 0..measurement.dimensions.len() {
        let shown = set
            .columns
            .iter()
            .any(|column| matches!(column.fact, Fact::Member(dimension, _) if dimension == at));
        if shown {
            let condition = if measurement.dimensions[at].is_area() {
                of_places(rng, set, measurement, at)
            } else {
                of_members(rng, set, measurement, at, &kept[at + 1])
            };
            narrow(at + 1, condition, &mut kept);
        }
    }
    let mut scope: Axes = kept
        .iter()
        .zip(lengths(measurement))
        .map(|(kept, length)| (kept.iter().copied().collect(), length))
        .collect();
    let wanted = Wanted::by_chance(rng, set, measurement, source.form);
    scope.push((wanted.measures.iter().copied().collect(), measurement.measures.len()));
    conditions.extend(wanted.condition.clone());
    let mut options = Vec::new();
    if !conditions.is_empty() {
        options.push(format!("$filter={}", conditions.join(" and ")));
    }
    options.extend(wanted.options.clone());
    let path = if wanted.counts { "/$count" } else { "" };
    let path = format!("/odata/jobindsats/{table}/{}{path}?{}", set.name, options.join("&"));
    let per_place = if source.form == CellForm::Long { wanted.measures.len() } else { 1 };
    // The first page of a long set may be less than all of it.
    let is_paged = wanted.options.is_empty() && wanted.condition.is_none() && !wanted.counts;
    let page = (is_paged && source.form == CellForm::Long).then_some(PAGE_ROWS);
    let places = wanted.rows.or(page).map(|rows| rows.div_ceil(per_place));
    Query { path, scope, places }
}

fn lengths(measurement: &Measurement) -> impl Iterator<Item = usize> {
    [measurement.periods.len()]
        .into_iter()
        .chain(measurement.dimensions.iter().map(|dimension| dimension.members.len()))
}

fn periods_of(source: &CellSource) -> BTreeSet<usize> {
    let measurement = &source.measurement;
    let fits =
        |at: &usize| source.period_type.as_ref().is_none_or(|kind| *kind == measurement.periods[*at].type_id);
    (0..measurement.periods.len()).filter(fits).collect()
}

fn text(value: &Value) -> Option<String> {
    if let Value::String(text) = value { Some(text.to_string()) } else { None }
}

fn column(set: &Set, wanted: impl Fn(Fact) -> bool) -> Option<&Column> {
    set.columns.iter().find(|column| wanted(column.fact))
}

/// A condition on the text of a column, and where it holds.
fn condition(
    measurement: &Measurement,
    column: &Column,
    text_of: String,
    holds: impl Fn(&str) -> bool,
) -> Condition {
    let axis = axis(column.fact).unwrap();
    let kept = (0..axis_len(measurement, axis))
        .filter(|&at| text(&value_at(measurement, column.fact, at)).is_some_and(|text| holds(&text)));
    Condition { text: text_of, kept: kept.collect() }
}

/// A list of values as a condition.
fn one_of(measurement: &Measurement, column: &Column, values: &[String]) -> Condition {
    let quoted: Vec<String> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
    let written = match quoted.as_slice() {
        [one] => format!("{} eq {one}", column.name),
        several => format!("{} in ({})", column.name, several.join(",")),
    };
    condition(measurement, column, written, |text| values.iter().any(|value| value == text))
}

fn some(rng: &mut Rng, values: &[String], count: usize) -> Vec<String> {
    let mut values: Vec<String> = values.to_vec();
    rng.shuffle(&mut values);
    values.truncate(count);
    values
}

fn of_periods(
    rng: &mut Rng,
    set: &Set,
    measurement: &Measurement,
    kept: &BTreeSet<usize>,
) -> Option<Condition> {
    let column = column(set, |fact| matches!(fact, Fact::Period(PeriodFact::Id | PeriodFact::CbsCode)))?;
    let ids: Vec<String> =
        kept.iter().filter_map(|&at| text(&value_at(measurement, column.fact, at))).collect();
    let newest = |count: usize| ids[count.min(ids.len()) - 1].clone();
    let since = |first: String| {
        condition(measurement, column, format!("{} ge '{first}'", column.name), |text| text >= first.as_str())
    };
    match rng.u8(0..10) {
        0 | 1 => Some(one_of(measurement, column, &[ids[0].clone()])),
        2 => Some(one_of(measurement, column, &some(rng, &ids, 1))),
        3 => Some(since(newest(13))),
        4 => Some(since(newest(25))),
        5 => Some(since(newest(*rng.choice(&[3, 6, 12, 37, 61]).unwrap()))),
        6 => {
            let year = ids[rng.usize(0..ids.len())][..4].to_owned();
            Some(condition(measurement, column, format!("startswith({},'{year}')", column.name), |text| {
                text.starts_with(&year)
            }))
        }
        7 => Some(one_of(measurement, column, &[ids[0].clone(), newest(2), newest(13)])),
        _ => None,
    }
}

fn of_places(rng: &mut Rng, set: &Set, measurement: &Measurement, at: usize) -> Option<Condition> {
    let fact = |wanted: MemberFact| column(set, move |fact| fact == Fact::Member(at, wanted));
    let id = fact(MemberFact::Id)?;
    let labels: Vec<String> =
        measurement.dimensions[at].members.iter().map(|member| member.label.clone()).collect();
    match (rng.u8(0..10), fact(MemberFact::Label), fact(MemberFact::Level)) {
        (0 | 1, ..) => Some(one_of(measurement, id, &["T".to_owned()])),
        (2 | 3, Some(label), _) => Some(one_of(measurement, label, &some(rng, &labels, 1))),
        (4, Some(label), _) => Some(one_of(measurement, label, &some(rng, &labels, 4))),
        (5, _, Some(level)) => Some(one_of(measurement, level, &["Kommune".to_owned()])),
        (6, _, Some(level)) => {
            Some(condition(measurement, level, format!("{} ne 'Kommune'", level.name), |text| {
                text != "Kommune"
            }))
        }
        (7, Some(label), _) => {
            let first: String = labels[rng.usize(0..labels.len())].chars().take(1).collect();
            Some(condition(measurement, label, format!("startswith({},'{first}')", label.name), |text| {
                text.starts_with(&first)
            }))
        }
        _ => None,
    }
}

fn of_members(
    rng: &mut Rng,
    set: &Set,
    measurement: &Measurement,
    at: usize,
    kept: &BTreeSet<usize>,
) -> Option<Condition> {
    let id = column(set, |fact| fact == Fact::Member(at, MemberFact::Id))?;
    let ids: Vec<String> =
        kept.iter().map(|&member| measurement.dimensions[at].members[member].id.to_string()).collect();
    let has_total = measurement.dimensions[at].total().is_some_and(|total| kept.contains(&total));
    match rng.u8(0..6) {
        0..=2 if has_total => Some(one_of(measurement, id, &["T".to_owned()])),
        3 if has_total => Some(condition(measurement, id, format!("{} ne 'T'", id.name), |text| text != "T")),
        4 => Some(one_of(measurement, id, &some(rng, &ids, 1))),
        5 => Some(one_of(measurement, id, &some(rng, &ids, 3))),
        _ => None,
    }
}

/// What a query wants of its scope.
struct Wanted {
    /// The measures that its answer depends on.
    measures: BTreeSet<usize>,
    condition: Option<String>,
    options: Vec<String>,
    counts: bool,
    /// The rows that it shows, where no others have to be looked at.
    rows: Option<usize>,
}

impl Wanted {
    fn by_chance(rng: &mut Rng, set: &Set, measurement: &Measurement, form: CellForm) -> Self {
        match form {
            CellForm::Wide => Self::wide(rng, set, measurement),
            CellForm::Long => Self::long(rng, set, measurement),
        }
    }

    fn wide(rng: &mut Rng, set: &Set, measurement: &Measurement) -> Self {
        let all: Vec<usize> = (0..measurement.measures.len()).collect();
        let name = |measure: usize| column(set, |fact| fact == Fact::Measure(measure)).unwrap().name.clone();
        let one = all[rng.usize(0..all.len())];
        let mut wanted = Self {
            measures: all.iter().copied().collect(),
            condition: None,
            options: Vec::new(),
            counts: false,
            rows: None,
        };
        let keys = |measures: &[usize]| {
            let mut keys: Vec<String> = set.key.iter().map(|&key| set.columns[key].name.clone()).collect();
            keys.extend(measures.iter().map(|&measure| name(measure)));
            format!("$select={}", keys.join(","))
        };
        match rng.u8(0..10) {
            0..=3 => {}
            4..=7 => {
                wanted.measures = [one].into();
                wanted.options.push(keys(&[one]));
            }
            8 => {
                let two: BTreeSet<usize> = [one, all[rng.usize(0..all.len())]].into();
                wanted.options.push(keys(&two.iter().copied().collect::<Vec<_>>()));
                wanted.measures = two;
            }
            _ => {
                wanted.measures = BTreeSet::new();
                wanted.options.push(keys(&[]));
            }
        }
        match rng.u8(0..12) {
            0 | 1 => {
                wanted.measures.insert(one);
                wanted.options.push(format!(
                    "$orderby={} desc&$top={}",
                    name(one),
                    rng.choice(&[10, 100]).unwrap()
                ));
            }
            2 => {
                wanted.measures.insert(one);
                wanted.condition =
                    Some(format!("{} gt {}", name(one), rng.choice(&[10, 500, 5000]).unwrap()));
            }
            3 => {
                wanted.options = Vec::new();
                wanted.counts = true;
                wanted.measures = [0].into();
            }
            4 => wanted.options.push("$count=true".to_owned()),
            5 => {
                wanted.options.push(format!("$orderby={}", set.columns[set.key[set.key.len() - 1]].name));
            }
            6 => {
                let rows = *rng.choice(&[20, 1000]).unwrap();
                wanted.options.push(format!("$top={rows}"));
                wanted.rows = Some(rows);
            }
            _ => {}
        }
        if wanted.measures.is_empty() {
            // Rows come together with figures alone.
            wanted.measures = [0].into();
        }
        wanted
    }

    fn long(rng: &mut Rng, set: &Set, measurement: &Measurement) -> Self {
        let all: Vec<usize> = (0..measurement.measures.len()).collect();
        let one = all[rng.usize(0..all.len())];
        let mut wanted = Self {
            measures: all.into_iter().collect(),
            condition: None,
            options: Vec::new(),
            counts: false,
            rows: None,
        };
        if rng.bool() {
            let code = column(set, |fact| axis(fact) == Some(Axis::Measure)).unwrap();
            wanted.condition = Some(format!("{} eq '{}'", code.name, measurement.measures[one].id));
            wanted.measures = [one].into();
        }
        if rng.u8(0..4) == 0 {
            let mut top = String::new();
            let _ = write!(top, "$top={}", 100);
            wanted.options.push(top);
            wanted.rows = Some(100);
        }
        wanted
    }
}
