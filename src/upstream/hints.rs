//! Facts about tables that `/table` does not give: units that labels do not state, what the smallest figures stand for, where series
//! break, dimensions that have no total, and dimensions that must be pinned to a member for
//! the figures to mean anything. Known from experience, listed in `metadata/tables.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::catalogue::id::{DimensionId, MeasurementId, MemberPath};
use crate::catalogue::label::comparable;
use crate::catalogue::measure::{Measure, Unit};
use crate::catalogue::measurement::Caveats;

const BUILT_IN: &str = include_str!("../../metadata/tables.json");

/// Hints for the tables that need them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct TableHints(BTreeMap<String, Hint>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    #[serde(default)]
    without_total: BTreeSet<String>,
    /// Dimension to the path of its member.
    #[serde(default)]
    pinned: BTreeMap<String, String>,
    /// The unit of a measure, by its label or heading: where figures have shown it and the label does not state it.
    #[serde(default)]
    units: BTreeMap<String, Unit>,
    #[serde(default)]
    caveats: Caveats,
    /// A comment in the file, not used by the program.
    #[serde(default, rename = "note")]
    _note: String,
}

impl TableHints {
    /// The hints that are built into the program.
    #[must_use]
    pub fn built_in() -> Self {
        serde_json::from_str(BUILT_IN).unwrap_or_default()
    }

    /// Whether the dimension has a total, as far as is known.
    #[must_use]
    pub fn has_total(&self, table: &MeasurementId, dimension: &DimensionId) -> bool {
        !self.0.get(table.as_str()).is_some_and(|hint| hint.without_total.contains(dimension.as_str()))
    }

    /// The unit of a measure that figures have shown.
    #[must_use]
    pub fn unit(&self, table: &MeasurementId, measure: &Measure) -> Option<Unit> {
        let names = [&measure.heading, &measure.label].map(|name| comparable(name));
        let units = &self.0.get(table.as_str())?.units;
        units.iter().find(|(name, _)| names.contains(&comparable(name))).map(|(_, unit)| *unit)
    }

    /// What readers must know of a table's figures.
    #[must_use]
    pub fn caveats(&self, table: &MeasurementId) -> Caveats {
        self.0.get(table.as_str()).map(|hint| hint.caveats.clone()).unwrap_or_default()
    }

    /// The member that the dimension is pinned to.
    #[must_use]
    pub fn pinned(&self, table: &MeasurementId, dimension: &DimensionId) -> Option<MemberPath> {
        let path = self.0.get(table.as_str())?.pinned.get(dimension.as_str())?;
        Some(MemberPath::from(path.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_hints_are_whole() {
        let hints: TableHints = serde_json::from_str(BUILT_IN).unwrap();
        assert_eq!(hints, TableHints::built_in());
        let (j, i06) = (MeasurementId::from("y24j"), MeasurementId::from("y25i06"));
        let (pinned, weeks) = (DimensionId::from("_popbeskudl"), DimensionId::from("_var13uger"));
        assert_eq!(hints.pinned(&j, &pinned), Some(MemberPath::from("/2/")));
        assert!(hints.has_total(&j, &pinned));
        assert!(!hints.has_total(&i06, &weeks));
        assert!(!hints.has_total(&MeasurementId::from("y25i06b"), &weeks));
        assert!(hints.has_total(&j, &weeks), "a hint is about one table");
        assert_eq!(hints.pinned(&i06, &weeks), None);
    }

    #[test]
    fn every_break_fits_a_label_of_metrics() {
        for (table, hint) in TableHints::built_in().0 {
            assert!(hint.caveats.breaks.iter().all(|it| it.text.len() <= 200), "{table}");
        }
        let y60 = TableHints::built_in().caveats(&MeasurementId::from("y60a02"));
        assert_eq!(y60.breaks[0].from.to_string(), "2025-07-01");
        assert!(TableHints::built_in().caveats(&MeasurementId::from("y25i14")).floor.is_some());
    }

    #[test]
    fn every_hint_names_tables_in_lower_case_dimensions_and_paths() {
        for (table, hint) in TableHints::built_in().0 {
            assert_eq!(table, table.to_lowercase());
            assert!(
                hint.without_total.iter().chain(hint.pinned.keys()).all(|id| id.starts_with('_')),
                "{table}"
            );
            assert!(
                hint.pinned
                    .values()
                    .all(|path| path.starts_with('/') && path.ends_with('/') && path.len() > 2),
                "{table}"
            );
        }
    }
}
