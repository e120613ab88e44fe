//! Brings cells from the upstream: asks for them, in halves where that is too much, and puts them in store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU32};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, FutureExt};

use super::{Inner, RevisionState};
use crate::catalogue::figures::alike_batches;
use crate::catalogue::id::PeriodId;
use crate::catalogue::measurement::Measurement;
use crate::fetch::error::FetchError;
use crate::fetch::form::Piece;
use crate::fetch::order::in_order;
use crate::observe::request;
use crate::plan::chunk::Chunk;
use crate::store::StoredFigures;
use crate::store::block::{CellBlock, Revision};
use crate::store::change::Changes;
use crate::store::key::CellKey;
use crate::upstream::caller::Caller;

impl Inner {
    /// Asks the upstream for a chunk and keeps what comes.
    pub(super) async fn bring(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        revision: Revision,
        caller: &Caller,
    ) -> Result<Vec<StoredFigures>, FetchError> {
        self.fetch(measurement, chunk, revision, caller, &Halvings::default()).await
    }

    /// Asks the upstream for a chunk, in halves where it is too much, and keeps each answer when it comes.
    fn fetch<'a>(
        &'a self,
        measurement: &'a Arc<Measurement>,
        chunk: &'a Chunk,
        revision: Revision,
        caller: &'a Caller,
        halvings: &'a Halvings,
    ) -> BoxFuture<'a, Result<Vec<StoredFigures>, FetchError>> {
        async move {
            let mut parts = Vec::new();
            for piece in self.asker.pieces(measurement, chunk) {
                match self.ask(measurement, &piece, revision, caller).await {
                    Err(error) if error.is_too_much() && halvings.may_halve(&error) => {
                        let halves = piece.chunk.smaller(measurement);
                        if halves.is_empty() {
                            return Err(error);
                        }
                        for smaller in halves {
                            parts
                                .extend(self.fetch(measurement, &smaller, revision, caller, halvings).await?);
                        }
                    }
                    answer => {
                        let (key, block) = (CellKey::of(measurement, &piece.chunk), answer?);
                        halvings.succeeded();
                        parts.push(self.keep(measurement, key, block).await?);
                    }
                }
            }
            Ok(parts)
        }
        .boxed()
    }

    async fn ask(
        &self,
        measurement: &Arc<Measurement>,
        piece: &Piece,
        revision: Revision,
        caller: &Caller,
    ) -> Result<CellBlock, FetchError> {
        let cells = self.asker.ask(measurement, piece, caller).await?;
        let (measurement, fetched_at) = (Arc::clone(measurement), self.clock.now());
        aside(move || {
            let cells = in_order(&measurement, together(&cells)?)?;
            Ok(CellBlock::new(cells, revision, fetched_at, BTreeMap::new()))
        })
        .await
    }

    /// Puts a block in store. Where it differs from what was read before under the same date, it begins a revision of its own.
    async fn keep(
        &self,
        measurement: &Measurement,
        key: CellKey,
        mut block: CellBlock,
    ) -> Result<StoredFigures, FetchError> {
        let earlier = self.store.overlapping(&measurement.id, &key).await;
        let (changes, earlier) = compared(block.clone(), key.clone(), earlier).await?;
        let mut tables = self.states();
        let state = tables.entry(measurement.id.clone()).or_insert(RevisionState::of(block.revision));
        if state.revision != block.revision {
            let (table, over) = (&measurement.id, block.revision);
            tracing::debug!(%table, revision = %over, "cells are not stored: they are of a revision that is over");
            return Err(FetchError::Moved { table: measurement.id.clone() });
        }
        if changes.within_revision {
            state.revision = state.revision.next(self.common_time(block.fetched_at));
            block.revision = state.revision;
            let table = &measurement.id;
            tracing::info!(%table, revision = %block.revision, "figures changed without a new date: a revision begins");
        }
        block.updated = Arc::new(updated(&key, &block, &changes, &earlier));
        state.note(block.revision, key.clone(), None);
        let (seen_at, revision) = (block.fetched_at, block.revision);
        let stored = self.store.insert(&measurement.id, key, block);
        drop(tables);
        tracing::debug!(table = %measurement.id, %revision, fetched_at = %seen_at, "cells are stored");
        self.under_way.end_others(&measurement.id, revision);
        self.revised.note(measurement, &changes, seen_at);
        Ok(stored)
    }
}

/// How often a request is halved without a success if the upstream fails at it and names no limit. Where it names one, there is no such
/// bound.
const MOST_HALVINGS: u32 = 4;

/// How often a request was halved since a part of it was last answered.
#[derive(Debug, Default)]
struct Halvings(AtomicU32);

impl Halvings {
    fn may_halve(&self, error: &FetchError) -> bool {
        let is_limit = !matches!(error, FetchError::TooMuch(_));
        is_limit || self.0.fetch_add(1, atomic::Ordering::Relaxed) < MOST_HALVINGS
    }

    fn succeeded(&self) {
        self.0.store(0, atomic::Ordering::Relaxed);
    }
}

type Earlier = Vec<StoredFigures>;

/// Works through many cells. That takes a while, so it is not done on a thread that answers requests.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    request::spawn_blocking(work).await.unwrap_or(Err(FetchError::Interrupted))
}

/// The answers to the pieces of a chunk as one. The figures of each have the scale that they need.
fn together(pieces: &[RecordBatch]) -> Result<RecordBatch, FetchError> {
    let alike = alike_batches(&pieces.iter().collect::<Vec<_>>())?;
    let schema = alike.first().ok_or(FetchError::Interrupted)?.schema();
    Ok(concat_batches(&schema, &alike)?)
}

/// What differs from earlier blocks.
async fn compared(
    block: CellBlock,
    key: CellKey,
    earlier: Earlier,
) -> Result<(Changes, Earlier), FetchError> {
    if earlier.is_empty() {
        return Ok((Changes::default(), earlier));
    }
    aside(move || {
        let changes = Changes::between(&Arc::new(block), &key, &earlier)?;
        Ok((changes, earlier))
    })
    .await
}

/// When a figure of each period was last seen to change: with this revision, or as earlier blocks say.
fn updated(
    key: &CellKey,
    block: &CellBlock,
    changes: &Changes,
    earlier: &[StoredFigures],
) -> BTreeMap<PeriodId, DateTime<Utc>> {
    let now = block.revision.instant().unwrap_or(block.fetched_at);
    let before =
        |period: &PeriodId| earlier.iter().filter_map(|(_, block)| block.updated.get(period)).max().copied();
    let at = |period: &PeriodId| match changes.periods.contains_key(period) {
        true => now,
        false => before(period).unwrap_or(now),
    };
    key.periods.iter().map(|period| (period.clone(), at(period))).collect()
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::catalogue::figures::{FigureBuilder, figure_at};

    #[test]
    fn pieces_with_and_without_decimals_are_one_block() {
        let piece = |figure: &str| {
            let mut figures = FigureBuilder::default();
            figures.push(Some(figure.parse().unwrap())).unwrap();
            RecordBatch::try_from_iter([("m", figures.finish())]).unwrap()
        };
        for written in [["7", "2.5"], ["2.5", "7"], ["100000000000000000", "0.25"]] {
            let cells = together(&written.map(piece)).unwrap();
            let figures: Vec<Option<Decimal>> = (0..2).map(|row| figure_at(cells.column(0), row)).collect();
            assert_eq!(figures, written.map(|figure| figure.parse().ok()));
        }
        assert!(matches!(together(&[]), Err(FetchError::Interrupted)));
    }
}
