//! A choice of one figure per area as an indicator: a file for `BRIDGE_INDICATORS`, queries of its gauges, an alert rule.

use std::collections::BTreeMap;

use serde_json::json;

use crate::catalogue::area::AreaKind;
use crate::catalogue::dimension::{Dimension, Member};
use crate::catalogue::measure::Unit;
use crate::indicators::definition::MAX_ID_CHARS;
use crate::indicators::figures::ChangeUnit;
use crate::indicators::quantity::{AreaLevel, BaseUnit, Quantity};
use crate::pages::builder::choice::{Breakdown, Choice};
use crate::pages::builder::texts::Text;
use crate::pages::language::Language;
use crate::search::folded;

/// How much of an id that must be cut is left to what follows its measure.
const MAX_REST_CHARS: usize = 30;

/// The texts; none where the choice is no indicator.
pub(super) fn texts(choice: &Choice<'_>, title: &str, source: &str, l: Language) -> Vec<Text> {
    if !choice.has_one_figure_per_area() {
        return Vec::new();
    }
    let measures = choice.shown_measures();
    let measure = measures.first().and_then(|index| choice.measurement.measures.get(*index));
    let (Some(measure), levels) = (measure, levels(choice)) else { return Vec::new() };
    let Some(&level) = levels.last() else { return Vec::new() };
    let quantity = quantity(measure.unit);
    let members = members(choice);
    let labels: Vec<&str> = members.iter().map(|(_, member)| member.label.as_str()).collect();
    let title = [&[title], labels.as_slice()].concat().join(", ");
    let is_shortest = choice.measurement.shortest_period_type() == Some(choice.period_type);
    let period_type = if is_shortest { "" } else { choice.period_type.id.as_str() };
    let rest = [labels.as_slice(), &[period_type]].concat().join(" ");
    let id = id(choice.measurement.id.as_str(), &measure.heading, &rest);
    let members: BTreeMap<&str, &str> =
        members.iter().map(|(dimension, member)| (dimension.id.as_str(), member.id.as_str())).collect();
    let file = json!({
        "built_in": true,
        "indicators": [{
            "id": id,
            "title": title,
            "table": choice.measurement.id.as_str(),
            "measure": measure.heading,
            "period_type": choice.period_type.id.as_str(),
            "quantity": quantity.word(),
            "members": members,
            "levels": levels.iter().map(|level| level.word()).collect::<Vec<_>>(),
        }],
    });
    let (word, unit) = (level.word(), quantity.base().suffix());
    let labels = format!("source=\"{source}\",indicator=\"{id}\"{}", area_matcher(choice, level));
    let changed = if quantity.base() == BaseUnit::Ratio { ChangeUnit::Points } else { ChangeUnit::Ratio };
    let change = format!("jobindsats_{word}_{}{{{labels},baseline=\"year_before\"}}", changed.suffix());
    let text = |id, title: &str, text: String| Text { id, title: title.to_owned(), text };
    vec![
        text("indicator", "BRIDGE_INDICATORS", format!("{file:#}")),
        text(
            "newest",
            l.text("PromQL: nyeste tal", "PromQL: newest figure"),
            format!("jobindsats_{word}_{unit}{{{labels}}}"),
        ),
        text("change", change_title(changed, l), change.clone()),
        text(
            "history",
            l.text("PromQL: udvikling", "PromQL: history"),
            format!("last_over_time(jobindsats_history_{word}_{unit}{{{labels}}}[400d])"),
        ),
        text("alert", l.text("Prometheus: alarm", "Prometheus: alert"), alert(&id, level, &change, changed)),
    ]
}

fn change_title(changed: ChangeUnit, l: Language) -> &'static str {
    match changed {
        ChangeUnit::Ratio => l.text("PromQL: ændring på et år", "PromQL: change in a year"),
        ChangeUnit::Points => {
            l.text("PromQL: ændring på et år i procentpoint", "PromQL: change in a year in percentage points")
        }
    }
}

/// A rule for the change in a year, of a share in percentage points. Series of the country have no label for the area.
fn alert(id: &str, level: AreaLevel, change: &str, changed: ChangeUnit) -> String {
    let area = if level == AreaLevel::Country { "Hele landet" } else { "{{ $labels.area }}" };
    let (threshold, more) = match changed {
        ChangeUnit::Ratio => ("0.1", "{{ humanizePercentage $value }} mere"),
        ChangeUnit::Points => ("1", "{{ printf \"%.1f\" $value }} procentpoint mere"),
    };
    format!(
        "groups:\n- name: {id}\n  rules:\n  - alert: {id}_stigning\n    expr: |-\n      {change} > {threshold}\n    for: 15m\n    labels:\n      severity: warning\n    \
         annotations:\n      summary: '{area}: {more} end året før'"
    )
}

/// The members that breakdowns are narrowed to, with their dimensions.
fn members<'a>(choice: &Choice<'a>) -> Vec<(&'a Dimension, &'a Member)> {
    let member = |breakdown: &Breakdown| {
        let dimension = choice.measurement.dimensions.get(breakdown.dimension)?;
        Some((dimension, dimension.members.get(*breakdown.members.first()?)?))
    };
    choice.breakdowns.iter().filter_map(member).collect()
}

/// The levels that the chosen areas are on; those of the table where no area is chosen.
fn levels(choice: &Choice<'_>) -> Vec<AreaLevel> {
    let Some(area) = choice.measurement.area() else { return Vec::new() };
    let members = &choice.measurement.dimensions[area].members;
    let of_levels = members.iter().filter(|one| {
        choice.areas.is_empty() && (choice.area_levels.is_empty() || choice.area_levels.contains(&one.level))
    });
    let kinds: Vec<AreaKind> = choice.chosen_areas().chain(of_levels).filter_map(|one| one.area).collect();
    AreaLevel::ALL.into_iter().filter(|level| kinds.contains(&level.kind())).collect()
}

/// The condition of a query for the areas of a level that are named, if any are. Series of the country have no label for the area.
fn area_matcher(choice: &Choice<'_>, level: AreaLevel) -> String {
    let areas = choice.chosen_areas().filter(|one| one.area == Some(level.kind()));
    let codes: Vec<String> =
        areas.map(|one| regex::escape(one.code.unwrap_or_else(|| one.id.as_str()))).collect();
    if level == AreaLevel::Country || codes.is_empty() {
        return String::new();
    }
    // A string of PromQL is written as one of JSON.
    format!(",area_code=~{}", json!(codes.join("|")))
}

fn quantity(unit: Option<Unit>) -> Quantity {
    match unit {
        Some(Unit::Persons) => Quantity::Persons,
        Some(Unit::FullTimePersons) => Quantity::FullTimePersons,
        Some(Unit::Spells) => Quantity::Spells,
        Some(Unit::Percent) => Quantity::Percent,
        Some(Unit::Fraction) => Quantity::Fraction,
        Some(Unit::Weeks) => Quantity::Weeks,
        Some(Unit::Kroner) => Quantity::Kroner,
        Some(Unit::Count | Unit::Hours | Unit::PercentagePoints) | None => Quantity::Value,
    }
}

/// An id of table, measure and what else tells it from others of the table: its members, its period type. Where it would be too long,
/// the measure is cut, so that the members stay readable, and the end is a checksum of what it would have been.
fn id(table: &str, measure: &str, rest: &str) -> String {
    let first = if table.starts_with(|first: char| first.is_ascii_alphabetic()) { "" } else { "t" };
    let (head, rest) = (underscored(&format!("{first}{table} {measure}")), underscored(rest));
    let whole = underscored(&format!("{head} {rest}"));
    if whole.len() <= MAX_ID_CHARS {
        return whole;
    }
    let end = underscored(&format!("{:.MAX_REST_CHARS$} {:08x}", rest, crc32fast::hash(whole.as_bytes())));
    let room = MAX_ID_CHARS - 1 - end.len();
    format!("{}_{end}", format!("{head:.room$}").trim_end_matches('_'))
}

/// The words of a text in small ASCII letters and digits, with underscores between them.
fn underscored(text: &str) -> String {
    let folded = folded(text);
    let words = folded.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::indicators::definition::IndicatorId;

    #[test]
    fn an_alert_names_the_area_that_its_series_have() {
        let country = alert("a", AreaLevel::Country, "x", ChangeUnit::Ratio);
        assert!(country.contains("summary: 'Hele landet: {{ humanizePercentage $value }} mere"), "{country}");
        let municipality = alert("a", AreaLevel::Municipality, "x", ChangeUnit::Ratio);
        assert!(municipality.contains("summary: '{{ $labels.area }}: {{ humanize"), "{municipality}");
    }

    #[test]
    fn a_share_has_risen_by_percentage_points() {
        let share = alert("a", AreaLevel::Country, "x", ChangeUnit::Points);
        assert!(share.contains("x > 1\n") && share.contains("$value }} procentpoint mere end"), "{share}");
        assert!(!share.contains("Percentage"), "{share}");
    }

    #[test]
    fn ids_are_of_the_form_that_definitions_ask_for() {
        let long = "lang ".repeat(40);
        for (table, measure, rest) in [
            ("y25i01", "Antal ledige (æøå) – 24 uger", ""),
            ("1a", "%", ""),
            ("y", &long, ""),
            ("y", "%", &long),
            ("y", &long, &long),
            ("", "", ""),
        ] {
            is_of_form(&id(table, measure, rest));
        }
        assert_eq!(id("y25i01", "Antal ledige (æ)", " "), "y25i01_antal_ledige_ae");
        assert_eq!(id("1a", "Antal", "Kvinder M"), "t1a_antal_kvinder_m");
    }

    fn is_of_form(id: &str) {
        let read: Result<IndicatorId, _> = id.to_owned().try_into();
        assert!(read.is_ok(), "{id}");
    }

    #[test]
    fn no_two_choices_of_a_table_have_the_same_id() {
        let file: Value =
            serde_json::from_str(include_str!("../../../metadata/simulator/tables.json")).unwrap();
        let list = |of: &Value, name: &str| of[name].as_array().unwrap().clone();
        let text = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
        let dimensions = list(&file, "dimensions").into_iter().map(|one| {
            let members =
                list(&one, "hierarchies").iter().flat_map(|one| list(one, "members")).collect::<Vec<_>>();
            let mut labels: Vec<String> = members.iter().map(|member| text(member, "name")).collect();
            labels.sort_by_key(|label| Reverse(label.len()));
            // Twins share their label and their figures.
            labels.dedup();
            (text(&one, "id"), labels)
        });
        let dimensions: BTreeMap<String, Vec<String>> = dimensions.collect();
        let mut cut = 0;
        for table in list(&file, "tables") {
            let measures = list(&table, "measures");
            let heading =
                |one: &Value| match measures.iter().filter(|other| other["group"] == one["group"]).count() {
                    1 => text(one, "name"),
                    _ => format!("{}: {}", text(one, "group_name"), text(one, "name")),
                };
            let measures: Vec<String> = measures.iter().map(heading).collect();
            let own: Vec<&Vec<String>> =
                list(&table, "dimensions").iter().map(|id| &dimensions[id.as_str().unwrap()]).collect();
            let mut rests = BTreeSet::from([String::new()]);
            for labels in &own {
                rests.extend(labels.iter().cloned());
                let others =
                    own.iter().filter(|other| *other != labels).flat_map(|other| other.iter().take(5));
                let pairs =
                    others.flat_map(|other| labels.iter().take(5).map(move |one| format!("{one} {other}")));
                rests.extend(pairs);
            }
            let mut ids = BTreeSet::new();
            for (measure, rest) in measures.iter().flat_map(|one| rests.iter().map(move |rest| (one, rest))) {
                let id = id(&text(&table, "id"), measure, rest);
                is_of_form(&id);
                cut += usize::from(id.len() == MAX_ID_CHARS);
                assert!(ids.insert(id.clone()), "{id}: {measure}, {rest}");
            }
        }
        assert!(cut > 100, "long names are among them: {cut}");
    }
}
