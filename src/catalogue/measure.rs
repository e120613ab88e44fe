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

    /// Why figures of parts may not be summed to a total.
    #[must_use]
    pub fn additivity(&self) -> NotAdditive {
        NotAdditive::of(self.unit, &self.heading)
    }
}

/// Why a total may not be computed from its parts. No measure of this databank may be summed, so a total is a published figure like
/// any other, and an aggregation is answered only where each of its groups is one published cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdditive {
    /// A person is counted once in a total and may be counted in several parts; small counts are hidden.
    Persons,
    /// Small ones are hidden.
    Amounts,
    Shares,
    Averages,
    /// What the figures show is not known, or differs from one to the other.
    Unknown,
}

impl NotAdditive {
    fn of(unit: Option<Unit>, label: &str) -> Self {
        match unit {
            Some(Unit::Persons | Unit::FullTimePersons | Unit::Spells) => Self::Persons,
            Some(Unit::Kroner | Unit::Count) => Self::Amounts,
            Some(Unit::Percent | Unit::PercentagePoints | Unit::Fraction) => Self::Shares,
            Some(Unit::Weeks) => Self::Averages,
            Some(Unit::Hours) | None => Self::stated_by(label),
        }
    }

    fn stated_by(label: &str) -> Self {
        let label = label.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
        if has(&AVERAGES) {
            Self::Averages
        } else if has(&SHARES) {
            Self::Shares
        } else {
            Self::Unknown
        }
    }

    /// The sentences for readers.
    #[must_use]
    pub fn danish(self) -> String {
        let why = self.because().map(|why| format!(": {why}")).unwrap_or_default();
        format!("Tallene må ikke lægges sammen{why}. Brug den offentliggjorte total.")
    }

    /// Why, as a clause.
    #[must_use]
    pub fn because(self) -> Option<&'static str> {
        match self {
            Self::Persons => Some("samme person kan tælle med flere steder, og små tal er diskretioneret"),
            Self::Amounts => Some("små tal er diskretioneret, så delene giver ikke det hele"),
            Self::Shares => Some("andelen for det hele er hverken summen eller gennemsnittet af delenes"),
            Self::Averages => {
                Some("gennemsnittet for det hele er hverken summen eller gennemsnittet af delenes")
            }
            Self::Unknown => None,
        }
    }
}

/// Words of labels that name shares.
const SHARES: [&str; 6] = ["andel", "grad", "rate", "status efter", "kvote", "indeks"];
/// Words of labels that name averages.
const AVERAGES: [&str; 3] = ["gnsn", "gennemsnit", "varighed"];

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
        } else if has(&SHARES) {
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

    /// Whether a label says the unit, so that it need not stand beside it.
    #[must_use]
    pub fn is_named_by(self, label: &str) -> bool {
        let label = label.to_lowercase();
        let words: &[&str] = match self {
            Self::Percent => &["pct", "procent", "%"],
            Self::PercentagePoints => &["pct. point", "procentpoint"],
            Self::Hours => &["timer", "timetal"],
            other => &[other.label()],
        };
        words.iter().any(|word| label.contains(word))
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
    use super::{NotAdditive, Unit};

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
    fn why_figures_may_not_be_summed_fits_what_they_show() {
        for (unit, label, why) in [
            (Some(Unit::Persons), "Antal personer", NotAdditive::Persons),
            (Some(Unit::Kroner), "Forsørgelsesudgifter", NotAdditive::Amounts),
            (Some(Unit::Percent), "Aktiveringsgrad", NotAdditive::Shares),
            (Some(Unit::Weeks), "Gnsn. varighed (uger)", NotAdditive::Averages),
            (Some(Unit::Hours), "Gennemsnitligt timetal pr. person", NotAdditive::Averages),
            (None, "Andel af arbejdsstyrken", NotAdditive::Shares),
            (None, "Gnsn. antal sanktioner pr. sanktioneret ledig", NotAdditive::Averages),
            (None, "Jobopslag", NotAdditive::Unknown),
        ] {
            assert_eq!(NotAdditive::of(unit, label), why, "{label}");
            assert_eq!(why.danish().contains("person"), why == NotAdditive::Persons, "{}", why.danish());
        }
    }

    #[test]
    fn a_unit_is_not_said_twice() {
        for (unit, label, is_named) in [
            (Unit::Weeks, "Gnsn. varighed af afsluttede forløb (uger)", true),
            (Unit::Percent, "Ledige i pct. af arbejdsstyrken", true),
            (Unit::Percent, "Aktiveringsgrad", false),
            (Unit::FullTimePersons, "Antal personer", false),
            (Unit::Spells, "under 2 uger", false),
            (Unit::Hours, "Antal ordinære timer", true),
        ] {
            assert_eq!(unit.is_named_by(label), is_named, "{label}");
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
