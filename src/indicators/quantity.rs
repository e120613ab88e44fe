//! The words of a definition from which metrics follow: the level of areas and the quantity, which together with the base unit make a
//! metric's name, and how a published figure becomes one in the base unit.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::catalogue::area::AreaKind;
use crate::catalogue::measure::Unit;

/// A level of areas that become series. Each level is a metric family of its own: with the country and the municipalities in one
/// family, `sum()` in PromQL would count everything twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaLevel {
    Country,
    Region,
    Municipality,
}

impl AreaLevel {
    pub const ALL: [Self; 3] = [Self::Country, Self::Region, Self::Municipality];

    /// The level's name in metric names and definitions.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Region => "region",
            Self::Municipality => "municipality",
        }
    }

    /// The kind of area that the level is made of.
    #[must_use]
    pub fn kind(self) -> AreaKind {
        match self {
            Self::Country => AreaKind::Country,
            Self::Region => AreaKind::Region,
            Self::Municipality => AreaKind::Municipality,
        }
    }

    /// How many such areas Denmark has.
    pub(super) fn area_count(self) -> usize {
        match self {
            Self::Country => 1,
            Self::Region => 5,
            Self::Municipality => 98,
        }
    }
}

/// What a published figure counts; the metric's base unit follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    Persons,
    FullTimePersons,
    Spells,
    Percent,
    Fraction,
    Weeks,
    Days,
    Kroner,
    Value,
}

impl Quantity {
    /// The quantity as it stands in definitions.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Persons => "persons",
            Self::FullTimePersons => "full_time_persons",
            Self::Spells => "spells",
            Self::Percent => "percent",
            Self::Fraction => "fraction",
            Self::Weeks => "weeks",
            Self::Days => "days",
            Self::Kroner => "kroner",
            Self::Value => "value",
        }
    }

    /// The base unit that the metric is in.
    #[must_use]
    pub fn base(self) -> BaseUnit {
        match self {
            Self::Persons => BaseUnit::Persons,
            Self::FullTimePersons => BaseUnit::FullTimePersons,
            Self::Spells => BaseUnit::Spells,
            Self::Percent | Self::Fraction => BaseUnit::Ratio,
            Self::Weeks | Self::Days => BaseUnit::DurationSeconds,
            Self::Kroner => BaseUnit::Kroner,
            Self::Value => BaseUnit::Value,
        }
    }

    /// The published figure in the base unit, computed in decimals so that 2.9 per cent is exactly 0.029.
    #[must_use]
    pub fn in_base_unit(self, figure: Decimal) -> Decimal {
        match self {
            Self::Percent => figure / Decimal::ONE_HUNDRED,
            Self::Weeks => figure * Decimal::from(604_800),
            Self::Days => figure * Decimal::from(86_400),
            Self::Persons
            | Self::FullTimePersons
            | Self::Spells
            | Self::Fraction
            | Self::Kroner
            | Self::Value => figure,
        }
    }

    /// Whether a measure of that unit can have this quantity. A count whose label names no unit fits every count.
    #[must_use]
    pub fn fits(self, unit: Unit) -> bool {
        match self {
            Self::Persons => matches!(unit, Unit::Persons | Unit::Count),
            Self::FullTimePersons => matches!(unit, Unit::FullTimePersons | Unit::Count),
            Self::Spells => matches!(unit, Unit::Spells | Unit::Count),
            Self::Percent => unit == Unit::Percent,
            Self::Fraction => unit == Unit::Fraction,
            Self::Weeks => unit == Unit::Weeks,
            Self::Days => matches!(unit, Unit::Weeks | Unit::Count),
            Self::Kroner => unit == Unit::Kroner,
            Self::Value => matches!(unit, Unit::Count | Unit::Hours | Unit::PercentagePoints),
        }
    }
}

/// The unit at the end of a metric's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BaseUnit {
    Persons,
    FullTimePersons,
    Spells,
    Ratio,
    DurationSeconds,
    Kroner,
    Value,
}

impl BaseUnit {
    pub const ALL: [Self; 7] = [
        Self::Persons,
        Self::FullTimePersons,
        Self::Spells,
        Self::Ratio,
        Self::DurationSeconds,
        Self::Kroner,
        Self::Value,
    ];

    /// The end of the metric's name.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Persons => "persons",
            Self::FullTimePersons => "full_time_persons",
            Self::Spells => "spells",
            Self::Ratio => "ratio",
            Self::DurationSeconds => "duration_seconds",
            Self::Kroner => "kroner",
            Self::Value => "value",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_base_units_exactly() {
        let percent = Quantity::Percent.in_base_unit(Decimal::new(29, 1));
        assert_eq!(percent.to_string().parse::<f64>().unwrap(), 0.029);
        assert_eq!(Quantity::Weeks.in_base_unit(Decimal::new(15, 1)), Decimal::from(907_200));
        assert_eq!(Quantity::Fraction.in_base_unit(Decimal::new(25, 2)), Decimal::new(25, 2));
        assert_eq!(Quantity::Days.in_base_unit(Decimal::TWO), Decimal::from(172_800));
    }
}
