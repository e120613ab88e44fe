//! A choice of one figure per area as an indicator: a file for `BRIDGE_INDICATORS`, queries of its gauges, an alert rule.

use std::collections::BTreeMap;

use serde_json::json;

use crate::catalogue::area::AreaKind;
use crate::catalogue::dimension::{Dimension, Member};
use crate::catalogue::measure::Unit;
use crate::indicators::definition::{AreaLevel, BaseUnit, Quantity};
use crate::indicators::figures::ChangeUnit;
use crate::pages::builder::choice::{Breakdown, Choice};
use crate::pages::builder::texts::Text;
use crate::pages::language::Language;
use crate::search::folded;

/// The longest id of an indicator.
const MOST_CHARS: usize = 63;

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
    let with_members = |text: &str, between: &str| {
        let labels = members.iter().map(|(_, member)| member.label.as_str());
        std::iter::once(text).chain(labels).collect::<Vec<_>>().join(between)
    };
    let id = id(choice.measurement.id.as_str(), &with_members(&measure.heading, " "));
    let title = with_members(title, ", ");
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
    let labels = format!("source=\"{source}\",indicator=\"{id}\"");
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
    let is_chosen = |index: usize, level: &String| {
        (choice.areas.is_empty() || choice.areas.contains(&index))
            && (choice.area_levels.is_empty() || choice.area_levels.contains(level))
    };
    let has = |kind: AreaKind| {
        members.iter().enumerate().any(|(index, one)| one.area == Some(kind) && is_chosen(index, &one.level))
    };
    AreaLevel::ALL.into_iter().filter(|level| has(level.kind())).collect()
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

/// Table and measure as an id: small letters, digits and underscores.
fn id(table: &str, measure: &str) -> String {
    let mut id = String::new();
    for letter in folded(&format!("{table} {measure}")).chars() {
        if letter.is_ascii_alphanumeric() {
            id.push(letter);
        } else if !id.ends_with('_') {
            id.push('_');
        }
    }
    let id: String = id.chars().take(MOST_CHARS).collect();
    let id = id.trim_matches('_');
    if id.starts_with(|first: char| first.is_ascii_lowercase()) {
        id.to_owned()
    } else {
        format!("t{id}").chars().take(MOST_CHARS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for (table, measure) in
            [("y25i01", "Antal ledige (æøå) – 24 uger"), ("1a", "%"), ("y", &"lang ".repeat(40)), ("", "")]
        {
            let id = id(table, measure);
            let read: Result<crate::indicators::definition::IndicatorId, _> = id.clone().try_into();
            assert!(read.is_ok(), "{id}");
        }
        assert_eq!(id("y25i01", "Antal ledige (æ)"), "y25i01_antal_ledige_ae");
    }
}
