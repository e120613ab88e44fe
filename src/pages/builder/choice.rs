//! What the address of the builder chooses: a set of the table with a filter and columns.

use crate::catalogue::dimension::{Dimension, Member, TOTAL_ID};
use crate::catalogue::measurement::{Measurement, PeriodType};
use crate::catalogue::period::Period;
use crate::error::closest;
use crate::feed::column::{Fact, MemberFact, PeriodFact};
use crate::feed::set_names::{CUBE, OVERVIEW, broken_down_by};
use crate::feed::{Feed, Set};
use crate::pages::error::PageError;
use crate::pages::figures::{self, SetQuery, one_of, position};
use crate::pages::visit::{MUNICIPALITY, Visit};
use crate::search::folded;

/// Names of the options. The levels and the members of a breakdown are under the names of their columns.
pub(in crate::pages) const AREA: &str = "omraade";
pub(super) const AREA_LEVEL: &str = "niveau";
pub(in crate::pages) const PERIOD_TYPE: &str = "periodetype";
pub(super) const FROM: &str = "fra";
pub(super) const UNTIL: &str = "til";
pub(in crate::pages) const BREAKDOWN: &str = "fordeling";
pub(in crate::pages) const MEASURE: &str = "maal";
/// The value of [`FROM`] for the first period that there is.
pub(super) const FIRST: &str = "alle";
/// The most breakdowns at a time.
const MOST_BREAKDOWNS: usize = 2;
/// How many periods are chosen at first.
const FIRST_PERIODS: usize = 13;

/// What is chosen. Dimensions, members and measures are indexes.
pub(super) struct Choice<'a> {
    pub measurement: &'a Measurement,
    pub set: &'a Set,
    cube: &'a Set,
    pub period_type: &'a PeriodType,
    is_shortest: bool,
    /// `None` where all earlier, or all later, periods are chosen.
    pub from: Option<&'a Period>,
    pub until: Option<&'a Period>,
    pub areas: Vec<usize>,
    /// The levels whose areas are chosen, unless areas are named.
    pub area_levels: Vec<String>,
    pub breakdowns: Vec<Breakdown>,
    pub measures: Vec<usize>,
}

/// A dimension that figures are broken down by.
pub(super) struct Breakdown {
    pub dimension: usize,
    /// The chosen levels, which count unless members are named; none stand for all.
    pub levels: Vec<String>,
    /// The chosen members; none stand for all.
    pub members: Vec<usize>,
}

impl<'a> Choice<'a> {
    /// Reads the options of an address.
    pub fn read(measurement: &'a Measurement, feed: &'a Feed, visit: &Visit) -> Result<Self, PageError> {
        let set = |name: &str| feed.sets.iter().find(|set| set.name == name);
        let Some(cube) = set(CUBE) else { return Err(PageError::no_periods()) };
        let types: Vec<&str> = measurement.period_types.iter().map(|one| one.id.as_str()).collect();
        let chosen_type = chosen(visit, PERIOD_TYPE, &types)?.first().copied();
        let shortest = measurement.shortest_period_type();
        let period_type = chosen_type.and_then(|index| measurement.period_types.get(index)).or(shortest);
        let Some(period_type) = period_type else { return Err(PageError::no_periods()) };
        let is_shortest = shortest == Some(period_type);
        let columns: Vec<&str> =
            (0..measurement.dimensions.len()).map(|index| label_column(cube, index)).collect();
        let breakdown = |named| figures::breakdown(BREAKDOWN, named, measurement, &columns);
        let breakdowns = each_once(visit.values(BREAKDOWN).map(breakdown))?;
        if breakdowns.len() > MOST_BREAKDOWNS {
            return Err(PageError::too_many_breakdowns(MOST_BREAKDOWNS));
        }
        let own = match breakdowns.as_slice() {
            _ if !is_shortest => None,
            [] => set(OVERVIEW),
            [one] => set(&broken_down_by(label_column(cube, *one))),
            _ => None,
        };
        let measures: Vec<&str> =
            (0..measurement.measures.len()).map(|index| column(cube, Fact::Measure(index))).collect();
        let (from, until) = span(measurement, period_type, visit)?;
        Ok(Self {
            set: own.unwrap_or(cube),
            from,
            until,
            areas: areas(measurement, visit)?,
            area_levels: levels(measurement, measurement.area(), visit, AREA_LEVEL)?,
            breakdowns: breakdowns
                .into_iter()
                .map(|index| Breakdown::read(measurement, cube, index, visit))
                .collect::<Result<_, PageError>>()?,
            measures: chosen(visit, MEASURE, &measures)?,
            measurement,
            cube,
            period_type,
            is_shortest,
        })
    }

    /// The name of the column with the labels of a dimension's members.
    pub fn label_column(&self, dimension: usize) -> &'a str {
        label_column(self.cube, dimension)
    }

    /// The name of the column with the levels of a dimension's members.
    pub fn level_column(&self, dimension: usize) -> &'a str {
        column(self.cube, Fact::Member(dimension, MemberFact::Level))
    }

    /// The name of the column with the ids of a dimension's members.
    pub fn id_column(&self, dimension: usize) -> &'a str {
        column(self.cube, Fact::Member(dimension, MemberFact::Id))
    }

    pub fn measure_column(&self, measure: usize) -> &'a str {
        column(self.cube, Fact::Measure(measure))
    }

    /// The periods of the chosen type, the newest first.
    pub fn periods(&self) -> impl Iterator<Item = &'a Period> + use<'a> {
        periods(self.measurement, self.period_type)
    }

    /// The chosen measures; all where none is named.
    pub fn shown_measures(&self) -> Vec<usize> {
        if self.measures.is_empty() {
            (0..self.measurement.measures.len()).collect()
        } else {
            self.measures.clone()
        }
    }

    /// Whether each area has one figure in each period: one measure, and one member of every other dimension.
    pub fn has_one_figure_per_area(&self) -> bool {
        let is_fixed = |(index, dimension): (usize, &Dimension)| match self.breakdown(index) {
            Some(breakdown) => breakdown.members.len() == 1,
            None => dimension.is_area() || dimension.total().is_some() || dimension.pinned.is_some(),
        };
        self.shown_measures().len() == 1 && self.measurement.dimensions.iter().enumerate().all(is_fixed)
    }

    /// The areas that are named.
    pub fn chosen_areas(&self) -> impl Iterator<Item = &'a Member> {
        let members =
            self.measurement.area().map_or(&[][..], |area| &self.measurement.dimensions[area].members);
        self.areas.iter().filter_map(move |area| members.get(*area))
    }

    /// The choice in the words of an address.
    pub fn question(&self) -> SetQuery {
        SetQuery {
            set: self.set.name.clone(),
            filter: self.conditions().join(" and "),
            select: self.columns().join(","),
        }
    }

    /// The columns that are shown: with real dates, with the codes that measurements are joined on, and with the status where it says
    /// something of these figures only. Of some of the measures it would be that of the others too, which would have to be fetched.
    pub fn columns(&self) -> Vec<String> {
        let measures = self.shown_measures();
        let has_all_measures = measures.len() == self.measurement.measures.len();
        let mut columns = vec![column(self.cube, PERIOD).to_owned(), column(self.cube, FIRST_DAY).to_owned()];
        if let Some(area) = self.measurement.area() {
            let code = column(self.cube, Fact::Member(area, MemberFact::Code));
            columns.extend([self.label_column(area), code].map(str::to_owned));
        }
        for (index, dimension) in self.measurement.dimensions.iter().enumerate() {
            let varies = dimension.total().is_none() && dimension.pinned.is_none();
            if !dimension.is_area() && (varies || self.breakdown(index).is_some()) {
                columns.push(self.label_column(index).to_owned());
            }
        }
        columns.extend(measures.into_iter().map(|index| self.measure_column(index).to_owned()));
        columns.extend(has_all_measures.then(|| column(self.cube, Fact::Status).to_owned()));
        columns
    }

    /// The levels that the rows of a breakdown are on, in the order of its members.
    pub fn shown_levels(&self, breakdown: &Breakdown) -> Vec<&'a str> {
        let Some(dimension) = self.measurement.dimensions.get(breakdown.dimension) else { return Vec::new() };
        let is_shown = |level: &str| match breakdown.members.as_slice() {
            [] => breakdown.levels.is_empty() || breakdown.levels.iter().any(|chosen| chosen == level),
            members => {
                members.iter().filter_map(|index| dimension.members.get(*index)).any(|one| one.level == level)
            }
        };
        levels_of(self.measurement, breakdown.dimension).into_iter().filter(|level| is_shown(level)).collect()
    }

    fn breakdown(&self, dimension: usize) -> Option<&Breakdown> {
        self.breakdowns.iter().find(|breakdown| breakdown.dimension == dimension)
    }

    fn conditions(&self) -> Vec<String> {
        let mut conditions = Vec::new();
        let period = column(self.cube, PERIOD);
        if !self.is_shortest {
            conditions.push(one_of(column(self.cube, PERIOD_TYPE_FACT), [self.period_type.id.as_str()]));
        }
        conditions.extend(self.from.map(|from| format!("{period} ge '{}'", from.id)));
        conditions.extend(self.until.map(|until| format!("{period} le '{}'", until.id)));
        if let Some(area) = self.measurement.area() {
            let of_levels = || one_of_levels(self.level_column(area), &self.area_levels);
            conditions.extend(self.area_condition(area).or_else(of_levels));
        }
        for (index, dimension) in self.measurement.dimensions.iter().enumerate() {
            if !dimension.is_area() {
                conditions.extend(self.dimension_conditions(index, dimension));
            }
        }
        conditions
    }

    /// Areas by their official codes, where all have one.
    fn area_condition(&self, area: usize) -> Option<String> {
        let members: Vec<&Member> = self.chosen_areas().collect();
        if members.is_empty() {
            return None;
        }
        let codes: Option<Vec<&str>> = members.iter().map(|member| member.code).collect();
        Some(match codes {
            Some(codes) => one_of(column(self.cube, Fact::Member(area, MemberFact::Code)), codes),
            None => {
                let ids = members.iter().map(|member| member.id.as_str());
                one_of(column(self.cube, Fact::Member(area, MemberFact::Id)), ids)
            }
        })
    }

    /// Sets of their own have dimensions at their totals and breakdowns without them; of the whole cube both must be said.
    fn dimension_conditions(&self, index: usize, dimension: &Dimension) -> Vec<String> {
        let id = self.id_column(index);
        let is_cube = self.set.name == CUBE;
        let pinned = dimension.pinned.and_then(|pinned| dimension.members.get(pinned));
        if let Some(Breakdown { levels, members, .. }) = self.breakdown(index) {
            if !members.is_empty() {
                let members = members.iter().filter_map(|member| dimension.members.get(*member));
                return vec![one_of(id, members.map(|member| member.id.as_str()))];
            }
            let parts = (is_cube && dimension.total().is_some()).then(|| format!("{id} ne '{TOTAL_ID}'"));
            return parts.into_iter().chain(one_of_levels(self.level_column(index), levels)).collect();
        }
        let member = match pinned {
            Some(member) => Some(member.id.as_str()),
            None => dimension.total().map(|_| TOTAL_ID),
        };
        member.filter(|_| is_cube).map(|member| one_of(id, [member])).into_iter().collect()
    }
}

impl Breakdown {
    /// Members are named by id or label.
    fn read(
        measurement: &Measurement,
        cube: &Set,
        dimension: usize,
        visit: &Visit,
    ) -> Result<Self, PageError> {
        let levels = levels(
            measurement,
            Some(dimension),
            visit,
            column(cube, Fact::Member(dimension, MemberFact::Level)),
        )?;
        let option = column(cube, Fact::Member(dimension, MemberFact::Id));
        let members = members(&measurement.dimensions[dimension], visit, option)?;
        Ok(Self { dimension, levels, members })
    }
}

/// The members that an option names by id, code or label, each once.
fn members(dimension: &Dimension, visit: &Visit, option: &str) -> Result<Vec<usize>, PageError> {
    let members = &dimension.members;
    let find = |name: &str| {
        let wanted = folded(name);
        let is_named = |member: &Member| member.id.as_str() == name || member.code == Some(name);
        let position = members.iter().position(is_named);
        position.or_else(|| members.iter().position(|member| folded(&member.label) == wanted)).ok_or_else(
            || {
                let labels = members.iter().map(|member| member.label.as_str());
                PageError::choice(option, name, closest(name, labels))
            },
        )
    };
    each_once(visit.values(option).map(find))
}

const PERIOD: Fact = Fact::Period(PeriodFact::Id);
const PERIOD_TYPE_FACT: Fact = Fact::Period(PeriodFact::Type);
const FIRST_DAY: Fact = Fact::Period(PeriodFact::FirstDay);

/// The name of the column with that fact; empty where the set has none.
fn column(set: &Set, fact: Fact) -> &str {
    set.columns.iter().find(|column| column.fact == fact).map_or("", |column| &column.name)
}

fn label_column(set: &Set, dimension: usize) -> &str {
    column(set, Fact::Member(dimension, MemberFact::Label))
}

fn one_of_levels(column: &str, levels: &[String]) -> Option<String> {
    (!levels.is_empty()).then(|| one_of(column, levels.iter().map(String::as_str)))
}

fn periods<'a>(
    measurement: &'a Measurement,
    period_type: &'a PeriodType,
) -> impl Iterator<Item = &'a Period> + use<'a> {
    measurement.periods.iter().filter(|period| period.type_id == period_type.id)
}

/// The first and the last period that are chosen.
fn span<'a>(
    measurement: &'a Measurement,
    period_type: &'a PeriodType,
    visit: &Visit,
) -> Result<(Option<&'a Period>, Option<&'a Period>), PageError> {
    let all: Vec<&Period> = periods(measurement, period_type).collect();
    let ids: Vec<&str> = all.iter().map(|period| period.id.as_str()).collect();
    let from = match visit.option(FROM) {
        Some(FIRST) => None,
        Some(_) => chosen(visit, FROM, &ids)?.first().and_then(|index| all.get(*index)).copied(),
        None => all.get(..FIRST_PERIODS).and_then(<[&Period]>::last).copied(),
    };
    let until = chosen(visit, UNTIL, &ids)?.first().and_then(|index| all.get(*index)).copied();
    Ok((from, until))
}

/// The chosen areas, by id, code or name; the municipality of the visit where none is named.
fn areas(measurement: &Measurement, visit: &Visit) -> Result<Vec<usize>, PageError> {
    let Some(area) = measurement.area() else { return Ok(Vec::new()) };
    let members = &measurement.dimensions[area].members;
    if visit.values(AREA).next().is_none()
        && visit.values(AREA_LEVEL).next().is_none()
        && visit.option(MUNICIPALITY).is_some()
    {
        let municipality = visit.municipality()?;
        let here = members.iter().position(|member| member.code == municipality.map(|one| one.code));
        return Ok(here.into_iter().collect());
    }
    self::members(&measurement.dimensions[area], visit, AREA)
}

/// The levels of a dimension, each once, in the order of its members.
pub(super) fn levels_of(measurement: &Measurement, dimension: usize) -> Vec<&str> {
    let mut levels: Vec<&str> = Vec::new();
    let Some(dimension) = measurement.dimensions.get(dimension) else { return levels };
    for member in &dimension.members {
        if (dimension.is_area() || !member.is_total()) && !levels.contains(&member.level.as_str()) {
            levels.push(&member.level);
        }
    }
    levels
}

fn levels(
    measurement: &Measurement,
    dimension: Option<usize>,
    visit: &Visit,
    option: &str,
) -> Result<Vec<String>, PageError> {
    let Some(dimension) = dimension else { return Ok(Vec::new()) };
    let known = levels_of(measurement, dimension);
    let chosen = chosen(visit, option, &known)?;
    Ok(chosen.into_iter().filter_map(|index| known.get(index)).map(|level| (*level).to_owned()).collect())
}

/// The values of an option as indexes of what there is, each once.
fn chosen(visit: &Visit, option: &str, known: &[&str]) -> Result<Vec<usize>, PageError> {
    each_once(visit.values(option).map(|value| position(option, value, known)))
}

fn each_once(indexes: impl Iterator<Item = Result<usize, PageError>>) -> Result<Vec<usize>, PageError> {
    let mut found = Vec::new();
    for index in indexes {
        let index = index?;
        if !found.contains(&index) {
            found.push(index);
        }
    }
    Ok(found)
}
