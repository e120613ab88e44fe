//! Runs a plan: what is in store first, then the upstream, chunk by chunk.
//!
//! The same cells asked for by many at once are fetched once, by a task of its own, so that a caller who leaves stops nothing.
//! A chunk that is too large or too slow is halved. Nothing that failed is stored.

mod cells;
pub mod error;
pub mod join;
pub mod request;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::NaiveDate;
use futures_util::future::{BoxFuture, FutureExt, Shared, try_join_all};

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::clock::Clock;
use crate::fetch::error::FetchError;
use crate::observe::store::StoreObserver;
use crate::plan::chunk::{Band, Chunk};
use crate::store::CellStore;
use crate::store::block::{CellBlock, Revision, SharedBlock};
use crate::store::freshness;
use crate::store::key::CellKey;
use crate::upstream::client::Upstream;

/// What is known about updates of tables.
#[async_trait]
pub trait Updates: Send + Sync + Debug {
    /// The day that the upstream says the table was last updated; looked up anew only after a while.
    async fn update_latest(&self, table: &MeasurementId) -> Option<NaiveDate>;

    /// An answer did not fit the table's metadata, which is to be read again.
    fn outdated(&self, table: &MeasurementId);
}

/// Where the cells of an answer come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The revision that stands now: what is not in store is asked for.
    Current(Revision),
    /// A revision of which only stored cells are to be had.
    Stored(Revision),
}

impl Reading {
    /// The revision that all cells of the answer belong to.
    #[must_use]
    pub fn revision(self) -> Revision {
        match self {
            Self::Current(revision) | Self::Stored(revision) => revision,
        }
    }
}

type Fetching = Shared<BoxFuture<'static, Result<SharedBlock, FetchError>>>;

/// Fetches cells. Cheap to clone; clones share what is under way.
#[derive(Debug, Clone)]
pub struct Fetcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    upstream: Arc<dyn Upstream>,
    store: Arc<dyn CellStore>,
    updates: Arc<dyn Updates>,
    observer: Arc<dyn StoreObserver>,
    clock: Clock,
    /// Per table the latest revision that was given out.
    revisions: Mutex<HashMap<MeasurementId, Revision>>,
    under_way: Mutex<HashMap<(MeasurementId, Revision, Chunk), Fetching>>,
}

impl Fetcher {
    /// A fetcher over an upstream and a store.
    #[must_use]
    pub fn new(
        upstream: Arc<dyn Upstream>,
        store: Arc<dyn CellStore>,
        updates: Arc<dyn Updates>,
        observer: Arc<dyn StoreObserver>,
        clock: Clock,
    ) -> Self {
        let (revisions, under_way) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { upstream, store, updates, observer, clock, revisions, under_way }))
    }

    /// The revision of the table that stands now.
    pub async fn current_revision(&self, table: &MeasurementId) -> Revision {
        let update_latest = self.0.updates.update_latest(table).await;
        let mut revisions = self.0.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = revisions.entry(table.clone()).or_insert(Revision { update_latest, counter: 0 });
        if known.update_latest != update_latest {
            *known = Revision { update_latest, counter: 0 };
        }
        *known
    }

    /// Opens a reading: of the current revision, or of the one that a download began with.
    ///
    /// # Errors
    /// When cells of that revision can no longer be had.
    pub async fn open(&self, table: &MeasurementId, begun: Option<Revision>) -> Result<Reading, FetchError> {
        let current = self.current_revision(table).await;
        match begun {
            None => Ok(Reading::Current(current)),
            Some(revision) if revision == current => Ok(Reading::Current(current)),
            Some(revision) if self.0.store.revisions(table).contains(&revision) => {
                Ok(Reading::Stored(revision))
            }
            Some(_) => Err(FetchError::Gone { table: table.clone() }),
        }
    }

    /// Readings that need no upstream, the newest first.
    #[must_use]
    pub fn stored_readings(&self, table: &MeasurementId) -> Vec<Reading> {
        self.0.store.revisions(table).into_iter().map(Reading::Stored).collect()
    }

    /// The blocks of a band, in the order of its chunks.
    ///
    /// # Errors
    /// When a chunk can be had neither from the store nor from the upstream.
    pub async fn band(
        &self,
        of: &Arc<Measurement>,
        band: &Band,
        reading: Reading,
    ) -> Result<Vec<SharedBlock>, FetchError> {
        try_join_all(band.chunks.iter().map(|chunk| self.chunk(of, chunk, reading))).await
    }

    /// Whether a chunk would be answered from store.
    #[must_use]
    pub fn holds(&self, of: &Measurement, chunk: &Chunk, reading: Reading) -> bool {
        let stored = self.0.store.find(&of.id, reading.revision(), &CellKey::of(of, chunk));
        stored.is_some_and(|block| self.is_usable(&block, reading))
    }

    fn is_usable(&self, block: &SharedBlock, reading: Reading) -> bool {
        match reading {
            Reading::Current(current) => freshness::is_fresh(block, current, self.0.clock.now()),
            Reading::Stored(_) => true,
        }
    }

    async fn chunk(
        &self,
        of: &Arc<Measurement>,
        chunk: &Chunk,
        reading: Reading,
    ) -> Result<SharedBlock, FetchError> {
        let (key, revision) = (CellKey::of(of, chunk), reading.revision());
        let stored = self.0.store.find(&of.id, revision, &key);
        let usable = |block: &SharedBlock| self.is_usable(block, reading);
        self.0.observer.store_request(stored.as_ref().is_some_and(usable));
        match (stored.filter(usable), reading) {
            (Some(block), _) => Ok(block.restricted(&key)?),
            (None, Reading::Stored(_)) => Err(FetchError::Gone { table: of.id.clone() }),
            (None, Reading::Current(_)) => self.shared(of, chunk, revision).await,
        }
    }

    /// The fetch of a chunk that is under way, or a new one.
    async fn shared(
        &self,
        of: &Arc<Measurement>,
        chunk: &Chunk,
        revision: Revision,
    ) -> Result<SharedBlock, FetchError> {
        let key = (of.id.clone(), revision, chunk.clone());
        let fetching = {
            let mut under_way = self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner);
            under_way.entry(key.clone()).or_insert_with(|| self.start(of, chunk, revision, key)).clone()
        };
        fetching.await
    }

    /// Starts a fetch in a task of its own, which takes itself off the list when it is done.
    fn start(
        &self,
        of: &Arc<Measurement>,
        chunk: &Chunk,
        revision: Revision,
        key: (MeasurementId, Revision, Chunk),
    ) -> Fetching {
        let (inner, of, chunk) = (Arc::clone(&self.0), Arc::clone(of), chunk.clone());
        let task = tokio::spawn(async move {
            // It may have come between the look into the store and this.
            let result = match inner.fresh(&of, &chunk, revision) {
                Some(block) => Ok(block),
                None => inner.fetch(&of, &chunk, revision).await,
            };
            inner.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            result
        });
        async move { task.await.unwrap_or_else(|_| Err(FetchError::Interrupted)) }.boxed().shared()
    }
}

impl Inner {
    fn fresh(&self, of: &Measurement, chunk: &Chunk, revision: Revision) -> Option<SharedBlock> {
        let key = CellKey::of(of, chunk);
        let block = self.store.find(&of.id, revision, &key)?;
        let is_fresh = freshness::is_fresh(&block, revision, self.clock.now());
        if is_fresh { block.restricted(&key).ok() } else { None }
    }

    /// Asks the upstream for a chunk, in halves where it is too much, and keeps the answer.
    fn fetch<'a>(
        &'a self,
        of: &'a Arc<Measurement>,
        chunk: &'a Chunk,
        revision: Revision,
    ) -> BoxFuture<'a, Result<SharedBlock, FetchError>> {
        async move {
            let block = match self.ask(of, chunk, revision).await {
                Err(error) if error.is_too_much() => match chunk.halves() {
                    Some((first, second)) => {
                        let first = self.fetch(of, &first, revision).await?;
                        let second = self.fetch(of, &second, revision).await?;
                        CellBlock::joined(&[first, second])?
                    }
                    None => return Err(error),
                },
                answer => answer?,
            };
            Ok(self.keep(of, CellKey::of(of, chunk), block))
        }
        .boxed()
    }

    async fn ask(
        &self,
        of: &Measurement,
        chunk: &Chunk,
        revision: Revision,
    ) -> Result<CellBlock, FetchError> {
        let request = request::data_request(of, chunk).ok_or(FetchError::Interrupted)?;
        let table = self.upstream.data(&request).await?;
        let joined = join::join(of, chunk, &table).inspect_err(|error| {
            self.upstream.reject(&request, error);
            self.updates.outdated(&of.id);
        })?;
        if let Some(unknown) = joined.unknown.first() {
            tracing::warn!(table = %of.id, column = unknown.column, label = unknown.label, "label not in the table's metadata");
            self.updates.outdated(&of.id);
        }
        Ok(CellBlock {
            cells: joined.cells,
            revision,
            fetched_at: self.clock.now(),
            updated: BTreeMap::new(),
        })
    }

    /// Puts a block in store. Where it differs from what was read before under the same date, it begins a revision of its own.
    fn keep(&self, of: &Measurement, key: CellKey, mut block: CellBlock) -> SharedBlock {
        let earlier = self
            .store
            .revisions(&of.id)
            .into_iter()
            .find_map(|revision| self.store.find(&of.id, revision, &key));
        let earlier = earlier.and_then(|earlier| earlier.restricted(&key).ok());
        let changes = earlier.as_ref().map(|earlier| block.changes_since(earlier)).unwrap_or_default();
        if let Some(earlier) = &earlier
            && !changes.is_empty()
        {
            let figures: usize = changes.values().sum();
            tracing::info!(table = %of.id, figures, periods = changes.len(), "figures were revised");
            if earlier.revision == block.revision {
                block.revision = self.next_revision(&of.id, block.revision);
            }
        }
        let now =
            block.revision.instant().filter(|_| block.revision.counter == 0).unwrap_or(block.fetched_at);
        block.updated = key
            .periods
            .iter()
            .map(|period| {
                let before = earlier
                    .as_ref()
                    .filter(|_| !changes.contains_key(period))
                    .and_then(|earlier| earlier.updated.get(period));
                (period.clone(), before.copied().unwrap_or(now))
            })
            .collect();
        self.store.insert(&of.id, key, block)
    }

    fn next_revision(&self, table: &MeasurementId, revision: Revision) -> Revision {
        let mut revisions = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = revisions.entry(table.clone()).or_insert(revision);
        if *known == revision {
            known.counter += 1;
        }
        *known
    }
}
