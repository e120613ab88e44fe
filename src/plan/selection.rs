//! The cells that a query needs, as lists of periods, members and measures.

use std::collections::BTreeSet;

use crate::catalogue::measurement::Measurement;
use crate::feed::{CellSource, Extent};

/// The index of a total among the members of its dimension.
const TOTAL: usize = 0;

/// Cells of one measurement: every combination of some periods, members and measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Indexes into the measurement's periods, ascending: the newest first.
    pub periods: Vec<usize>,
    /// One entry per dimension of the measurement.
    pub members: Vec<Members>,
    /// Indexes of the measures, ascending.
    pub measures: Vec<usize>,
}

/// What is needed of one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// The dimension is at its total: requests do not name it and it is not a column.
    Unnamed,
    /// The query needs only the dimension's total: requests do not name it, but it is a column.
    AtTotal,
    /// These members, ascending by index.
    Named(Vec<usize>),
}

impl Members {
    /// The members of the rows; the total for a dimension that is not named.
    #[must_use]
    pub fn list(&self) -> &[usize] {
        match self {
            Self::Unnamed | Self::AtTotal => &[TOTAL],
            Self::Named(members) => members,
        }
    }

    /// How many members are requested; a dimension that is not named counts as one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Whether no member is requested.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Selection {
    /// All cells of a set, with all measures.
    #[must_use]
    pub fn of_set(source: &CellSource) -> Self {
        let measurement = &source.measurement;
        let members =
            (0..measurement.dimensions.len()).map(|dimension| members_of_extent(source, dimension)).collect();
        Self { periods: periods_of_set(source), members, measures: (0..measurement.measures.len()).collect() }
    }

    /// Keeps only these periods.
    pub fn restrict_periods(&mut self, keep: &BTreeSet<usize>) {
        self.periods.retain(|period| keep.contains(period));
    }

    /// Keeps only these members. A dimension that is not named stays unnamed.
    pub fn restrict_members(&mut self, dimension: usize, keep: &BTreeSet<usize>) {
        if let Some(Members::Named(members)) = self.members.get_mut(dimension) {
            members.retain(|member| keep.contains(member));
        }
    }

    /// Keeps only the measures of that list.
    pub fn restrict_measures(&mut self, keep: &BTreeSet<usize>) {
        self.measures.retain(|measure| keep.contains(measure));
    }

    /// Makes dimensions unnamed in requests whose only selected member is the total. An area is always named.
    pub fn put_at_totals(&mut self, measurement: &Measurement) {
        for (members, dimension) in self.members.iter_mut().zip(&measurement.dimensions) {
            if let Members::Named(list) = members
                && let ([only], Some(total)) = (list.as_slice(), dimension.total())
                && *only == total
                && !dimension.is_area()
            {
                *members = Members::AtTotal;
            }
        }
    }

    /// Whether the selection has no cells.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.periods.is_empty() || self.measures.is_empty() || self.members.iter().any(Members::is_empty)
    }

    /// The most rows that the selection can have.
    #[must_use]
    pub fn row_bound(&self) -> u64 {
        let sizes = self.members.iter().map(Members::len).chain([self.periods.len()]);
        sizes.fold(1, |product: u64, size| product.saturating_mul(size as u64))
    }

    /// The dimensions that are named, with their members.
    pub fn named(&self) -> impl Iterator<Item = (usize, &[usize])> {
        let named = self.shown().filter(|(_, members)| **members != Members::AtTotal);
        named.map(|(dimension, members)| (dimension, members.list()))
    }

    /// The dimensions that are columns, in the measurement's order.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &Members)> {
        self.members.iter().enumerate().filter(|(_, members)| **members != Members::Unnamed)
    }
}

fn members_of_extent(source: &CellSource, dimension: usize) -> Members {
    let measurement: &Measurement = &source.measurement;
    let is_area = measurement.dimensions[dimension].is_area();
    if source.extents.get(dimension) == Some(&Extent::AtTotal) && !is_area {
        return Members::Unnamed;
    }
    let all = 0..measurement.dimensions[dimension].members.len();
    Members::Named(all.filter(|&member| source.holds(dimension, member)).collect())
}

fn periods_of_set(source: &CellSource) -> Vec<usize> {
    let of_type = |index: &usize| {
        let period = &source.measurement.periods[*index];
        source.period_type.as_ref().is_none_or(|wanted| *wanted == period.type_id)
    };
    (0..source.measurement.periods.len()).filter(of_type).collect()
}

#[cfg(test)]
mod tests {
    use crate::plan::fixture::{everything, table};

    use super::*;

    #[test]
    fn a_dimension_at_its_total_is_not_named_but_an_area_always_is() {
        let mut selection = everything();
        (0..3).for_each(|dimension| selection.restrict_members(dimension, &BTreeSet::from([0])));
        selection.put_at_totals(&table());
        assert_eq!(selection.members, [Members::Named(vec![0]), Members::AtTotal, Members::AtTotal]);
        assert_eq!(selection.named().map(|(dimension, _)| dimension).collect::<Vec<_>>(), [0]);
        assert_eq!(selection.shown().count(), 3, "its columns stay");
        assert_eq!(selection.row_bound(), 12);
    }

    #[test]
    fn only_the_measures_that_are_needed_stay() {
        let mut selection = Selection { measures: vec![0, 1, 2], ..everything() };
        selection.restrict_measures(&BTreeSet::from([0, 2]));
        assert_eq!(selection.measures, [0, 2]);
        selection.restrict_measures(&BTreeSet::from([2]));
        assert_eq!(selection.measures, [2]);
        assert!(!selection.is_empty());
        selection.restrict_periods(&BTreeSet::from([77]));
        assert!(selection.is_empty());
    }
}
