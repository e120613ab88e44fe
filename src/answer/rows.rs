//! The rows of a plan in the order of their set, as chunk after chunk comes.

use std::collections::BTreeSet;
use std::iter::Peekable;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::FuturesOrdered;

use super::Answerer;
use crate::error::BridgeError;
use crate::feed::Set;
use crate::fetch::Reading;
use crate::fetch::error::FetchError;
use crate::frame::Frame;
use crate::frame::assemble::Assembly;
use crate::frame::merge::Merge;
use crate::plan::product::ChunkWalk;
use crate::plan::{RowPlace, UpstreamPlan};
use crate::query::BoundExpr;
use crate::store::block::SharedBlock;

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
    assembly: Assembly<'a>,
    reading: Reading,
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
        set: &'a Set,
        needed: &'a BTreeSet<usize>,
        reading: Reading,
        from: &[u32],
    ) -> Self {
        let shown: Vec<usize> = plan.selection.shown().map(|(dimension, _)| dimension).collect();
        let measures = &plan.selection.measures;
        Self {
            answerer,
            plan,
            assembly: Assembly::new(&plan.source, &set.columns, needed, &shown, measures),
            reading,
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
    pub(super) async fn next(
        &mut self,
        filter: Option<&BoundExpr>,
        wanted: u64,
    ) -> Result<Option<Frame>, BridgeError> {
        loop {
            self.fetch_ahead(wanted);
            let Some(fetched) = self.coming.next().await.transpose()? else { return Ok(None) };
            self.fetched_at = self.fetched_at.into_iter().chain([fetched.block.fetched_at]).min();
            let rows = self.assembly.rows(fetched.block.as_ref(), &fetched.last)?;
            self.scanned += rows.row_count() as u64;
            self.check_scanned()?;
            self.merge.add(match filter {
                Some(filter) => rows.filter(filter)?,
                None => rows,
            });
            if let Some(until) = &fetched.until {
                self.rows_before = self.plan.rows_before(until);
            }
            if let Some(ready) = self.merge.before(fetched.until.as_deref())? {
                return Ok(Some(ready));
            }
        }
    }

    /// Starts the next chunk, and those behind it before which there cannot be as many rows as are wanted.
    fn fetch_ahead(&mut self, wanted: u64) {
        let needed_rows = self.rows_before.saturating_add(wanted);
        while self.coming.len() < self.answerer.limits.chunks_ahead.max(1)
            && let Some(chunk) = self.chunks.next_if(|chunk| {
                self.coming.is_empty() || self.plan.rows_before(&self.plan.first_place(chunk)) < needed_rows
            })
        {
            let (of, fetcher, reading) =
                (&self.plan.source.measurement, &self.answerer.fetcher, self.reading);
            let until = self.chunks.peek().map(|next| self.plan.first_place(next));
            let last = self.plan.last_place(&chunk);
            let fetching = async move {
                let block = fetcher.chunk(of, &chunk, reading).await?;
                Ok(Fetched { block, last, until })
            };
            self.coming.push_back(fetching.boxed());
        }
    }

    fn check_scanned(&self) -> Result<(), BridgeError> {
        let limit = self.answerer.limits.max_rows;
        match self.scanned > limit {
            true => Err(BridgeError::TooManyRows { bound: self.plan.row_bound(), limit }),
            false => Ok(()),
        }
    }
}
