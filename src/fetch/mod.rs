//! Runs a plan chunk by chunk: cells come from the store if they are fresh, otherwise from the upstream.
//!
//! Concurrent requests for the same cells share one fetch, which runs in a task of its own: it continues when one of the callers
//! leaves, and ends when all have left. A chunk that is too large or too slow is halved. Answers with errors are never stored.
//!
//! All cells of an answer belong to one revision. When a table's revision changes during an answer, what was read so far is discarded
//! and [`Fetcher::in_one_revision`] reads again. Fetched cells are confirmed once the list of tables was read after them, because the
//! table may have been updated while they were fetched.

pub mod ask;
mod block_columns;
pub mod error;
mod form;
mod headings;
pub mod join;
mod join_error;
mod labels;
pub mod learnt;
pub mod request;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_select::concat::concat_batches;
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::{BoxFuture, FutureExt, Shared};

use crate::budget::upstream::Requester;
use crate::catalogue::id::{MeasurementId, PeriodId};
use crate::catalogue::measurement::Measurement;
use crate::clock::Clock;
use crate::fetch::ask::Asker;
use crate::fetch::error::FetchError;
use crate::observe::store_observer::StoreObserver;
use crate::plan::chunk::Chunk;
use crate::store::CellStore;
use crate::store::block::{CellBlock, Revision, SharedBlock};
use crate::store::change::Changes;
use crate::store::freshness;
use crate::store::key::CellKey;
use crate::store::revisions::RevisionLog;
use crate::upstream::caller::Caller;

/// What is known about updates of tables.
#[async_trait]
pub trait Updates: Send + Sync + Debug {
    /// The day that the upstream says the table was last updated; looked up anew only after a while.
    async fn update_latest(&self, table: &MeasurementId) -> Option<NaiveDate>;

    /// Has it looked up now, for all tables; says whether that was to be had.
    async fn look_up(&self) -> bool;

    /// A label is not in the table's metadata, which is to be read again.
    fn outdated(&self, table: &MeasurementId);

    /// Whether the table is no longer as it was known: its metadata is read again now, unless that has been done meanwhile.
    async fn has_changed(&self, known: &Measurement) -> bool;
}

/// Where the cells of an answer come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionMode {
    /// The current revision: cells that are not in store are fetched.
    Current(Revision),
    /// A superseded revision, of which only stored cells are available.
    Stored(Revision),
}

impl RevisionMode {
    /// The revision that all cells of the answer belong to.
    #[must_use]
    pub fn revision(self) -> Revision {
        match self {
            Self::Current(revision) | Self::Stored(revision) => revision,
        }
    }
}

/// So often a download is read again that a table moves on from.
const ATTEMPTS: usize = 2;

type FetchFuture = BoxFuture<'static, Result<SharedBlock, FetchError>>;
type FetchKey = (MeasurementId, Revision, CellKey);

/// A fetch that somebody waits for.
#[derive(Debug)]
struct UnderWay {
    fetching: Shared<FetchFuture>,
    caller: Caller,
}

/// One who waits for a fetch, until this is dropped.
struct Waiter {
    inner: Arc<Inner>,
    key: FetchKey,
    caller: Caller,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut under_way = self.inner.under_way();
        if self.caller.leave() && under_way.get(&self.key).is_some_and(|fetch| fetch.caller.is(&self.caller))
        {
            under_way.remove(&self.key);
        }
    }
}

/// Fetches cells on somebody's behalf. Cheap to clone; clones share what is under way.
#[derive(Debug, Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
    requester: Requester,
    /// Cells that the request of the requester needs, if that is known.
    remaining_cells: Option<u64>,
}

#[derive(Debug)]
struct Inner {
    asker: Asker,
    store: Arc<dyn CellStore>,
    updates: Arc<dyn Updates>,
    observer: Arc<dyn StoreObserver>,
    clock: Clock,
    /// Per table what stands. Blocks are put in store while this is held, so that none lands in a revision that is over.
    states: Mutex<HashMap<MeasurementId, RevisionState>>,
    revised: RevisionLog,
    /// Fetches that somebody waits for.
    under_way: Mutex<HashMap<FetchKey, UnderWay>>,
}

/// The state of a table's revision.
#[derive(Debug)]
struct RevisionState {
    revision: Revision,
    /// How many blocks were put in store.
    stored_count: u64,
    /// Blocks that are not confirmed yet: the list of tables was not read since they were fetched.
    unconfirmed: Vec<(u64, Revision, CellKey)>,
}

impl RevisionState {
    fn of(revision: Revision) -> Self {
        Self { revision, stored_count: 0, unconfirmed: Vec::new() }
    }
}

impl Fetcher {
    /// A fetcher that asks an upstream and keeps answers in a store, on behalf of the service itself.
    #[must_use]
    pub fn new(
        asker: Asker,
        store: Arc<dyn CellStore>,
        updates: Arc<dyn Updates>,
        revised: RevisionLog,
        observer: Arc<dyn StoreObserver>,
        clock: Clock,
    ) -> Self {
        let (states, under_way) = (Mutex::default(), Mutex::default());
        let inner = Inner { asker, store, updates, revised, observer, clock, states, under_way };
        Self { inner: Arc::new(inner), requester: Requester::Service, remaining_cells: None }
    }

    /// On whose behalf it fetches.
    #[must_use]
    pub fn requester(&self) -> Requester {
        self.requester
    }

    /// The same fetcher on behalf of somebody else, whose budgets pay for what it asks the upstream.
    #[must_use]
    pub fn on_behalf_of(&self, requester: Requester) -> Self {
        Self { requester, ..self.clone() }
    }

    /// The same fetcher for a request that still needs so many cells: of one requester, the smallest request is served first.
    #[must_use]
    pub fn for_cells(&self, remaining_cells: u64) -> Self {
        Self { remaining_cells: Some(remaining_cells), ..self.clone() }
    }

    /// The revision of the table that stands now. What was fetched under an earlier date and never confirmed is let go: it may
    /// have come with the update.
    pub async fn current_revision(&self, table: &MeasurementId) -> Revision {
        let update_latest = self.inner.updates.update_latest(table).await;
        let stored = self.inner.store.revisions(table).await;
        let stored = stored.into_iter().filter(|revision| revision.update_latest == update_latest).max();
        let begun = stored.unwrap_or(Revision::of(update_latest));
        let mut tables = self.inner.states();
        let state = tables.entry(table.clone()).or_insert(RevisionState::of(begun));
        if state.revision.update_latest != update_latest {
            state.revision = begun;
        }
        let outdated =
            |(_, revision, _): &mut (u64, Revision, CellKey)| revision.update_latest != update_latest;
        for (_, revision, key) in state.unconfirmed.extract_if(.., outdated) {
            self.inner.store.forget(table, revision, &key);
        }
        state.revision
    }

    /// Looks the list of tables up, if cells of the table were fetched since that was last done.
    async fn confirm(&self, table: &MeasurementId) {
        let until = match self.inner.states().get(table) {
            Some(state) if !state.unconfirmed.is_empty() => state.stored_count,
            _ => return,
        };
        if !self.inner.updates.look_up().await {
            return;
        }
        self.current_revision(table).await;
        if let Some(state) = self.inner.states().get_mut(table) {
            state.unconfirmed.retain(|(number, ..)| *number > until);
        }
    }

    /// Reads a table's cells in one revision: the one that a download began with, or the current one. If the table is updated
    /// meanwhile, a download that has begun is read again from stored cells; otherwise the error [`FetchError::Moved`] makes the caller
    /// start again, because the table's metadata may have changed too.
    ///
    /// # Errors
    /// The errors of `read`; [`FetchError::Moved`] if the table was updated; [`FetchError::Gone`] if cells of the revision are no longer
    /// stored.
    pub async fn in_one_revision<T, E: From<FetchError>, R: Future<Output = Result<T, E>>>(
        &self,
        table: &MeasurementId,
        begun: Option<Revision>,
        read: impl Fn(RevisionMode) -> R,
    ) -> Result<T, E> {
        for _ in 0..ATTEMPTS {
            let mode = self.open(table, begun).await?;
            let outcome = read(mode).await;
            if matches!(mode, RevisionMode::Stored(_)) {
                return outcome;
            }
            self.confirm(table).await;
            if self.current_revision(table).await == mode.revision() {
                return outcome;
            }
            tracing::debug!(%table, "the table moved on while it was read");
            if begun.is_none() {
                break;
            }
        }
        Err(FetchError::Moved { table: table.clone() }.into())
    }

    /// Counts an answer that stored cells gave because the upstream could not.
    pub fn stored_served(&self) {
        self.inner.observer.stale_served();
    }

    /// Opens a reading: of the current revision, or of the one that a download began with.
    ///
    /// # Errors
    /// When cells of that revision can no longer be had.
    pub async fn open(
        &self,
        table: &MeasurementId,
        begun: Option<Revision>,
    ) -> Result<RevisionMode, FetchError> {
        let current = self.current_revision(table).await;
        match begun {
            None => Ok(RevisionMode::Current(current)),
            Some(revision) if revision == current => Ok(RevisionMode::Current(current)),
            Some(revision) if self.inner.store.revisions(table).await.contains(&revision) => {
                Ok(RevisionMode::Stored(revision))
            }
            Some(_) => Err(FetchError::Gone { table: table.clone() }),
        }
    }

    /// Readings that need no upstream, the newest first.
    pub async fn stored_revisions(&self, table: &MeasurementId) -> Vec<RevisionMode> {
        self.inner.store.revisions(table).await.into_iter().map(RevisionMode::Stored).collect()
    }

    /// Whether the upstream has room for a call that nobody waits for.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.inner.asker.has_room()
    }

    /// Fetches a chunk before anybody asks for it, unless stored cells will still be fresh at that moment. Who asks meanwhile
    /// shares the fetch.
    ///
    /// # Errors
    /// When the upstream does not give it, or the table does not come to rest.
    pub async fn fetch_ahead(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        until: DateTime<Utc>,
    ) -> Result<(), FetchError> {
        let key = CellKey::of(measurement, chunk);
        let read = |mode: RevisionMode| self.shared(measurement, chunk, mode.revision(), key.clone(), until);
        self.in_one_revision(&measurement.id, None, read).await.map(drop)
    }

    /// Whether stored cells of a chunk will still be fresh at that moment. None is read for the answer, and none counts as used.
    pub async fn is_ready(&self, measurement: &Measurement, chunk: &Chunk, until: DateTime<Utc>) -> bool {
        let revision = self.current_revision(&measurement.id).await;
        let fetched_at =
            self.inner.store.fetched_at(&measurement.id, revision, &CellKey::of(measurement, chunk)).await;
        fetched_at.is_some_and(|at| freshness::is_believed(at, until))
    }

    /// Whether a chunk would be answered from store.
    pub async fn holds(&self, measurement: &Measurement, chunk: &Chunk, mode: RevisionMode) -> bool {
        self.found(measurement, mode, &CellKey::of(measurement, chunk)).await.is_some()
    }

    async fn found(
        &self,
        measurement: &Measurement,
        mode: RevisionMode,
        key: &CellKey,
    ) -> Option<SharedBlock> {
        match mode {
            RevisionMode::Current(revision) => {
                self.inner.fresh(measurement, revision, key, self.inner.clock.now()).await
            }
            RevisionMode::Stored(revision) => self.inner.store.find(&measurement.id, revision, key).await,
        }
    }

    /// The block of a chunk, of the reading's revision.
    ///
    /// # Errors
    /// When it can be had neither from the store nor from the upstream, or the table has moved on.
    pub async fn chunk(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        mode: RevisionMode,
    ) -> Result<SharedBlock, FetchError> {
        let (key, revision) = (CellKey::of(measurement, chunk), mode.revision());
        let found = self.found(measurement, mode, &key).await;
        self.inner.observer.store_request(found.is_some());
        match (found, mode) {
            (Some(block), _) => Ok(block.restricted(&key)?),
            (None, RevisionMode::Stored(_)) => Err(FetchError::Gone { table: measurement.id.clone() }),
            (None, RevisionMode::Current(_)) => {
                self.shared(measurement, chunk, revision, key, self.inner.clock.now()).await
            }
        }
    }

    /// The fetch of these cells that is under way, or a new one. Known by ids: places in the catalogue mean something else once
    /// it is read anew.
    async fn shared(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        revision: Revision,
        key: CellKey,
        until: DateTime<Utc>,
    ) -> Result<SharedBlock, FetchError> {
        let key = (measurement.id.clone(), revision, key);
        let (fetching, _waiter) = {
            let mut under_way = self.inner.under_way();
            let joined = under_way.get(&key).filter(|fetch| fetch.caller.join());
            let (fetching, caller) = match joined {
                Some(fetch) => (fetch.fetching.clone(), fetch.caller.clone()),
                None => {
                    let fetch = self.start(measurement, chunk, key.clone(), until);
                    let started = (fetch.fetching.clone(), fetch.caller.clone());
                    under_way.insert(key.clone(), fetch);
                    started
                }
            };
            (fetching, Waiter { inner: Arc::clone(&self.inner), key, caller })
        };
        fetching.await
    }

    /// Lets the fetches of a table that are under way run to their end, also if nobody waits for them any more.
    pub fn finish_under_way(&self, table: &MeasurementId) {
        for (_, fetch) in self.inner.under_way().iter().filter(|((of, ..), _)| of == table) {
            // This one never leaves.
            let _ = fetch.caller.join();
        }
    }

    /// Starts a fetch in a task of its own, which removes itself from the list when it is done. It ends when the last of those who
    /// wait for it has left.
    fn start(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        key: (MeasurementId, Revision, CellKey),
        until: DateTime<Utc>,
    ) -> UnderWay {
        let (inner, measurement, chunk) = (Arc::clone(&self.inner), Arc::clone(measurement), chunk.clone());
        let caller =
            Caller::new(self.requester, self.remaining_cells.unwrap_or(chunk.cell_bound(&measurement)));
        let calling = caller.clone();
        let task = tokio::spawn(async move {
            // It may have come between the look into the store and this.
            let halvings = Halvings::default();
            let result = inner.fetch_once(&measurement, &chunk, key.1, until, &calling, &halvings).await;
            inner.under_way().remove(&key);
            result
        });
        caller.set_task(task.abort_handle());
        let fetching = async move { task.await.unwrap_or_else(|_| Err(FetchError::Interrupted)) };
        UnderWay { fetching: fetching.boxed().shared(), caller }
    }
}

impl Inner {
    fn under_way(&self) -> MutexGuard<'_, HashMap<FetchKey, UnderWay>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stored cells that can answer at that moment without asking the upstream.
    async fn fresh(
        &self,
        measurement: &Measurement,
        revision: Revision,
        key: &CellKey,
        until: DateTime<Utc>,
    ) -> Option<SharedBlock> {
        let block = self.store.find(&measurement.id, revision, key).await?;
        freshness::is_fresh(&block, revision, until).then_some(block)
    }

    /// Asks the upstream for a chunk, in halves where it is too much, and keeps the answer.
    fn fetch<'a>(
        &'a self,
        measurement: &'a Arc<Measurement>,
        chunk: &'a Chunk,
        revision: Revision,
        until: DateTime<Utc>,
        caller: &'a Caller,
        halvings: &'a Halvings,
    ) -> BoxFuture<'a, Result<SharedBlock, FetchError>> {
        async move {
            let block = match self.ask(measurement, chunk, revision, caller).await {
                Err(error) if error.is_too_much() && halvings.may_halve(&error) => {
                    let mut parts = Vec::new();
                    for smaller in chunk.smaller(measurement) {
                        let part = self.fetch_once(measurement, &smaller, revision, until, caller, halvings);
                        parts.push(part.await?);
                    }
                    if parts.is_empty() {
                        return Err(error);
                    }
                    CellBlock::joined(&parts)?
                }
                answer => answer?,
            };
            halvings.succeeded();
            self.keep(measurement, CellKey::of(measurement, chunk), block).await
        }
        .boxed()
    }

    /// A chunk, or half of one, that may have been fetched meanwhile.
    async fn fetch_once(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        revision: Revision,
        until: DateTime<Utc>,
        caller: &Caller,
        halvings: &Halvings,
    ) -> Result<SharedBlock, FetchError> {
        let key = CellKey::of(measurement, chunk);
        match self.fresh(measurement, revision, &key, until).await {
            Some(block) => Ok(block.restricted(&key)?),
            None => self.fetch(measurement, chunk, revision, until, caller, halvings).await,
        }
    }

    async fn ask(
        &self,
        measurement: &Measurement,
        chunk: &Chunk,
        revision: Revision,
        caller: &Caller,
    ) -> Result<CellBlock, FetchError> {
        let cells = self.asker.ask(measurement, chunk, caller).await?;
        let schema = cells.first().ok_or(FetchError::Interrupted)?.schema();
        let cells = concat_batches(&schema, &cells)?;
        Ok(CellBlock { cells, revision, fetched_at: self.clock.now(), updated: BTreeMap::new() })
    }

    /// Puts a block in store. Where it differs from what was read before under the same date, it begins a revision of its own.
    async fn keep(
        &self,
        measurement: &Measurement,
        key: CellKey,
        mut block: CellBlock,
    ) -> Result<SharedBlock, FetchError> {
        let earlier = self.store.overlapping(&measurement.id, &key).await;
        let (changes, earlier) = compared(block.clone(), key.clone(), earlier).await?;
        let mut tables = self.states();
        let state = tables.entry(measurement.id.clone()).or_insert(RevisionState::of(block.revision));
        if state.revision != block.revision {
            return Err(FetchError::Moved { table: measurement.id.clone() });
        }
        if changes.within_revision {
            state.revision = state.revision.next(block.fetched_at);
            block.revision = state.revision;
        }
        block.updated = updated(&key, &block, &changes, &earlier);
        state.stored_count += 1;
        state.unconfirmed.push((state.stored_count, block.revision, key.clone()));
        let block = self.store.insert(&measurement.id, key, block);
        drop(tables);
        self.revised.note(measurement, &changes, block.fetched_at);
        Ok(block)
    }

    fn states(&self) -> MutexGuard<'_, HashMap<MeasurementId, RevisionState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that is too much for the upstream, though not above a limit that it names, is halved so often without a success.
const MOST_HALVINGS: u32 = 4;

/// How often a question was halved since a part of it was last answered.
#[derive(Debug, Default)]
struct Halvings(AtomicU32);

impl Halvings {
    fn may_halve(&self, error: &FetchError) -> bool {
        let is_limit = !matches!(error, FetchError::TooMuch(_));
        is_limit || self.0.fetch_add(1, Ordering::Relaxed) < MOST_HALVINGS
    }

    fn succeeded(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

type Earlier = Vec<(CellKey, SharedBlock)>;

/// What differs from earlier blocks. Many cells take a while to compare: not on a thread that answers.
async fn compared(
    block: CellBlock,
    key: CellKey,
    earlier: Earlier,
) -> Result<(Changes, Earlier), FetchError> {
    if earlier.is_empty() {
        return Ok((Changes::default(), earlier));
    }
    let compare = move || {
        let changes = Changes::between(&Arc::new(block), &key, &earlier)?;
        Ok((changes, earlier))
    };
    tokio::task::spawn_blocking(compare).await.unwrap_or(Err(FetchError::Interrupted))
}

/// When a figure of each period was last seen to change: with this revision, or as earlier blocks say.
fn updated(
    key: &CellKey,
    block: &CellBlock,
    changes: &Changes,
    earlier: &[(CellKey, SharedBlock)],
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
