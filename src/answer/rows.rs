//! Reads the rows of a plan chunk by chunk, in the order of the set.

use std::collections::BTreeSet;
use std::iter::Peekable;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesOrdered;

use super::Answerer;
use super::scan::Scan;
use super::stages::{Stage, Stages};
use crate::answer::error::BridgeError;
use crate::feed::column::Column;
use crate::fetch::RevisionMode;
use crate::fetch::error::FetchError;
use crate::frame::Frame;
use crate::frame::assemble::Assembly;
use crate::frame::error::FrameError;
use crate::frame::merge::Merge;
use crate::plan::product::ChunkWalk;
use crate::plan::{RowPlace, UpstreamPlan};
use crate::query::BoundExpr;
use crate::query::axis_filter::{AxisScope, mixed_terms};
use crate::store::block::{CellBlock, SharedBlock};

/// The most terms that are evaluated for one answer, all rows together, so that one request cannot occupy a core for minutes.
pub(super) const WORK_LIMIT: u64 = 1_000_000_000;

/// A block that was fetched.
struct Fetched {
    block: SharedBlock,
    /// The last requested position of each axis.
    last: RowPlace,
    /// The position of the next block's first row: before it, this block and the earlier ones have all rows. `None` for the last block.
    until: Option<RowPlace>,
}

/// Reads the rows of a scan. Chunks that are certainly needed are fetched in advance, others when their rows are needed.
pub(super) struct RowReader<'a> {
    answerer: &'a Answerer,
    stages: &'a Stages,
    scan: &'a Scan<'a>,
    plan: &'a UpstreamPlan,
    assembly: Assembly<'a>,
    mode: RevisionMode,
    chunks: Peekable<ChunkWalk<'a>>,
    coming: FuturesOrdered<BoxFuture<'a, Result<Fetched, FetchError>>>,
    merge: Merge,
    /// Rows that are complete only when later chunks have come.
    rows_before: u64,
    scanned: u64,
    /// Cells of the chunks that have not been started.
    remaining_cells: u64,
    fetched_at: Option<DateTime<Utc>>,
}

impl<'a> RowReader<'a> {
    pub(super) fn new(
        answerer: &'a Answerer,
        stages: &'a Stages,
        scan: &'a Scan<'a>,
        plan: &'a UpstreamPlan,
        mode: RevisionMode,
    ) -> Self {
        Self {
            answerer,
            stages,
            scan,
            plan,
            assembly: assembly(plan, &scan.set.columns, &scan.needed),
            mode,
            chunks: plan.chunks_from(&scan.from).peekable(),
            coming: FuturesOrdered::new(),
            merge: Merge::default(),
            rows_before: plan.rows_before(&scan.from),
            scanned: 0,
            remaining_cells: plan.chunks.cells(),
            fetched_at: None,
        }
    }

    /// When the oldest of the cells was fetched.
    pub(super) fn fetched_at(&self) -> Option<DateTime<Utc>> {
        self.fetched_at
    }

    /// The next rows that match, in order; `None` at the end. `wanted` is how many more rows are certainly needed.
    pub(super) async fn next(&mut self, wanted: u64) -> Result<Option<Frame>, BridgeError> {
        while let Some(fetched) = self.fetched(wanted).await? {
            let stages = self.stages;
            if let Some(ready) = stages.time(Stage::Assemble, || self.assembled(&fetched))? {
                return Ok(Some(ready));
            }
        }
        Ok(None)
    }

    /// The matching rows of a block, merged with those that waited for it.
    fn assembled(&mut self, fetched: &Fetched) -> Result<Option<Frame>, FrameError> {
        let rows = self.assembly.rows(fetched.block.as_ref(), &fetched.last)?;
        self.merge.add(self.scan.filter.iter().try_fold(rows, Frame::filter)?);
        self.merge.before(fetched.until.as_deref())
    }

    /// How many of the remaining rows match. Rows are assembled only if a condition has to be evaluated on them.
    pub(super) async fn count(&mut self) -> Result<u64, BridgeError> {
        let (stages, scan) = (self.stages, self.scan);
        let looked_at: BTreeSet<usize> = scan.filter.iter().flat_map(BoundExpr::columns).collect();
        let assembly = assembly(self.plan, &scan.set.columns, &looked_at);
        let scope = AxisScope { measurement: &self.plan.source.measurement, columns: &scan.set.columns };
        let remaining = scan.filter.as_ref().filter(|filter| !is_decided_by_the_request(filter, &scope));
        let mut count = self.merge.row_count() as u64;
        while let Some(fetched) = self.fetched(u64::MAX).await? {
            let unknown = || scan.filter.as_ref().filter(|_| fetched.block.holds_unknown());
            count += stages.time(Stage::Assemble, || match remaining.or_else(unknown) {
                Some(filter) => assembly.rows(fetched.block.as_ref(), &fetched.last)?.count(filter),
                None => Ok(self.rows_of(&fetched.block)),
            })?;
        }
        Ok(count)
    }

    /// The next block; `None` at the end.
    async fn fetched(&mut self, wanted: u64) -> Result<Option<Fetched>, BridgeError> {
        // Blocks from the store are available at once, so this task yields to others after each.
        tokio::task::yield_now().await;
        self.fetch_ahead(wanted);
        let fetched = self.stages.wait(Stage::Fetch, self.coming.next()).await.transpose()?;
        let Some(fetched) = fetched else { return Ok(None) };
        self.fetched_at = self.fetched_at.into_iter().chain([fetched.block.fetched_at]).min();
        if let Some(until) = &fetched.until {
            self.rows_before = self.plan.rows_before(until);
        }
        self.scanned += self.rows_of(&fetched.block);
        let limit = self.answerer.limits.max_rows;
        if self.scanned > limit {
            return Err(BridgeError::TooManyRows { bound: self.plan.row_bound(), limit });
        }
        check_work(self.scanned, &self.scan.filter)?;
        Ok(Some(fetched))
    }

    fn rows_of(&self, block: &CellBlock) -> u64 {
        (block.row_count() as u64).saturating_mul(self.plan.rows_per_place())
    }

    /// Starts fetching the next chunk, and later ones that are certainly needed for the wanted rows.
    fn fetch_ahead(&mut self, wanted: u64) {
        let needed_rows = self.rows_before.saturating_add(wanted);
        while self.coming.len() < self.answerer.limits.chunks_ahead.max(1)
            && let Some(chunk) = self.chunks.next_if(|chunk| {
                self.coming.is_empty() || self.plan.rows_before(&self.plan.first_place(chunk)) < needed_rows
            })
        {
            let (measurement, mode) = (&self.plan.source.measurement, self.mode);
            let fetcher = self.answerer.fetcher.for_cells(self.remaining_cells);
            self.remaining_cells = self.remaining_cells.saturating_sub(chunk.cell_bound(measurement));
            self.answerer.uses.note(fetcher.requester(), measurement, &chunk);
            let until = self.chunks.peek().map(|next| self.plan.first_place(next));
            let last = self.plan.last_place(&chunk);
            let fetching = async move {
                let block = fetcher.chunk(measurement, &chunk, mode).await?;
                Ok(Fetched { block, last, until })
            };
            self.coming.push_back(fetching.boxed());
        }
    }
}

/// Whether every requested row meets the condition, and evaluating it cannot fail.
fn is_decided_by_the_request(filter: &BoundExpr, scope: &AxisScope<'_>) -> bool {
    !filter.can_fail() && mixed_terms(filter, scope).is_empty()
}

fn assembly<'a>(plan: &'a UpstreamPlan, columns: &'a [Column], needed: &'a BTreeSet<usize>) -> Assembly<'a> {
    let shown: Vec<usize> = plan.selection.shown().map(|(dimension, _)| dimension).collect();
    Assembly::new(&plan.source, columns, needed, &shown, &plan.selection.measures)
}

/// Refuses expressions with too many terms for so many rows.
pub(super) fn check_work<'e>(
    rows: u64,
    expressions: impl IntoIterator<Item = &'e BoundExpr>,
) -> Result<(), BridgeError> {
    let terms: u64 = expressions.into_iter().map(BoundExpr::cost).sum();
    match rows.saturating_mul(terms) > WORK_LIMIT {
        true => Err(BridgeError::TooMuchWork { rows, terms }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odata::value::Value;
    use crate::query::BoundExprKind;

    #[test]
    fn long_conditions_over_many_rows_are_refused() {
        let term = || BoundExpr::boolean(BoundExprKind::Literal(Value::Boolean(true)));
        let of = |terms: usize| BoundExpr::boolean(BoundExprKind::And(vec![term(); terms]));
        let listed = |operand| {
            let values = (0..999).map(Value::Integer).collect();
            BoundExpr::boolean(BoundExprKind::In(Box::new(operand), values))
        };
        let column = BoundExpr::boolean(BoundExprKind::Column(0));
        assert_eq!((of(999).cost(), listed(term()).cost(), listed(column).cost()), (1_000, 1_000, 2));
        assert!(check_work(1_000_000, [&of(999)]).is_ok());
        let refused = check_work(1_000_001, [&of(999)]);
        assert!(matches!(refused, Err(BridgeError::TooMuchWork { rows: 1_000_001, terms: 1_000 })));
        assert!(check_work(500_001, [&of(999), &of(999)]).is_err());
        assert!(check_work(u64::MAX, []).is_ok());
    }
}
