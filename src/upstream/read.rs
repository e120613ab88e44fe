//! Converts the upstream's JSON to the catalogue. Optional parts may be missing; a missing required part is an error.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::catalogue::dimension::{Dimension, HierarchySource, LevelSource};
use crate::catalogue::id::{
    DimensionId, HierarchyId, LevelId, MeasureGroupId, MeasureId, MeasurementId, MemberPath, PeriodTypeId,
};
use crate::catalogue::measure::{Measure, Unit};
use crate::catalogue::measurement::{Measurement, MeasurementHead, PeriodType, Subject};
use crate::catalogue::period::{Period, PeriodKind};
use crate::error::excerpt;
use crate::upstream::distinct::distinct;
use crate::upstream::hints::TableHints;
use crate::upstream::wire;

/// Why an answer of the right form cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("the list of tables: expected tables, found none")]
    NoTables,
    #[error("table {expected}: found the table {found:?} in its place")]
    OtherTable { expected: MeasurementId, found: String },
    #[error("table {table}: expected {part}, found none")]
    Missing { table: MeasurementId, part: &'static str },
    #[error("table {table}: expected an id for every {part}, found one without")]
    NoId { table: MeasurementId, part: &'static str },
    #[error(
        "table {table}: expected the member {path} of {dimension}, which its figures must be pinned to, found none"
    )]
    NoPinnedMember { table: MeasurementId, dimension: DimensionId, path: MemberPath },
}

/// The subjects of the menu, without duplicates.
#[must_use]
pub fn subjects(subjects: &wire::Subjects) -> Vec<Subject> {
    let mut seen = HashSet::new();
    let of_group = |group: &wire::SubjectGroup| {
        let label = group.subject_group_name.as_str().to_owned();
        group.subjects.0.clone().into_iter().map(move |subject| (label.clone(), subject))
    };
    subjects
        .0
        .iter()
        .flat_map(of_group)
        .map(|(group, subject)| Subject {
            id: subject.subject_id.filled().unwrap_or(subject.subject_name.as_str()).to_owned(),
            label: subject.subject_name.as_str().to_owned(),
            group,
        })
        .filter(|subject| !subject.id.is_empty() && seen.insert(subject.id.clone()))
        .collect()
}

/// The tables of the list; one that is listed under several subjects belongs to the first.
///
/// # Errors
/// If the list is empty: that is taken for a fault of the upstream, so that the known tables are kept.
pub fn heads(
    tables: &wire::Tables,
    hints: &TableHints,
) -> Result<BTreeMap<MeasurementId, Arc<MeasurementHead>>, ReadError> {
    let mut heads = BTreeMap::new();
    for subject in &tables.0 {
        for group in &subject.table_groups.0 {
            for table in &group.tables.0 {
                if let Some(head) = head(subject, group, table, hints) {
                    heads.entry(head.id.clone()).or_insert_with(|| Arc::new(head));
                }
            }
        }
    }
    if heads.is_empty() { Err(ReadError::NoTables) } else { Ok(heads) }
}

fn head(
    subject: &wire::SubjectTables,
    group: &wire::TableGroup,
    table: &wire::TableHead,
    hints: &TableHints,
) -> Option<MeasurementHead> {
    let id = table.table_id.filled()?;
    let text = |text: &wire::Text| text.filled().map(str::to_owned);
    let span = |span: &wire::PeriodSpan| {
        let type_id = PeriodTypeId::from(span.periodtype_id.filled()?);
        Some((type_id, span.period_first.as_str().to_owned(), span.period_last.as_str().to_owned()))
    };
    Some(MeasurementHead {
        caveats: hints.caveats(&MeasurementId::from(id.to_lowercase())),
        id: MeasurementId::from(id.to_lowercase()),
        title: label(&table.table_name, id),
        subject: subject.subject_name.as_str().to_owned(),
        subject_id: text(&subject.subject_id),
        group: group.table_group_name.as_str().to_owned(),
        page_url: text(&table.link_tablepage).or_else(|| text(&table.link_infopage)),
        update_frequency: table.update_freq.filled().map(frequency),
        update_latest: date(&table.update_latest),
        update_next: date(&table.update_next),
        period_types: table.periods.0.iter().filter_map(span).collect(),
    })
}

/// The letter of an update frequency, which may be given as a letter in either case or as a word.
fn frequency(text: &str) -> String {
    let lower = text.to_lowercase();
    let starts = |words: &[&str]| words.iter().any(|word| lower.starts_with(word));
    if starts(&["å", "y"]) {
        "Y".to_owned()
    } else if starts(&["k", "q"]) {
        "Q".to_owned()
    } else if starts(&["m"]) {
        "M".to_owned()
    } else {
        text.to_owned()
    }
}

/// A date, with or without a time.
fn date(text: &wire::Text) -> Option<NaiveDate> {
    text.filled()?.get(..10)?.parse().ok()
}

/// A label, or the id where there is none.
fn label(text: &wire::Text, id: &str) -> String {
    text.filled().unwrap_or(id).to_owned()
}

/// Reads a table in full from the answer to a request for that id.
///
/// # Errors
/// If the answer is about another table or lacks a required part.
pub fn measurement(
    id: &MeasurementId,
    table: &wire::Table,
    hints: &TableHints,
) -> Result<Measurement, ReadError> {
    let found = table.table_id.as_str();
    if found.trim().to_lowercase() != id.as_str() {
        return Err(ReadError::OtherTable { expected: id.clone(), found: excerpt(found) });
    }
    let table = &distinct(table);
    let (period_types, periods) = periods(id, &table.periods.0)?;
    Ok(Measurement {
        id: id.clone(),
        title: label(&table.table_name, id.as_str()),
        measures: measures(id, &table.mgroups.0, hints)?,
        period_types,
        periods,
        dimensions: dimensions(id, &table.dimensions.0, hints)?,
    })
}

fn measures(
    table: &MeasurementId,
    groups: &[wire::MeasureGroup],
    hints: &TableHints,
) -> Result<Vec<Measure>, ReadError> {
    let mut measures = Vec::new();
    let mut seen = HashSet::new();
    for group in groups {
        let group_id = required(table, "measure group", &group.mgroup_id)?;
        let group_label = label(&group.mgroup_name, group_id);
        let several = group.measures.0.len() > 1;
        for measure in &group.measures.0 {
            let id = required(table, "measure", &measure.measure_id)?;
            let label = label(&measure.measure_name, id);
            // In a second group it is a column of its own, which needs an id of its own.
            let numbered = (2_u32..).map(|number| format!("{group_id}.{id}_{number}"));
            let mut ids = [id.to_owned(), format!("{group_id}.{id}")].into_iter().chain(numbered);
            let unique = ids.find(|id| seen.insert(id.clone())).unwrap_or_default();
            let mut measure = Measure {
                id: MeasureId::from(unique),
                source_id: MeasureId::from(id),
                group_id: MeasureGroupId::from(group_id),
                group_label: group_label.clone(),
                heading: label.clone(),
                label,
                unit: None,
            };
            if several {
                measure.heading = measure.full_heading();
            }
            measure.unit = hints.unit(table, &measure).or_else(|| Unit::stated_by(&measure.heading));
            measures.push(measure);
        }
    }
    some(table, "measures", measures)
}

fn periods(
    table: &MeasurementId,
    types: &[wire::PeriodType],
) -> Result<(Vec<PeriodType>, Vec<Period>), ReadError> {
    let mut period_types = Vec::new();
    let mut periods = Vec::new();
    let mut seen = HashSet::new();
    for period_type in types {
        let id = PeriodTypeId::from(required(table, "period type", &period_type.periodtype_id)?);
        for period in &period_type.values.0 {
            let period = required(table, "period", &period.period_id)?;
            if seen.insert((id.clone(), period)) {
                periods.push(Period::new(&id, period));
            }
        }
        let kind = PeriodKind::of(id.as_str());
        period_types.push(PeriodType { label: period_type_label(period_type, kind), kind, id });
    }
    periods.sort_by_cached_key(Period::newest_first);
    Ok((period_types, some(table, "periods", periods)?))
}

fn period_type_label(period_type: &wire::PeriodType, kind: PeriodKind) -> String {
    let usual = match kind {
        PeriodKind::Month => "Måned",
        PeriodKind::Quarter => "Kvartal",
        PeriodKind::Year => "År",
        PeriodKind::RollingYear => "Rullende år",
        PeriodKind::YearToDate => "År til dato",
        PeriodKind::Unknown => period_type.periodtype_id.as_str(),
    };
    label(&period_type.periodtype_name, usual)
}

fn dimensions(
    table: &MeasurementId,
    sources: &[wire::Dimension],
    hints: &TableHints,
) -> Result<Vec<Dimension>, ReadError> {
    // A dimension that no hierarchy can request is left out, so that it is at its total.
    let mut dimensions = sources
        .iter()
        .filter(|source| !source.hierarchies.0.is_empty())
        .map(|source| dimension(table, source, hints))
        .collect::<Result<Vec<_>, _>>()?;
    dimensions.sort_by_key(|dimension| !dimension.is_area());
    Ok(dimensions)
}

fn dimension(
    table: &MeasurementId,
    source: &wire::Dimension,
    hints: &TableHints,
) -> Result<Dimension, ReadError> {
    let id = DimensionId::from(required(table, "dimension", &source.dimension_id)?);
    let hierarchies =
        source.hierarchies.0.iter().map(|source| hierarchy(table, source)).collect::<Result<Vec<_>, _>>()?;
    let label = label(&source.dimension_name, id.as_str());
    let pinned = hints.pinned(table, &id);
    let mut dimension = Dimension::new(id.clone(), label, hierarchies, hints.has_total(table, &id));
    if let Some(path) = pinned {
        let member = dimension.members.iter().position(|member| member.path == path);
        let missing = || ReadError::NoPinnedMember { table: table.clone(), dimension: id, path };
        dimension.pinned = Some(member.ok_or_else(missing)?);
    }
    Ok(dimension)
}

fn hierarchy(table: &MeasurementId, source: &wire::Hierarchy) -> Result<HierarchySource, ReadError> {
    let id = required(table, "hierarchy", &source.hierarchy_id)?;
    Ok(HierarchySource {
        id: HierarchyId::from(id),
        label: label(&source.hierarchy_name, id),
        levels: source.levels.0.iter().map(|source| level(table, source)).collect::<Result<_, _>>()?,
    })
}

fn level(table: &MeasurementId, source: &wire::Level) -> Result<LevelSource, ReadError> {
    let id = required(table, "level", &source.level_id)?;
    let value = |value: &wire::Value| {
        let path = required(table, "member", &value.value_id)?;
        // Readers see the label as the upstream writes it; how labels are compared is for `catalogue::label` to say.
        let name = value.value_name.as_str();
        Ok((MemberPath::from(path), if name.is_empty() { path } else { name }.to_owned()))
    };
    Ok(LevelSource {
        id: LevelId::from(id),
        label: label(&source.level_name, id),
        values: source.values.0.iter().map(value).collect::<Result<_, _>>()?,
    })
}

fn required<'a>(table: &MeasurementId, part: &'static str, id: &'a wire::Text) -> Result<&'a str, ReadError> {
    id.filled().ok_or_else(|| ReadError::NoId { table: table.clone(), part })
}

fn some<T>(table: &MeasurementId, part: &'static str, list: Vec<T>) -> Result<Vec<T>, ReadError> {
    if list.is_empty() { Err(ReadError::Missing { table: table.clone(), part }) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::upstream::decode;

    fn wire<T: serde::de::DeserializeOwned>(value: &Value) -> T {
        decode::json(value.to_string().as_bytes()).unwrap()
    }

    fn table() -> Value {
        json!({
            "table_id": "Y99A02", "table_name": "Antal personer", "extra": {"a": [1]},
            "mgroups": [
                {"mgroup_id": "g1", "mgroup_name": "Antal", "measures": [{"measure_id": "m1", "measure_name": "Antal personer"}]},
                {"mgroup_id": "g2", "mgroup_name": "Varighed", "measures": [
                    {"measure_id": 21, "measure_name": "under 2 uger"}, {"measure_id": "m22", "measure_name": null}]}],
            "periods": [
                {"periodtype_id": "Q", "values": [{"period_id": "2026Q02"}]},
                {"periodtype_id": "M", "periodtype_name": "Måned", "values": [{"period_id": "2026M05"}, {"period_id": "2026M07"}, {"period_id": "2026M07"}]}],
            "dimensions": [
                {"dimension_id": "_kon", "dimension_name": "Køn", "hierarchies": [{"hierarchy_id": "_kon", "hierarchy_name": "Køn", "levels": [
                    {"level_id": "kon", "level_name": "Køn", "values": [{"value_id": "/1/", "value_name": "Kvinder "}, {"value_id": "/2/", "value_name": "Mænd"}]}]}]},
                {"dimension_id": "_tom", "dimension_name": "Tom", "hierarchies": []},
                {"dimension_id": "_omrade", "dimension_name": "Område", "hierarchies": [{"hierarchy_id": "_hele_landet", "levels": null}]}]
        })
    }

    fn read(table: &Value) -> Result<Measurement, ReadError> {
        read_with(table, &TableHints::default())
    }

    fn read_with(table: &Value, hints: &TableHints) -> Result<Measurement, ReadError> {
        measurement(&MeasurementId::from("y99a02"), &wire::<wire::OneTable>(table).0, hints)
    }

    #[test]
    fn a_table_is_read_with_the_area_first_the_newest_period_first_and_headings_as_answers_carry_them() {
        let measurement = read(&table()).unwrap();
        let ids: Vec<_> = measurement.dimensions.iter().map(|dimension| dimension.id.as_str()).collect();
        assert_eq!(ids, ["_omrade", "_kon"]);
        let periods: Vec<_> = measurement.periods.iter().map(|period| period.id.as_str()).collect();
        assert_eq!(periods, ["2026M07", "2026M05", "2026Q02"]);
        let headings: Vec<_> = measurement.measures.iter().map(|measure| measure.heading.as_str()).collect();
        assert_eq!(headings, ["Antal personer", "Varighed: under 2 uger", "Varighed: m22"]);
        assert_eq!(measurement.measures[1].id.as_str(), "21");
        let types: Vec<_> =
            measurement.period_types.iter().map(|period_type| period_type.label.as_str()).collect();
        assert_eq!(types, ["Kvartal", "Måned"]);
        assert_eq!(measurement.dimensions[1].members[1].label, "Kvinder ", "as the upstream writes it");
    }

    #[test]
    fn every_variant_of_the_same_table_reads_the_same() {
        let usual = read(&table()).unwrap();
        let mut wrapped_periods = table();
        wrapped_periods["periods"] =
            json!({"periodtypes": table()["periods"].clone(), "period_first_date": null});
        let mut bare = table();
        bare["dimensions"][0]["hierarchies"] = table()["dimensions"][0]["hierarchies"][0].clone();
        let mut root = table();
        root["dimensions"][0]["hierarchies"][0]["levels"] = json!([
            {"level_id": "alle", "level_name": "I alt", "values": [{"value_id": "/", "value_name": "Køn i alt"}]},
            table()["dimensions"][0]["hierarchies"][0]["levels"][0]]);
        for variant in [json!([table()]), wrapped_periods, bare] {
            assert_eq!(read(&variant).unwrap(), usual, "{variant}");
        }
        assert_eq!(
            read(&root).unwrap().dimensions[1].members,
            usual.dimensions[1].members,
            "the root may be listed"
        );
    }

    #[test]
    fn nonsense_of_the_right_shape_is_refused() {
        let without = |part: &str| {
            let mut table = table();
            table[part] = json!([]);
            read(&table).unwrap_err().to_string()
        };
        assert_eq!(without("mgroups"), "table y99a02: expected measures, found none");
        assert_eq!(without("periods"), "table y99a02: expected periods, found none");
        assert_eq!(
            read(&json!({})).unwrap_err().to_string(),
            "table y99a02: found the table \"\" in its place"
        );
        let mut nameless = table();
        nameless["dimensions"][0]["hierarchies"][0]["levels"][0]["values"][0]["value_id"] = Value::Null;
        assert_eq!(
            read(&nameless).unwrap_err().to_string(),
            "table y99a02: expected an id for every member, found one without"
        );
        for none_or_two in [json!([]), json!([table(), table()]), json!(null), json!("x")] {
            assert!(
                decode::json::<wire::OneTable>(none_or_two.to_string().as_bytes()).is_err(),
                "{none_or_two}"
            );
        }
    }

    #[test]
    fn hints_pin_a_dimension_and_take_its_total_away() {
        let hints: TableHints =
            wire(&json!({"y99a02": {"pinned": {"_kon": "/2/"}, "without_total": ["_kon"]}}));
        let measurement = read_with(&table(), &hints).unwrap();
        let sex = &measurement.dimensions[1];
        assert_eq!((sex.total(), sex.pinned), (None, Some(1)));
        let lost: TableHints = wire(&json!({"y99a02": {"pinned": {"_kon": "/7/"}}}));
        let error = read_with(&table(), &lost).unwrap_err();
        assert!(matches!(error, ReadError::NoPinnedMember { .. }), "{error}");
    }

    #[test]
    fn the_list_of_tables_is_read_in_all_its_variants() {
        let full = json!({"table_id": "Y99A02", "table_name": "Antal", "update_freq": "m", "update_latest": "2026-08-14T00:00:00",
            "update_next": "", "link_infopage": "https://a", "periods": {"periodtypes": [{"periodtype_id": "M", "period_first": "2007M01", "period_last": "2026M07"}]}});
        let sparse = json!({"table_id": 7, "update_next": null, "update_freq": "Kvartal", "periods": [], "update_latest": "snart"});
        let group = |tables: Value| json!({"table_group_name": "Gruppe", "tables": tables});
        let list = json!([
            {"subject_id": 1001, "subject_name": "A-dagpenge", "table_groups": [group(json!([full, {"table_name": "uden id"}])), group(sparse)]},
            {"subject_name": "Anden", "table_groups": [group(json!([full]))]}, {"subject_name": "Tom", "table_groups": null}]);
        let heads = heads(&wire(&list), &TableHints::default()).unwrap();
        assert_eq!(heads.keys().map(MeasurementId::as_str).collect::<Vec<_>>(), ["7", "y99a02"]);
        let head = &heads["y99a02"];
        assert_eq!((head.subject.as_str(), head.subject_id.as_deref()), ("A-dagpenge", Some("1001")));
        assert_eq!(head.update_latest, NaiveDate::from_ymd_opt(2026, 8, 14));
        assert_eq!((head.update_next, head.update_frequency.as_deref()), (None, Some("M")));
        assert_eq!(
            head.period_types,
            [(PeriodTypeId::from("M"), "2007M01".to_owned(), "2026M07".to_owned())]
        );
        let sparse = &heads["7"];
        assert_eq!(
            (sparse.title.as_str(), sparse.update_frequency.as_deref(), sparse.update_latest),
            ("7", Some("Q"), None)
        );
    }

    #[test]
    fn an_empty_list_of_tables_is_no_list() {
        for empty in [json!([]), json!(null), json!({}), json!([{"subject_name": "x", "table_groups": []}])] {
            assert_eq!(heads(&wire(&empty), &TableHints::default()), Err(ReadError::NoTables), "{empty}");
        }
    }

    #[test]
    fn subjects_are_read_once_each() {
        let list = json!([{"subject_group_id": 10, "subject_group_name": "Ydelser", "subjects": [
            {"subject_id": 1001, "subject_name": "A-dagpenge"}, {"subject_id": "1001", "subject_name": "Igen"}, {"subject_name": "Uden id"}]}]);
        let found: Vec<_> = subjects(&wire(&list))
            .into_iter()
            .map(|subject| format!("{}/{}/{}", subject.group, subject.id, subject.label))
            .collect();
        assert_eq!(found, ["Ydelser/1001/A-dagpenge", "Ydelser/Uden id/Uden id"]);
    }

    #[test]
    fn frequencies_come_as_letters_or_words() {
        for (text, letter) in
            [("m", "M"), ("Måned", "M"), ("Q", "Q"), ("kvartal", "Q"), ("Y", "Y"), ("År", "Y"), ("x", "x")]
        {
            assert_eq!(frequency(text), letter);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let table = wire::<wire::OneTable>(&table()).0;
        let written = serde_json::to_vec(&table).unwrap();
        assert_eq!(decode::json::<wire::Table>(&written).unwrap(), table);
    }
}
