//! The rows of a plan in the order of their set, as chunk after chunk comes.

use std::collections::BTreeSet;
use std::iter::Peekable;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesOrdered;

use super::Answerer;
use crate::answer::error::BridgeError;
use crate::feed::column::Column;
use crate::fetch::RevisionMode;
use crate::fetch::error::FetchError;
use crate::frame::Frame;
use crate::frame::assemble::Assembly;
use crate::frame::merge::Merge;
use crate::plan::product::ChunkWalk;
use crate::plan::{RowPlace, UpstreamPlan, Wanted};
use crate::query::BoundExpr;
use crate::query::axis_filter::{AxisScope, mixed_terms};
use crate::store::block::{CellBlock, SharedBlock};

/// Terms of conditions that are looked at for one answer, all rows together: more would keep others waiting for minutes.
pub(super) const WORK_LIMIT: u64 = 1_000_000_000;

/// A block that was fetched.
struct Fetched {
    block: SharedBlock,
    /// The place of the last row that was asked for.
    last: RowPlace,
    /// The place before which it and those before it hold all rows; `None` for the last.
    until: Option<RowPlace>,
}

/// Reads the rows of a plan. What is certain to be needed is fetched ahead, all else when its turn comes.
pub(super) struct RowReader<'a> {
    answerer: &'a Answerer,
    plan: &'a UpstreamPlan,
    filter: Option<&'a BoundExpr>,
    columns: &'a [Column],
    assembly: Assembly<'a>,
    mode: RevisionMode,
    chunks: Peekable<ChunkWalk<'a>>,
    coming: FuturesOrdered<BoxFuture<'a, Result<Fetched, FetchError>>>,
    merge: Merge,
    /// Rows that can stand before those that are still to come.
    rows_before: u64,
    scanned: u64,
    fetched_at: Option<DateTime<Utc>>,
}

impl<'a> RowReader<'a> {
    /// A reader of the rows from a place on; of all for no place.
    pub(super) fn new(
        answerer: &'a Answerer,
        plan: &'a UpstreamPlan,
        wanted: &Wanted<'a>,
        mode: RevisionMode,
        from: &[u32],
    ) -> Self {
        Self {
            answerer,
            plan,
            filter: wanted.filter,
            columns: wanted.columns,
            assembly: assembly(plan, wanted.columns, wanted.needed),
            mode,
            chunks: plan.chunks_from(from).peekable(),
            coming: FuturesOrdered::new(),
            merge: Merge::default(),
            rows_before: plan.rows_before(from),
            scanned: 0,
            fetched_at: None,
        }
    }

    /// When the oldest of the cells was fetched.
    pub(super) fn fetched_at(&self) -> Option<DateTime<Utc>> {
        self.fetched_at
    }

    /// The next rows that match, in order; `None` at the end. So many of them are certain to be wanted.
    pub(super) async fn next(&mut self, wanted: u64) -> Result<Option<Frame>, BridgeError> {
        while let Some(fetched) = self.fetched(wanted).await? {
            let rows = self.assembly.rows(fetched.block.as_ref(), &fetched.last)?;
            self.merge.add(match self.filter {
                Some(filter) => rows.filter(filter)?,
                None => rows,
            });
            if let Some(ready) = self.merge.before(fetched.until.as_deref())? {
                return Ok(Some(ready));
            }
        }
        Ok(None)
    }

    /// How many rows match that were not given out. They are put together only where a condition has to look at them.
    pub(super) async fn count(&mut self) -> Result<u64, BridgeError> {
        let looked_at: BTreeSet<usize> = self.filter.iter().flat_map(|filter| filter.columns()).collect();
        let assembly = assembly(self.plan, self.columns, &looked_at);
        let scope = AxisScope { measurement: &self.plan.source.measurement, columns: self.columns };
        let remaining = self.filter.filter(|filter| !is_decided_by_the_request(filter, &scope));
        let mut count = self.merge.row_count() as u64;
        while let Some(fetched) = self.fetched(u64::MAX).await? {
            let unknown = || self.filter.filter(|_| fetched.block.holds_unknown());
            count += match remaining.or_else(unknown) {
                Some(filter) => assembly.rows(fetched.block.as_ref(), &fetched.last)?.count(filter)?,
                None => self.rows_of(&fetched.block),
            };
        }
        Ok(count)
    }

    /// The next block; `None` at the end.
    async fn fetched(&mut self, wanted: u64) -> Result<Option<Fetched>, BridgeError> {
        // Blocks that are in store come at once: who else asks has a turn between them.
        tokio::task::yield_now().await;
        self.fetch_ahead(wanted);
        let Some(fetched) = self.coming.next().await.transpose()? else { return Ok(None) };
        self.fetched_at = self.fetched_at.into_iter().chain([fetched.block.fetched_at]).min();
        if let Some(until) = &fetched.until {
            self.rows_before = self.plan.rows_before(until);
        }
        self.scanned += self.rows_of(&fetched.block);
        let limit = self.answerer.limits.max_rows;
        if self.scanned > limit {
            return Err(BridgeError::TooManyRows { bound: self.plan.row_bound(), limit });
        }
        check_work(self.scanned, self.filter)?;
        Ok(Some(fetched))
    }

    fn rows_of(&self, block: &CellBlock) -> u64 {
        (block.row_count() as u64).saturating_mul(self.plan.rows_per_place())
    }

    /// Starts the next chunk, and those behind it before which there cannot be as many rows as are wanted.
    fn fetch_ahead(&mut self, wanted: u64) {
        let needed_rows = self.rows_before.saturating_add(wanted);
        while self.coming.len() < self.answerer.limits.chunks_ahead.max(1)
            && let Some(chunk) = self.chunks.next_if(|chunk| {
                self.coming.is_empty() || self.plan.rows_before(&self.plan.first_place(chunk)) < needed_rows
            })
        {
            let (measurement, fetcher, mode) =
                (&self.plan.source.measurement, &self.answerer.fetcher, self.mode);
            self.answerer.uses.note(measurement, &chunk);
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

/// Whether every row of the cells that are asked for meets a condition, and none fails on it.
fn is_decided_by_the_request(filter: &BoundExpr, scope: &AxisScope<'_>) -> bool {
    !filter.can_fail() && mixed_terms(filter, scope).is_empty()
}

fn assembly<'a>(plan: &'a UpstreamPlan, columns: &'a [Column], needed: &'a BTreeSet<usize>) -> Assembly<'a> {
    let shown: Vec<usize> = plan.selection.shown().map(|(dimension, _)| dimension).collect();
    Assembly::new(&plan.source, columns, needed, &shown, &plan.selection.measures)
}

/// Refuses expressions that are too long for so many rows.
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
    fn long_conditions_are_not_put_to_many_rows() {
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
