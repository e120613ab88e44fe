//! Reads rows of one set: plans the requests, checks the limits and reads all cells in one revision.
//!
//! Pages, counts, lambda aggregates, expansions and `$apply` all read by a scan. They differ in the [`RowSink`] that takes the rows.
//! Rows arrive chunk by chunk in the order of the set; no more chunks are read than the sink needs.

use std::collections::BTreeSet;

use super::Answerer;
use crate::answer::error::BridgeError;
use crate::feed::{RowSource, Set};
use crate::frame::Frame;
use crate::plan::{UpstreamPlan, Wanted, plan};
use crate::query::axis_filter::{AxisScope, mixed_terms};
use crate::query::{BoundExpr, OrderKey};
use crate::store::block::Revision;
use arrow_array::RecordBatch;
use chrono::{DateTime, Utc};

/// What is read of a set, planned.
pub(super) struct Scan<'a> {
    pub(super) set: &'a Set,
    /// The condition that rows must meet.
    pub(super) filter: Option<BoundExpr>,
    /// The first so many rows by these order keys; without keys, in the order of the set, from `from` on.
    pub(super) first: Option<(&'a [OrderKey], usize)>,
    /// Indexes of the columns that decide which rows are wanted.
    pub(super) decisive: BTreeSet<usize>,
    /// Indexes of the columns that are read.
    pub(super) needed: BTreeSet<usize>,
    /// Whether the condition cannot be left to the upstream: how many rows must be read to find those that match is not known before.
    pub(super) is_open: bool,
    pub(super) rows: PlannedRows<'a>,
    /// The sort key of the row to start at; empty for the first row.
    pub(super) from: Vec<u32>,
}

/// Where the rows of a scan come from.
pub(super) enum PlannedRows<'a> {
    /// From a list of the catalogue.
    List(&'a RecordBatch),
    /// From cells, with the requests to the upstream that bring them.
    Cells(UpstreamPlan),
}

/// The revision of the cells that rows are made of, and when the oldest of them was fetched. Rows of lists have neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Provenance {
    pub revision: Option<Revision>,
    pub fetched_at: Option<DateTime<Utc>>,
}

impl Provenance {
    /// The provenance of rows that are made of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            revision: self.revision.or(other.revision),
            fetched_at: self.fetched_at.into_iter().chain(other.fetched_at).min(),
        }
    }
}

/// Takes the rows of a scan. It is cloned for each attempt, because a table may be updated while it is read.
pub(super) trait RowSink: Clone + Send + Sync {
    /// How many more rows are certainly needed; `None` when no more are needed.
    fn wanted(&self) -> Option<u64>;

    /// Takes the next rows that match, in the order of the set.
    ///
    /// # Errors
    /// When an expression has no value for a row.
    fn take(&mut self, rows: Frame) -> Result<(), BridgeError>;

    /// Whether the remaining rows are counted when no more are needed.
    fn counts(&self) -> bool {
        false
    }

    /// Takes the number of the remaining rows that match.
    fn count(&mut self, _rows: u64) {}
}

impl<'a> Scan<'a> {
    /// Only the first so many rows by these order keys are wanted.
    pub(super) fn end_after(&mut self, keys: &'a [OrderKey], count: usize) {
        self.first = Some((keys, count));
        self.decisive.extend(keys.iter().flat_map(|key| key.expr.columns()));
    }

    /// The most rows that are read from cells.
    pub(super) fn row_bound(&self) -> u64 {
        if let PlannedRows::Cells(plan) = &self.rows { plan.row_bound() } else { 0 }
    }
}

impl Answerer {
    /// Plans a scan. `looks_at` says how many rows it reads at most, where the condition is open and where it is not.
    ///
    /// # Errors
    /// When it may read more rows than the limit.
    pub(super) fn plan<'a>(
        &self,
        set: &'a Set,
        filter: Option<BoundExpr>,
        needed: impl IntoIterator<Item = usize>,
        looks_at: impl FnOnce(bool) -> u64,
    ) -> Result<Scan<'a>, BridgeError> {
        let decisive: BTreeSet<_> = filter.iter().flat_map(BoundExpr::columns).collect();
        let needed = needed.into_iter().chain(decisive.iter().copied()).collect();
        let (rows, is_open) = match &set.rows {
            RowSource::List(batch) => (PlannedRows::List(batch), false),
            RowSource::Cells(source) => {
                let columns = &set.columns;
                let wanted = Wanted { source, columns, needed: &needed, filter: filter.as_ref() };
                let scope = AxisScope { source, columns };
                let is_open = filter.as_ref().is_some_and(|filter| !mixed_terms(filter, &scope).is_empty());
                (PlannedRows::Cells(plan(&wanted, self.limits.cell_limit)?), is_open)
            }
        };
        let scan = Scan { set, filter, first: None, decisive, needed, is_open, rows, from: Vec::new() };
        let (bound, limit) = (scan.row_bound(), self.limits.max_rows);
        match bound.min(looks_at(is_open)) > limit {
            true => Err(BridgeError::TooManyRows { bound, limit }),
            false => Ok(scan),
        }
    }
}
