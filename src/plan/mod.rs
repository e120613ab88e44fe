//! Plans which cells a query needs and which upstream requests fetch them. Pure: it counts and splits; `fetch` sends the requests.

pub mod chunk;
pub mod cut;
pub mod figure_box;
#[cfg(test)]
pub(crate) mod fixture;
pub mod missing;
pub mod product;
pub mod pushdown;
pub mod selection;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::feed::column::{Column, Fact};
use crate::feed::{CellForm, CellSource};
use crate::plan::chunk::{Chunk, ChunkError};
use crate::plan::product::{ChunkWalk, Chunks};
use crate::plan::selection::{Members, Selection};
use crate::query::BoundExpr;
use crate::query::axis_filter::AxisScope;

/// The requests that a query over cells needs, in the order of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamPlan {
    pub source: Arc<CellSource>,
    pub selection: Selection,
    pub chunks: Chunks,
}

/// The first part of a row's sort key: the period's index, then the member's index of each dimension that is a column.
pub type RowPlace = Vec<u32>;

impl UpstreamPlan {
    /// The most rows that the answer can have.
    #[must_use]
    pub fn row_bound(&self) -> u64 {
        match self.selection.is_empty() {
            true => 0,
            false => self.selection.row_bound().saturating_mul(self.rows_per_place()),
        }
    }

    /// The chunks that may contain the row at a position or later rows; all for an empty position.
    #[must_use]
    pub fn chunks_from(&self, place: &[u32]) -> ChunkWalk<'_> {
        let is_named = |members: &Members| matches!(members, Members::Named(_));
        let dimensions = self.selection.shown().map(|(_, members)| is_named(members));
        let axes = [true].into_iter().chain(dimensions).zip(place);
        self.chunks.from(axes.filter(|(is_named, _)| *is_named).map(|(_, &at)| at as usize).collect())
    }

    /// The position of the first row that a chunk can contain.
    #[must_use]
    pub fn first_place(&self, chunk: &Chunk) -> RowPlace {
        self.place(chunk, |list| list.first())
    }

    /// The position of the last row that a chunk can contain.
    #[must_use]
    pub fn last_place(&self, chunk: &Chunk) -> RowPlace {
        self.place(chunk, |list| list.last())
    }

    fn place(&self, chunk: &Chunk, end: impl Fn(&[usize]) -> Option<&usize>) -> RowPlace {
        let mut named = chunk.dimensions.iter().map(|part| part.members.as_slice());
        let lists = self.selection.shown().map(|(_, members)| match members {
            Members::Named(_) => named.next().unwrap_or_default(),
            other => other.list(),
        });
        let ends = [chunk.periods.as_slice()].into_iter().chain(lists).filter_map(end);
        ends.map(|&at| u32::try_from(at).unwrap_or(u32::MAX)).collect()
    }

    /// Lets a chunk end with the period in which so many rows are complete, provided that no row is missing or filtered out: a
    /// reader that needs no more does not wait for more.
    pub fn end_after(&mut self, rows: u64) {
        let periods = &self.selection.periods;
        let in_each = self.row_bound().checked_div(periods.len() as u64).unwrap_or_default().max(1);
        let needed = usize::try_from(rows.div_ceil(in_each)).unwrap_or(usize::MAX);
        if let Some(&next) = periods.get(needed) {
            self.chunks.end_before(next);
        }
    }

    /// The most rows that there can be before a position.
    #[must_use]
    pub fn rows_before(&self, place: &[u32]) -> u64 {
        let members = self.selection.shown().map(|(_, members)| members.list());
        let lists = [self.selection.periods.as_slice()].into_iter().chain(members);
        let mut places = 0_u64;
        for (list, &at) in lists.zip(place) {
            let before = list.partition_point(|&other| other < at as usize) as u64;
            places = places.saturating_mul(list.len() as u64).saturating_add(before);
        }
        places.saturating_mul(self.rows_per_place())
    }

    /// How many chunks an answer with so many rows needs at least: those before whose first row there cannot be enough rows.
    #[must_use]
    pub fn chunks_for(&self, rows: u64) -> u64 {
        let needed = |chunk: Chunk| self.rows_before(&self.first_place(&chunk)) < rows;
        let (mut low, mut high) = (0, self.chunks.count());
        while low < high {
            let middle = low.midpoint(high);
            if self.chunks.get(middle).is_some_and(needed) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Rows per position: one, or in the long form one for every measure.
    #[must_use]
    pub fn rows_per_place(&self) -> u64 {
        if self.source.form == CellForm::Long { self.selection.measures.len() as u64 } else { 1 }
    }
}

/// The part of a set that is read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub source: &'a Arc<CellSource>,
    pub columns: &'a [Column],
    /// Indexes of the columns that the answer, its filter or its order use.
    pub needed: &'a BTreeSet<usize>,
    pub filter: Option<&'a BoundExpr>,
}

/// Plans the requests for what is wanted.
///
/// # Errors
/// When the cell limit is below a single row.
pub fn plan(wanted: &Wanted<'_>, cell_limit: u64) -> Result<UpstreamPlan, ChunkError> {
    let measurement = &wanted.source.measurement;
    let mut selection = Selection::of_set(wanted.source);
    if let Some(filter) = wanted.filter {
        let scope = AxisScope { source: wanted.source, columns: wanted.columns };
        pushdown::restrict(&mut selection, filter, &scope);
    }
    if wanted.source.form == CellForm::Wide {
        selection.restrict_measures(&needed_measures(wanted));
    }
    selection.put_at_totals(measurement);
    let chunks = cut::cut(measurement, &selection, cell_limit)?;
    Ok(UpstreamPlan { source: Arc::clone(wanted.source), selection, chunks })
}

/// The measures that the answer shows or depends on; one where there is none, because the upstream cannot be asked for rows without
/// figures.
fn needed_measures(wanted: &Wanted<'_>) -> BTreeSet<usize> {
    let columns = wanted.needed.iter().filter_map(|&index| wanted.columns.get(index));
    let mut needed = BTreeSet::new();
    for column in columns {
        match column.fact {
            Fact::Measure(measure) => needed.extend([measure]),
            Fact::Status => needed.extend(0..wanted.source.measurement.measures.len()),
            Fact::Period(_) | Fact::Member(..) | Fact::MeasureCode | Fact::Value | Fact::ValueAttribute => {}
            Fact::Updated | Fact::ObservationId | Fact::Listed(_) => {}
        }
    }
    if needed.is_empty() { BTreeSet::from([0]) } else { needed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Extent;
    use crate::feed::axis_columns::AxisColumns;

    fn planned(form: CellForm, cell_limit: u64) -> UpstreamPlan {
        let (measurement, mut selection) = (Arc::new(fixture::table()), fixture::everything());
        selection.restrict_members(1, &BTreeSet::from([0]));
        selection.put_at_totals(&measurement);
        let chunks = cut::cut(&measurement, &selection, cell_limit).unwrap();
        let extents = vec![Extent::Whole; 3];
        let axis_columns = AxisColumns::default();
        let source = Arc::new(CellSource { measurement, form, period_type: None, extents, axis_columns });
        UpstreamPlan { source, selection, chunks }
    }

    #[test]
    fn positions_count_the_dimensions_at_their_total() {
        let plan = planned(CellForm::Wide, 4);
        let last = plan.chunks.get(plan.chunks.count() - 1).unwrap();
        assert_eq!(plan.first_place(&last), [11, 4, 0, 1]);
        assert_eq!(plan.chunks_from(&[11, 4, 0, 1]).collect::<Vec<_>>(), [last]);
        assert_eq!(plan.rows_before(&[11, 4, 0, 1]), plan.row_bound() - 1);
        assert_eq!(plan.rows_before(&[]), 0);
    }

    #[test]
    fn so_many_chunks_are_needed_for_so_many_rows() {
        let plan = planned(CellForm::Wide, 2 * 4);
        for (rows, chunks) in [(0, 0), (1, 1), (2, 1), (3, 2), (120, 60), (u64::MAX, 60)] {
            assert_eq!(plan.chunks_for(rows), chunks, "{rows} rows");
        }
    }

    #[test]
    fn a_chunk_ends_where_enough_rows_have_come() {
        for (rows, chunks) in
            [(0, [12, 0]), (1, [1, 11]), (10, [1, 11]), (11, [2, 10]), (120, [12, 0]), (u64::MAX, [12, 0])]
        {
            let mut plan = planned(CellForm::Wide, 1_000);
            assert_eq!(plan.chunks.count(), 1);
            plan.end_after(rows);
            let periods: Vec<usize> = plan.chunks.iter().map(|chunk| chunk.periods.len()).collect();
            assert_eq!(
                periods,
                chunks.into_iter().filter(|&count| count > 0).collect::<Vec<_>>(),
                "{rows} rows"
            );
            assert_eq!(plan.chunks_for(rows), rows.min(1), "{rows} rows");
        }
    }

    #[test]
    fn in_the_long_form_every_measure_is_a_row() {
        let mut plan = planned(CellForm::Long, 4);
        plan.selection.measures = vec![0, 1, 2];
        assert_eq!((plan.row_bound(), plan.rows_before(&[0, 1, 0, 0])), (3 * 120, 3 * 2));
    }
}
