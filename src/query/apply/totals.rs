//! Decides whether an aggregation has published totals.
//!
//! Each group must be one published cell. So on every axis, each combination of grouping values must leave one position: one period,
//! one measure, one member of each dimension. A dimension that is neither grouped by nor filtered on is put at its total. If several
//! positions are left, figures would have to be summed, and the request is refused.

use std::collections::{BTreeSet, HashMap};

use super::error::ApplyError;
use crate::catalogue::dimension::Dimension;
use crate::feed::column::{Column, Fact, MemberFact, PeriodFact};
use crate::feed::facts::{self, Axis};
use crate::feed::{CellForm, CellSource};
use crate::odata::uri::literal_text;
use crate::query::BoundExpr;
use crate::query::axis_filter::{AxisScope, Possible};

/// The filtered and grouped rows of figures.
pub(super) struct Totals<'a> {
    columns: &'a [Column],
    source: &'a CellSource,
    filter: Option<&'a BoundExpr>,
    /// Where the filter can be true.
    possible: Option<Possible>,
    by: &'a [usize],
}

impl<'a> Totals<'a> {
    pub(super) fn of(
        columns: &'a [Column],
        source: &'a CellSource,
        filter: Option<&'a BoundExpr>,
        by: &'a [usize],
    ) -> Self {
        let possible = filter.map(|filter| Possible::of(filter, &AxisScope { source, columns }));
        Self { columns, source, filter, possible, by }
    }

    /// The dimensions that must be at their totals for every group to be one published cell.
    pub(super) fn dimensions(&self) -> Result<Vec<usize>, ApplyError> {
        self.check_one_place(Axis::Period)?;
        if self.source.form == CellForm::Long {
            self.check_one_place(Axis::Measure)?;
        }
        let mut at_total = Vec::new();
        for dimension in 0..self.source.measurement.dimensions.len() {
            if self.is_at_total(dimension)? {
                at_total.push(dimension);
            }
        }
        match at_total.first() {
            // A condition on figures, or grouping by status, separates parts that the published total includes.
            Some(&dimension) if self.reads_figures() => {
                Err(ApplyError::PartsAddedUp { dimension: self.dimension_name(dimension) })
            }
            _ => Ok(at_total),
        }
    }

    /// The column name of a dimension's members.
    pub(super) fn dimension_name(&self, dimension: usize) -> String {
        self.name_of(|fact| fact == Fact::Member(dimension, MemberFact::Id))
    }

    /// Checks an axis without a total (period, measure): each group must leave one position.
    fn check_one_place(&self, axis: Axis) -> Result<(), ApplyError> {
        if self.groups(axis).values().all(|places| places.len() <= 1) {
            return Ok(());
        }
        let column = self.name_of(|fact| match axis {
            Axis::Period => matches!(fact, Fact::Period(PeriodFact::Id | PeriodFact::CbsCode)),
            Axis::Measure | Axis::Dimension(_) => fact == Fact::MeasureCode,
        });
        Err(ApplyError::NotPinned { column })
    }

    /// Whether the dimension must be at its total; if not, each group has one member.
    fn is_at_total(&self, dimension: usize) -> Result<bool, ApplyError> {
        let axis = Axis::Dimension(dimension);
        let summed = &self.source.measurement.dimensions[dimension];
        if self.groups(axis).values().all(|members| is_one(summed, members)) {
            return Ok(false);
        }
        let id = self.dimension_name(dimension);
        let grouped: Vec<usize> = self.by_axis(axis).collect();
        let named = grouped
            .iter()
            .map(|&column| &self.columns[column])
            .find(|column| matches!(column.fact, Fact::Member(_, MemberFact::Label | MemberFact::Code)));
        match named {
            Some(column) => Err(ApplyError::SharedLabel { column: column.name.clone(), id }),
            // A level is not a member.
            None if !grouped.is_empty() || self.filtered().contains(&axis) => {
                Err(ApplyError::PartsAddedUp { dimension: id })
            }
            None if summed.pinned.is_some() || summed.total().is_none() => {
                Err(ApplyError::NotPinned { column: id })
            }
            None => Ok(true),
        }
    }

    /// The possible positions on an axis, by grouping values.
    fn groups(&self, axis: Axis) -> HashMap<Vec<String>, Vec<usize>> {
        let measurement = &self.source.measurement;
        let by: Vec<Fact> = self.by_axis(axis).map(|column| self.columns[column].fact).collect();
        let mut groups: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        for place in self.places(axis) {
            let value = |fact: &Fact| literal_text::to_literal(&facts::value_at(measurement, *fact, place));
            groups.entry(by.iter().map(value).collect()).or_default().push(place);
        }
        groups
    }

    fn places(&self, axis: Axis) -> Vec<usize> {
        let measurement = &self.source.measurement;
        let possible = self.possible.as_ref().and_then(|possible| possible.on(axis));
        let is_in_set = |place: usize| match axis {
            Axis::Period => self
                .source
                .period_type
                .as_ref()
                .is_none_or(|wanted| *wanted == measurement.periods[place].type_id),
            Axis::Dimension(dimension) => self.source.holds(dimension, place),
            Axis::Measure => true,
        };
        (0..facts::axis_len(measurement, axis))
            .filter(|&place| is_in_set(place) && possible.is_none_or(|possible| possible.contains(&place)))
            .collect()
    }

    fn by_axis(&self, axis: Axis) -> impl Iterator<Item = usize> {
        self.by.iter().copied().filter(move |&column| facts::axis(self.columns[column].fact) == Some(axis))
    }

    /// The axes that the filter uses.
    fn filtered(&self) -> BTreeSet<Axis> {
        let columns = self.filter.into_iter().flat_map(BoundExpr::columns);
        columns.filter_map(|column| facts::axis(self.columns[column].fact)).collect()
    }

    fn reads_figures(&self) -> bool {
        let columns = self.filter.into_iter().flat_map(BoundExpr::columns).chain(self.by.iter().copied());
        columns.into_iter().any(|column| facts::axis(self.columns[column].fact).is_none())
    }

    fn name_of(&self, wanted: impl Fn(Fact) -> bool) -> String {
        let column = self.columns.iter().find(|column| wanted(column.fact));
        column.map(|column| column.name.clone()).unwrap_or_default()
    }
}

/// Whether members are the same group of people: one member, or a chain of parents and only children with the same label.
fn is_one(dimension: &Dimension, members: &[usize]) -> bool {
    let follows_its_parent = |member: usize| {
        let parent = dimension.members[member].parent.filter(|parent| members.contains(parent));
        parent.is_some_and(|parent| dimension.twin(parent) == Some(member))
    };
    members.iter().filter(|&&member| !follows_its_parent(member)).count() <= 1
}
