//! Measures: figures with a unit, and the rule that figures of several cells are never summed.

use crate::catalogue::id::{MeasureGroupId, MeasureId};

/// A figure that a measurement gives for each cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// The id within the table.
    pub id: MeasureId,
    /// The id within the group, by which the upstream knows it; others of the table may have the same.
    pub source_id: MeasureId,
    pub group_id: MeasureGroupId,
    pub group_label: String,
    pub label: String,
    /// The column heading in the upstream's answers: the measure's label, after the group's label where a group has several.
    pub heading: String,
    /// What the figures count, where that is known; the upstream has no field for it.
    pub unit: Option<Unit>,
}

impl Measure {
    /// The heading with the group's label in front, whatever the group holds.
    #[must_use]
    pub fn full_heading(&self) -> String {
        format!("{}: {}", self.group_label, self.label)
    }

    /// Whether figures of parts may be summed to a total.
    #[must_use]
    pub fn additivity(&self) -> Additivity {
        Additivity::OF_EVERY_MEASURE
    }
}

/// Whether a total may be computed from its parts. Where it may not, a total is a published figure like any other, and an
/// aggregation is answered only where each of its groups is one published cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Additivity {
    NotAdditive,
}

impl Additivity {
    /// No measure of this databank may be summed: small counts are hidden, persons are counted once in a total though they occur
    /// in several parts, and shares are not additive at all.
    pub const OF_EVERY_MEASURE: Self = Self::NotAdditive;
}

/// Words of labels that count persons.
const COUNTED_PERSONS: [&str; 7] =
    ["person", "ledige", "modtagere", "aktiverede", "betalere", "beskæftigede", "nyledige"];

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Persons,
    FullTimePersons,
    Percent,
    PercentagePoints,
    /// A share from 0 to 1.
    Fraction,
    Spells,
    Weeks,
    Hours,
    Kroner,
    Count,
}

impl Unit {
    /// The unit that a label states. A share ("andel", "grad", "rate") states none: it is in per cent in one table and from 0 to 1 in
    /// another. Order matters: "fuldtidspersoner i pct." is a percentage.
    #[must_use]
    pub fn stated_by(label: &str) -> Option<Self> {
        let label = label.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
        let is_average = has(&["gnsn", "gennemsnit"]);
        if has(&["pct. point", "pct.point", "procentpoint"]) {
            Some(Self::PercentagePoints)
        } else if has(&["pct.", "procent"]) || label.ends_with("pct") {
            Some(Self::Percent)
        } else if has(&["andel", "grad", "rate", "status efter", "kvote", "indeks"]) {
            None
        } else if has(&["varighed"]) && has(&["uger"]) {
            Some(Self::Weeks)
        } else if has(&["timetal", "antal ordinære timer", "antal timer"]) {
            Some(Self::Hours)
        } else if has(&["kr.", "udgift", "kroner"]) {
            Some(Self::Kroner)
        } else if is_average {
            None
        } else if has(&["fuldtids"]) {
            Some(Self::FullTimePersons)
        } else if has(&["forløb"]) || has(&["uger"]) && has(&["under", "over", "-"]) {
            Some(Self::Spells)
        } else if label.ends_with(" uger") {
            None
        } else if has(&COUNTED_PERSONS) {
            Some(Self::Persons)
        } else {
            has(&["antal"]).then_some(Self::Count)
        }
    }

    /// The unit as a reader sees it, in Danish.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Persons => "personer",
            Self::FullTimePersons => "fuldtidspersoner",
            Self::Percent => "%",
            Self::PercentagePoints => "procentpoint",
            Self::Fraction => "andel (0-1)",
            Self::Spells => "forløb",
            Self::Weeks => "uger",
            Self::Hours => "timer",
            Self::Kroner => "kr.",
            Self::Count => "antal",
        }
    }

    /// How many decimals a reader is shown.
    #[must_use]
    pub fn decimals(self) -> u8 {
        match self {
            Self::Percent | Self::PercentagePoints | Self::Weeks | Self::Hours => 1,
            Self::Fraction => 3,
            Self::Persons | Self::FullTimePersons | Self::Spells | Self::Kroner | Self::Count => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Unit;

    #[test]
    fn units_are_read_from_labels_that_state_them() {
        let cases = [
            ("Antal ledige personer", Some(Unit::Persons)),
            ("Antal ledige fuldtidspersoner", Some(Unit::FullTimePersons)),
            ("Ledige fuldtidspersoner i pct. af arbejdsstyrken 16-66 år", Some(Unit::Percent)),
            ("Forskel mellem forventet og faktisk andel (pct. point)", Some(Unit::PercentagePoints)),
            ("Gnsn. varighed (uger)", Some(Unit::Weeks)),
            ("under 2 uger", Some(Unit::Spells)),
            ("Gennemsnitligt timetal pr person med ordinære timer", Some(Unit::Hours)),
            ("Antal sanktioner i alt", Some(Unit::Count)),
        ];
        for (label, unit) in cases {
            assert_eq!(Unit::stated_by(label), unit, "{label}");
        }
    }

    #[test]
    fn a_share_states_no_unit() {
        for label in [
            "Andel dimittendledige personer ift. dagpengeledige personer",
            "Forgæves rekrutteringsrate",
            "Aktiveringsgrad",
            "Status efter 6 mdr.",
            "52 uger",
            "Jobopslag",
            "Gnsn. antal sanktioner pr. sanktioneret ledig",
        ] {
            assert_eq!(Unit::stated_by(label), None, "{label}");
        }
    }
}
