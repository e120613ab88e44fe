//! Reads the rows of a plan chunk by chunk, in the order of the set.

use std::borrow::Cow;
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
use crate::feed::CellForm;
use crate::feed::column::Column;
use crate::fetch::RevisionMode;
use crate::fetch::error::FetchError;
use crate::fetch::keys::ChunkKeys;
use crate::frame::Frame;
use crate::frame::assemble::Assembly;
use crate::frame::error::FrameError;
use crate::frame::merge::Merge;
use crate::plan::product::ChunkWalk;
use crate::plan::{RowPlace, UpstreamPlan};
use crate::query::{BoundExpr, OrderKey};
use crate::store::block::{CellBlock, SharedBlock};

/// The most terms that are evaluated for one answer, all rows together, so that one request cannot occupy a core for minutes.
pub(super) const WORK_LIMIT: u64 = 1_000_000_000;

/// A chunk that was fetched.
struct Fetched {
    blocks: Vec<SharedBlock>,
    /// The last requested position of each axis.
    last: RowPlace,
    /// The position of the next chunk's first row: before it, this chunk and the earlier ones have all rows. `None` for the last chunk.
    until: Option<RowPlace>,
}

/// Reads the rows of a scan. Chunks that are certainly needed are fetched in advance, others when their rows are needed.
pub(super) struct RowReader<'a> {
    answerer: &'a Answerer,
    stages: &'a Stages,
    scan: &'a Scan<'a>,
    plan: &'a UpstreamPlan,
    /// Makes the rows that are wanted.
    assembly: Option<Assembly<'a>>,
    /// Rows that meet the condition and are not among the first of the order.
    left_out: u64,
    mode: RevisionMode,
    chunks: Peekable<ChunkWalk<'a>>,
    keys: ChunkKeys<'a>,
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
            assembly: None,
            left_out: 0,
            mode,
            chunks: plan.chunks_from(&scan.from).peekable(),
            keys: answerer.fetcher.keys(&plan.source.measurement),
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

    /// How many rows meet the condition that were left out, because they are not among the first of the order.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The wanted rows of a chunk, merged with those that waited for it.
    fn assembled(&mut self, Fetched { blocks, last, until }: &Fetched) -> Result<Option<Frame>, FrameError> {
        let (plan, scan) = (self.plan, self.scan);
        for block in blocks {
            let chosen = self.chosen(block, last)?;
            let assembly = || assembly(plan, &scan.set.columns, &scan.needed);
            let assembly = self.assembly.get_or_insert_with(assembly);
            self.merge.add(match chosen {
                Some(chosen) => assembly.rows(chosen.as_ref(), last)?,
                None => scan.filter.iter().try_fold(assembly.rows(block.as_ref(), last)?, Frame::filter)?,
            });
        }
        self.merge.before(until.as_deref())
    }

    /// The wanted rows alone, where they are found by few of the columns; `None` if all are assembled to find them.
    fn chosen<'b>(
        &mut self,
        block: &'b CellBlock,
        last: &[u32],
    ) -> Result<Option<Cow<'b, CellBlock>>, FrameError> {
        let (plan, scan) = (self.plan, self.scan);
        let is_few = |(keys, count): &(&[OrderKey], usize)| {
            *count < if keys.is_empty() { block.row_count() / 2 } else { block.row_count() }
        };
        let first = scan.first.filter(is_few);
        let is_choice = scan.is_open || first.is_some();
        // The number of an unknown label depends on the other rows of its block.
        let may_choose = plan.source.form == CellForm::Wide && !block.holds_unknown();
        if !is_choice || !may_choose || scan.decisive.len() == scan.needed.len() {
            return Ok(None);
        }
        let mut left_out = 0;
        let choose = |rows: Frame| {
            let mut rows = scan.filter.iter().try_fold(rows, Frame::filter)?;
            if first.is_some() && !scan.from.is_empty() {
                let begin = rows.first_at(&scan.from);
                rows = rows.slice(begin, rows.row_count() - begin);
            }
            match first.filter(|(_, count)| *count < rows.row_count()) {
                Some((keys, count)) => {
                    left_out = rows.row_count() - count;
                    if keys.is_empty() { Ok(rows.slice(0, count)) } else { rows.first(keys, count) }
                }
                None => Ok(rows),
            }
        };
        let assembly = assembly(plan, &scan.set.columns, &scan.decisive);
        let assembly = if first.is_some() { assembly } else { assembly.unsorted() };
        let rows = assembly.chosen(block, last, choose)?;
        self.left_out += left_out as u64;
        Ok(Some(match rows.len() == block.row_count() {
            true => Cow::Borrowed(block),
            false => Cow::Owned(block.with_rows(&rows)?),
        }))
    }

    /// How many of the remaining rows match. Rows are assembled only if a condition has to be evaluated on them.
    pub(super) async fn count(&mut self) -> Result<u64, BridgeError> {
        let (stages, scan) = (self.stages, self.scan);
        let assembly = assembly(self.plan, &scan.set.columns, &scan.decisive).unsorted();
        // Otherwise every requested row meets the condition, and evaluating it cannot fail.
        let remaining = scan.filter.as_ref().filter(|filter| scan.is_open || filter.can_fail());
        let mut count = self.merge.row_count() as u64;
        while let Some(fetched) = self.fetched(u64::MAX).await? {
            for block in &fetched.blocks {
                let unknown = || scan.filter.as_ref().filter(|_| block.holds_unknown());
                count += stages.time(Stage::Assemble, || match remaining.or_else(unknown) {
                    Some(filter) => assembly.rows(block.as_ref(), &fetched.last)?.count(filter),
                    None => Ok(self.rows_of(block)),
                })?;
            }
        }
        Ok(count)
    }

    /// The next chunk; `None` at the end.
    async fn fetched(&mut self, wanted: u64) -> Result<Option<Fetched>, BridgeError> {
        // Blocks from the store are available at once, so this task yields to others between two chunks.
        if self.fetched_at.is_some() {
            tokio::task::yield_now().await;
        }
        self.fetch_ahead(wanted);
        let fetched = self.stages.wait(Stage::Fetch, self.coming.next()).await.transpose()?;
        let Some(fetched) = fetched else { return Ok(None) };
        let fetched_at = fetched.blocks.iter().map(|block| block.fetched_at);
        self.fetched_at = self.fetched_at.into_iter().chain(fetched_at).min();
        if let Some(until) = &fetched.until {
            self.rows_before = self.plan.rows_before(until);
        }
        self.scanned += fetched.blocks.iter().map(|block| self.rows_of(block)).sum::<u64>();
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
            let key = self.keys.of(&chunk);
            self.answerer.uses.note(fetcher.requester(), measurement, &chunk, &key);
            let until = self.chunks.peek().map(|next| self.plan.first_place(next));
            let last = self.plan.last_place(&chunk);
            let fetching = async move {
                let blocks = fetcher.chunk(measurement, &chunk, &key, mode).await?;
                Ok(Fetched { blocks, last, until })
            };
            self.coming.push_back(fetching.boxed());
        }
    }
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
