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
}

impl Measure {
    /// The unit, guessed from the label because the upstream has no field for it.
    #[must_use]
    pub fn unit(&self) -> Unit {
        Unit::of(&self.heading)
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

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Reads the unit from a label. Order matters: "fuldtidspersoner i pct." is a percentage.
    #[must_use]
    pub fn of(label: &str) -> Self {
        let label = label.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
        if has(&["pct. point", "pct.point", "procentpoint"]) {
            Self::PercentagePoints
        } else if has(&["rekrutteringsrate"]) {
            Self::Fraction
        } else if has(&["gnsn. varighed", "varighed (uger)"]) {
            Self::Weeks
        } else if has(&["pct.", "procent", "andel", "grad", "status efter"])
            || label.ends_with(" uger") && !has(&["under", "over", "-"])
        {
            Self::Percent
        } else if has(&["timetal", "antal ordinære timer", "antal timer"]) {
            Self::Hours
        } else if has(&["kr.", "udgift", "kroner"]) {
            Self::Kroner
        } else if has(&["fuldtids"]) {
            Self::FullTimePersons
        } else if has(&["forløb", "uger", "spells"]) {
            Self::Spells
        } else if has(&[
            "person",
            "ledige",
            "modtagere",
            "aktiverede",
            "betalere",
            "beskæftigede",
            "nyledige",
        ]) {
            Self::Persons
        } else {
            Self::Count
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
    fn units_are_read_from_real_labels() {
        let cases = [
            ("Antal ledige personer", Unit::Persons),
            ("Antal ledige fuldtidspersoner", Unit::FullTimePersons),
            ("Ledige fuldtidspersoner i pct. af arbejdsstyrken 16-66 år", Unit::Percent),
            ("Andel dimittendledige personer ift. dagpengeledige personer", Unit::Percent),
            ("Forskel mellem forventet og faktisk andel (pct. point)", Unit::PercentagePoints),
            ("Forgæves rekrutteringsrate", Unit::Fraction),
            ("Gnsn. varighed (uger)", Unit::Weeks),
            ("under 2 uger", Unit::Spells),
            ("52 uger", Unit::Percent),
            ("Status efter 6 mdr.", Unit::Percent),
            ("Jobopslag", Unit::Count),
            ("Gennemsnitligt timetal pr person med ordinære timer", Unit::Hours),
        ];
        for (label, unit) in cases {
            assert_eq!(Unit::of(label), unit, "{label}");
        }
    }
}
