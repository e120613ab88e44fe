//! Gets the cells of a plan chunk by chunk: from the store if they are fresh there, otherwise from the upstream.
//!
//! Callers that need the same cells at the same time share one request. It runs in a task of its own, which goes on when one of them
//! leaves and ends when all have left. What is too much for the upstream in one request is asked for in halves. An answer that does
//! not fit its request is not stored.
//!
//! All cells of an answer belong to one revision of the table ([`Fetcher::in_one_revision`]). A table may be updated while its cells
//! are fetched, so new cells are unconfirmed at first. They are confirmed when the list of tables, read after them, has the table's
//! date unchanged; if the date has changed, they are removed.

pub mod adopt;
pub mod ask;
mod asked;
mod block_columns;
mod bring;
pub mod error;
mod form;
mod headings;
pub mod join;
mod join_error;
pub mod keys;
mod labels;
pub mod learnt;
mod order;
pub mod others;
pub mod request;
mod under_way;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Debug;
use std::iter::repeat_with;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::{BoxFuture, join_all, try_join_all};
use tokio::sync::Mutex as AsyncMutex;

use crate::budget::upstream::Requester;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::clock::Clock;
use crate::fetch::adopt::Announced;
use crate::fetch::ask::Asker;
use crate::fetch::asked::AskedFigures;
use crate::fetch::error::FetchError;
use crate::fetch::keys::ChunkKeys;
use crate::fetch::others::{Claim, Others, Position};
use crate::fetch::under_way::{Awaited, UnderWay};
use crate::observe::request::inherited;
use crate::observe::store_observer::StoreObserver;
use crate::plan::chunk::{Chunk, ChunkError};
use crate::plan::figure_box::{self, FigureBox};
use crate::plan::missing::{self, Leeway, Requests};
use crate::store::block::{PERIOD_COLUMN, Revision, SharedBlock};
use crate::store::key::CellKey;
use crate::store::revisions::RevisionLog;
use crate::store::window::{Window, WindowAxis};
use crate::store::{CellStore, StoredFigures};
use crate::upstream::caller::Caller;

/// What is known about updates of tables.
#[async_trait]
pub trait Updates: Send + Sync + Debug {
    /// Reads the list of tables again if that was last done a while ago, unless it takes long.
    async fn keep_fresh(&self);

    /// The day on which the table was last updated, as the list of tables says that was read last.
    fn update_latest(&self, table: &MeasurementId) -> Option<NaiveDate>;

    /// Reads the list of tables again now. False if it cannot be read.
    async fn look_up(&self) -> bool;

    /// Has the table's metadata read again in the background, because an answer had a label that is not in it.
    fn outdated(&self, table: &MeasurementId);

    /// Whether the table has changed since `known` was read. Its metadata is read again now, unless that was done meanwhile.
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

/// How often an answer is read at most when its table is updated meanwhile.
const ATTEMPTS: usize = 2;

/// How often the missing figures of a chunk are requested at most: a request of another caller that was waited for may bring less
/// than was planned.
const ROUNDS: usize = 4;

/// The longest that it is waited for another bridge's reading of the list of tables.
const LIST_WAIT: Duration = Duration::from_secs(5);

/// What a caller wants of the requests for missing cells.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// Only cells that are fresh at this moment count as stored; those that others have fetched since are.
    until: DateTime<Utc>,
    leeway: Leeway,
}

/// Which figures of a chunk would come from the store, and which requests would bring the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    pub figures: u64,
    /// How many of them are in store.
    pub stored: u64,
    /// The requests that would bring the others.
    pub requests: Vec<Chunk>,
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
    /// The revision state of each table. Locked while a block is stored, so that no block is stored under a superseded revision.
    states: Mutex<HashMap<MeasurementId, RevisionState>>,
    revised: RevisionLog,
    /// Requests that somebody waits for.
    under_way: UnderWay,
    /// For each table the lock that is held while its requests are planned, so that two callers do not both request the same
    /// figures.
    planning: Mutex<HashMap<MeasurementId, Arc<AsyncMutex<()>>>>,
    asked: AskedFigures,
    /// The other bridges, if there are any.
    others: Option<Arc<dyn Others>>,
}

/// A block that is not confirmed yet: the list of tables was not read since it was fetched.
#[derive(Debug)]
struct Unconfirmed {
    /// Grows with each block.
    number: u64,
    revision: Revision,
    key: CellKey,
    /// Where the other bridges were told of it.
    told_at: Option<Position>,
}

/// How the missing figures of a chunk come.
struct Coming {
    /// Requests of this bridge.
    awaited: Vec<Awaited>,
    /// The ends of requests of other bridges.
    others: Vec<BoxFuture<'static, ()>>,
}

/// The state of a table's revision.
#[derive(Debug)]
struct RevisionState {
    revision: Revision,
    /// How many blocks were put in store.
    stored_count: u64,
    unconfirmed: Vec<Unconfirmed>,
}

impl RevisionState {
    fn of(revision: Revision) -> Self {
        Self { revision, stored_count: 0, unconfirmed: Vec::new() }
    }

    /// Notes that a block is put in store.
    fn note(&mut self, revision: Revision, key: CellKey, told_at: Option<Position>) {
        self.stored_count += 1;
        self.unconfirmed.push(Unconfirmed { number: self.stored_count, revision, key, told_at });
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
        others: Option<Arc<dyn Others>>,
    ) -> Self {
        let inner = Inner {
            asker,
            store,
            updates,
            observer,
            clock,
            states: Mutex::default(),
            revised,
            under_way: UnderWay::default(),
            planning: Mutex::default(),
            asked: AskedFigures::default(),
            others,
        };
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

    /// The current revision of the table. Blocks that were fetched under an earlier date and never confirmed are removed: they may
    /// already have figures of the update.
    pub async fn current_revision(&self, table: &MeasurementId) -> Revision {
        self.inner.updates.keep_fresh().await;
        let stored = self.inner.store.revisions(table).await;
        let mut tables = self.inner.states();
        // Only now: a day of an earlier list, noted before another request read a newer one, would set the table back.
        let update_latest = self.inner.updates.update_latest(table);
        let stored = stored.into_iter().filter(|revision| revision.update_latest == update_latest).max();
        let begun = stored.unwrap_or(Revision::of(update_latest));
        let state = tables.entry(table.clone()).or_insert(RevisionState::of(begun));
        if state.revision.update_latest != update_latest {
            state.revision = begun;
        }
        let outdated = |block: &mut Unconfirmed| block.revision.update_latest != update_latest;
        for block in state.unconfirmed.extract_if(.., outdated) {
            self.inner.store.forget(table, block.revision, &block.key);
        }
        let revision = state.revision;
        drop(tables);
        self.inner.under_way.end_others(table, revision);
        revision
    }

    /// Looks the list of tables up, if cells of the table were fetched since that was last done.
    async fn confirm(&self, table: &MeasurementId) {
        if let Some(others) = &self.inner.others
            && self.inner.unconfirmed(table).is_some()
        {
            let _ = tokio::time::timeout(LIST_WAIT, others.list_read()).await;
        }
        let Some(until) = self.inner.unconfirmed(table) else { return };
        if !self.inner.updates.look_up().await {
            return;
        }
        self.current_revision(table).await;
        if let Some(state) = self.inner.states().get_mut(table) {
            state.unconfirmed.retain(|block| block.number > until);
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

    /// Whether figures of the table came under a label that its metadata did not list.
    #[must_use]
    pub fn has_unknown_label(&self, table: &MeasurementId, label: &str) -> bool {
        self.inner.asker.has_unknown_label(table, label)
    }

    /// Counts an answer that stored cells gave because the upstream could not.
    pub fn stored_served(&self) {
        self.inner.observer.stale_served();
    }

    /// The mode to read in: for the current revision, or for the one that a download began with.
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

    /// Modes that read stored cells only, one for each stored revision, the newest first.
    pub async fn stored_revisions(&self, table: &MeasurementId) -> Vec<RevisionMode> {
        self.inner.store.revisions(table).await.into_iter().map(RevisionMode::Stored).collect()
    }

    /// Whether the upstream has room for a call that nobody waits for.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.inner.asker.has_room()
    }

    /// Fetches the cells of a chunk that are not stored or will not be fresh at that moment, before a client asks for them. Clients
    /// that ask meanwhile share the requests.
    ///
    /// # Errors
    /// When the upstream fails, or the table is updated while it is read.
    pub async fn fetch_ahead(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        until: DateTime<Utc>,
    ) -> Result<(), FetchError> {
        let read = |mode: RevisionMode| async move {
            let key = CellKey::of(measurement, chunk);
            let found = self.inner.store.find(&measurement.id, mode.revision(), &key, Some(until)).await;
            match found.is_complete {
                true => Ok(()),
                false => {
                    let leeway = Leeway { more_periods: false, again: 0, ..self.inner.asked.leeway() };
                    let wait = Wait { until, leeway };
                    self.missing(measurement, chunk, &key, mode.revision(), found.blocks, wait)
                        .await
                        .map(drop)
                }
            }
        };
        self.in_one_revision(&measurement.id, None, read).await
    }

    /// Whether all cells of a chunk are stored and will be fresh at that moment. No block is read to find out, and none counts as used.
    pub async fn is_ready(&self, measurement: &Measurement, chunk: &Chunk, until: DateTime<Utc>) -> bool {
        let revision = self.current_revision(&measurement.id).await;
        let key = CellKey::of(measurement, chunk);
        let held = self.inner.held(measurement, &key, revision, Some(until)).await;
        figure_box::missing(&missing::figures_of(measurement, chunk), &held).is_empty()
    }

    /// What of a chunk would come from store, and what would be asked for.
    ///
    /// # Errors
    /// When the cell limit is below a single row.
    pub async fn outlook(
        &self,
        measurement: &Measurement,
        chunk: &Chunk,
        mode: RevisionMode,
    ) -> Result<Outlook, ChunkError> {
        let wanted = missing::figures_of(measurement, chunk);
        let around = around(measurement, chunk);
        let held = self.inner.held(measurement, &around, mode.revision(), self.fresh_at(mode)).await;
        let missing: u64 = figure_box::missing(&wanted, &held).iter().map(FigureBox::count).sum();
        let (limits, leeway) = (self.inner.asker.limits(), self.inner.asked.leeway());
        let requests = missing::requests(measurement, &wanted, &held, &limits, leeway)?;
        Ok(Outlook { figures: wanted.count(), stored: wanted.count() - missing, requests: requests.chunks })
    }

    /// The moment at which stored cells must be fresh; `None` if none can be fetched, so that any will do.
    fn fresh_at(&self, mode: RevisionMode) -> Option<DateTime<Utc>> {
        matches!(mode, RevisionMode::Current(_)).then(|| self.inner.clock.now())
    }

    /// Makes the keys of a table's chunks.
    #[must_use]
    pub fn keys<'a>(&self, measurement: &'a Measurement) -> ChunkKeys<'a> {
        ChunkKeys::new(self.clone(), measurement)
    }

    /// The cells of a chunk, which are those of the key, in the mode's revision, each in one of the blocks: stored ones, and missing ones
    /// from the upstream.
    ///
    /// # Errors
    /// When they are available neither from the store nor from the upstream, or the table was updated.
    pub async fn chunk(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        key: &CellKey,
        mode: RevisionMode,
    ) -> Result<Vec<SharedBlock>, FetchError> {
        let (revision, fresh_at) = (mode.revision(), self.fresh_at(mode));
        let found = self.inner.store.find(&measurement.id, revision, key, fresh_at).await;
        self.inner.observer.store_request(found.is_complete);
        let blocks = match fresh_at {
            _ if found.is_complete => found.blocks,
            None => return Err(FetchError::Gone { table: measurement.id.clone() }),
            Some(until) => {
                let wait = Wait { until, leeway: self.inner.asked.leeway() };
                self.missing(measurement, chunk, key, revision, found.blocks, wait).await?
            }
        };
        Ok(window(measurement, chunk, key).blocks(&blocks)?)
    }

    /// Blocks that together have all cells of a chunk: the given ones, and others from the upstream for what they lack. Where another
    /// caller's request will bring a missing cell, that request is waited for.
    async fn missing(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        key: &CellKey,
        revision: Revision,
        mut blocks: Vec<StoredFigures>,
        wait: Wait,
    ) -> Result<Vec<StoredFigures>, FetchError> {
        let wanted = missing::figures_of(measurement, chunk);
        for _ in 0..ROUNDS {
            let coming = self.ask_missing(measurement, chunk, revision, &blocks, wait).await?;
            let results = coming.awaited.into_iter().map(|awaited| awaited.result(self.requester));
            blocks.extend(try_join_all(results).await?.into_iter().flatten());
            join_all(coming.others).await;
            // Others may have brought the rest since the store was looked into.
            let fresh_at = Some(self.inner.now_or_later(wait.until));
            let found = self.inner.store.find(&measurement.id, revision, key, fresh_at).await;
            blocks.extend(found.blocks);
            blocks.sort_by_key(|(_, block)| Reverse(block.fetched_at));
            let figures = blocks.iter().map(|(key, _)| key.figures(measurement));
            let (used, left) = figure_box::first_holding(&wanted, figures);
            if left.is_empty() {
                return Ok(used.into_iter().map(|at| blocks[at].clone()).collect());
            }
        }
        Err(FetchError::Interrupted)
    }

    /// Starts the requests for the figures of a chunk that are neither stored nor on their way, and returns everything that has to
    /// be waited for. Other bridges are asked only where a request is to be made.
    async fn ask_missing(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        revision: Revision,
        blocks: &[StoredFigures],
        wait: Wait,
    ) -> Result<Coming, FetchError> {
        let _one_plan_at_a_time = self.inner.planning(&measurement.id).lock_owned().await;
        let (awaited, requests) = self.planned(measurement, chunk, revision, blocks, wait, &[]).await?;
        let (Some(others), false) = (&self.inner.others, requests.chunks.is_empty()) else {
            return Ok(self.started(measurement, revision, awaited, requests, Vec::new(), Vec::new()));
        };
        while let Some(turn) = others.turn(&measurement.id).await {
            if self.inner.states().get(&measurement.id).is_some_and(|state| state.revision != revision) {
                return Err(FetchError::Moved { table: measurement.id.clone() });
            }
            let claims = turn.claims().iter().filter(|claim| claim.revision == revision.to_string());
            let claims: Vec<&Claim> = claims.collect();
            let (awaited, requests) =
                self.planned(measurement, chunk, revision, blocks, wait, &claims).await?;
            let wanted = missing::figures_of(measurement, chunk);
            let met = claims.iter().filter(|claim| wanted.meets(&claim.key.figures(measurement)));
            let ends = met.map(|claim| turn.end_of(claim)).collect();
            let claim = |request| turn.claim(revision.to_string(), CellKey::of(measurement, request));
            let own: Vec<Claim> = requests.chunks.iter().map(claim).collect();
            // Made before anybody knows of them, so that they are taken back also where this ends here.
            let told: Vec<Announced> = own.iter().map(|claim| self.told(measurement, Some(claim))).collect();
            if turn.end(&own).await {
                return Ok(self.started(measurement, revision, awaited, requests, told, ends));
            }
        }
        let (awaited, requests) = self.planned(measurement, chunk, revision, blocks, wait, &[]).await?;
        Ok(self.started(measurement, revision, awaited, requests, Vec::new(), Vec::new()))
    }

    /// What of the requests on their way has to be waited for, and which are to be made. Requests are compared by ids, because positions
    /// change when the catalogue is read again.
    async fn planned(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        revision: Revision,
        blocks: &[StoredFigures],
        Wait { until, leeway }: Wait,
        claims: &[&Claim],
    ) -> Result<(Vec<Awaited>, Requests), FetchError> {
        let wanted = missing::figures_of(measurement, chunk);
        // Listed before the store is looked into: a request that ends in between has put its figures there.
        let pending = self.inner.under_way.of_table(&measurement.id);
        let around = around(measurement, chunk);
        let fresh_at = Some(self.inner.now_or_later(until));
        let mut held = self.inner.held(measurement, &around, revision, fresh_at).await;
        held.extend(blocks.iter().map(|(key, _)| key.figures(measurement)));
        held.extend(claims.iter().map(|claim| claim.key.figures(measurement)));
        let mut awaited = Vec::new();
        for request in pending.iter().filter(|request| request.revision == revision) {
            let brings = request.figures(measurement);
            if figure_box::missing(&wanted, &held).iter().any(|left| left.meets(&brings)) {
                let Some(joined) = self.inner.under_way.join(request) else { continue };
                awaited.push(joined);
            }
            held.push(brings);
        }
        let limits = self.inner.asker.limits();
        Ok((awaited, missing::requests(measurement, &wanted, &held, &limits, leeway)?))
    }

    fn started(
        &self,
        measurement: &Arc<Measurement>,
        revision: Revision,
        mut awaited: Vec<Awaited>,
        requests: Requests,
        told: Vec<Announced>,
        others: Vec<BoxFuture<'static, ()>>,
    ) -> Coming {
        self.inner.asked.count(&requests);
        let told = told.into_iter().chain(repeat_with(|| self.told(measurement, None)));
        let start = |(request, told)| self.start(measurement, request, revision, told);
        awaited.extend(requests.chunks.into_iter().zip(told).map(start));
        Coming { awaited, others }
    }

    /// Lets the requests of a table that are on their way run to their end, also if nobody waits for them any more.
    pub fn finish_under_way(&self, table: &MeasurementId) {
        self.inner.under_way.finish(table);
    }

    /// Tells the other bridges of a request of a table when it has ended.
    fn told(&self, measurement: &Measurement, claim: Option<&Claim>) -> Announced {
        Announced::new(&self.inner, &measurement.id, claim.map(|claim| claim.id.clone()))
    }

    /// Starts a request. The other bridges are told when it has ended, also where it is broken off.
    fn start(
        &self,
        measurement: &Arc<Measurement>,
        chunk: Chunk,
        revision: Revision,
        told: Announced,
    ) -> Awaited {
        let cells = self.remaining_cells.unwrap_or(chunk.cell_bound(measurement));
        let caller = Caller::new(self.requester, cells);
        let (inner, of_task) = (Arc::clone(&self.inner), Arc::clone(measurement));
        let (asked, calling) = (chunk.clone(), caller.clone());
        let bring = inherited(async move {
            let brought = inner.bring(&of_task, &asked, revision, &calling).await;
            told.now().await;
            brought
        });
        self.inner.under_way.start(measurement, &chunk, revision, caller, bring)
    }
}

impl Inner {
    /// The later of now and a moment: cells that were read after that moment are as fresh as any.
    fn now_or_later(&self, moment: DateTime<Utc>) -> DateTime<Utc> {
        moment.max(self.clock.now())
    }

    fn planning(&self, table: &MeasurementId) -> Arc<AsyncMutex<()>> {
        let mut tables = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(table.clone()).or_default())
    }

    /// The stored blocks of a revision that share figures with the key.
    async fn held(
        &self,
        measurement: &Measurement,
        key: &CellKey,
        revision: Revision,
        fresh_at: Option<DateTime<Utc>>,
    ) -> Vec<FigureBox> {
        let keys = self.store.keys(&measurement.id, revision, key, fresh_at).await;
        keys.iter().map(|key| key.figures(measurement)).collect()
    }

    /// The number of the table's last block, if one is not confirmed.
    fn unconfirmed(&self, table: &MeasurementId) -> Option<u64> {
        let tables = self.states();
        tables.get(table).filter(|state| !state.unconfirmed.is_empty()).map(|state| state.stored_count)
    }

    fn states(&self) -> MutexGuard<'_, HashMap<MeasurementId, RevisionState>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All cells that a request for a chunk may bring: more periods of its type, all members of the dimensions that it names, all
/// measures.
fn around(measurement: &Measurement, chunk: &Chunk) -> CellKey {
    let of_type = measurement.periods.iter().filter(|period| period.type_id == chunk.period_type);
    let members = chunk.dimensions.iter().map(|part| {
        let dimension = &measurement.dimensions[part.dimension];
        (dimension.id.clone(), dimension.members.iter().map(|member| member.id.clone()).collect())
    });
    CellKey {
        periods: of_type.map(|period| period.id.clone()).collect(),
        members: members.collect(),
        measures: measurement.measures.iter().map(|measure| measure.id.clone()).collect(),
    }
}

/// A chunk's rows in their order, as the store puts them together.
fn window<'a>(measurement: &'a Measurement, chunk: &'a Chunk, key: &'a CellKey) -> Window<'a> {
    let periods = chunk.periods.iter().map(|&at| measurement.periods[at].id.as_str());
    let dimensions = chunk.dimensions.iter().map(|part| {
        let dimension = &measurement.dimensions[part.dimension];
        let ids = part.members.iter().map(|&at| dimension.members[at].id.as_str());
        WindowAxis { name: dimension.id.as_str(), ids: ids.collect() }
    });
    let period = WindowAxis { name: PERIOD_COLUMN, ids: periods.collect() };
    Window {
        key,
        axes: [period].into_iter().chain(dimensions).collect(),
        measures: chunk.measures.iter().map(|&at| measurement.measures[at].id.as_str()).collect(),
    }
}
