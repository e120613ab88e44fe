//! Keeps the catalogue current: an immutable snapshot that is replaced as a whole.
//!
//! Reads the list of tables at most every 15 minutes and after cells were fetched, and a table's metadata when it is requested or
//! in the background. Concurrent requests for the same thing share one call. A failure leaves the snapshot as it was.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::{Mutex as AsyncMutex, watch};

use crate::catalogue::Catalogue;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::clock::{Clock, is_within};
use crate::observe::request;
use crate::refresh::sync::files::{CatalogueFiles, SavedAnswer};
use crate::settings::redact::redact;
use crate::store::freshness;
use crate::upstream::TableHints;
use crate::upstream::client::Upstream;
use crate::upstream::error::{Failure, UpstreamError};
use crate::upstream::read::{self, ReadError};
use crate::upstream::retry::Urgency;
use crate::upstream::wire::{Subjects, Table, Tables};

/// After a failure the list, or the metadata of a known table, is not requested again for so long; meanwhile callers get the same failure,
/// or the metadata from before.
const FAILURE_PAUSE: Duration = Duration::from_secs(10);
/// The longest that a request waits for a known table to be read again after an update.
const RENEWAL_WAIT: Duration = Duration::from_secs(20);

/// Why a part of the catalogue could not be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CatalogueError {
    #[error("the upstream lists no table {id}")]
    UnknownTable { id: String },
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl CatalogueError {
    /// Whether the upstream answered, but with metadata that cannot be used.
    #[must_use]
    pub fn concerns_the_metadata(&self) -> bool {
        match self {
            Self::Read(_) => true,
            Self::Upstream(error) => matches!(error.failure, Failure::Decode(_)),
            Self::UnknownTable { .. } => false,
        }
    }
}

/// How far a synchronisation has come.
#[derive(Debug)]
pub struct SyncProgress<'a> {
    pub done: usize,
    pub total: usize,
    pub table: &'a MeasurementId,
}

/// Which tables a synchronisation reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncScope {
    All,
    /// Those not yet read, changed since, or read long ago.
    Due,
}

/// What a synchronisation did.
#[derive(Debug, Default)]
pub struct SyncReport {
    pub read: usize,
    pub failed: Vec<(MeasurementId, CatalogueError)>,
}

impl CatalogueError {
    /// Whether the upstream was called and failed: where no call was made, the next one need not wait.
    fn is_of_a_call(&self) -> bool {
        !self.upstream().is_some_and(|error| {
            matches!(error.failure, Failure::Closed { .. } | Failure::CircuitOpen { .. })
        })
    }

    /// The failed call behind it, if there is one.
    #[must_use]
    pub fn upstream(&self) -> Option<&UpstreamError> {
        if let Self::Upstream(error) = self { Some(error) } else { None }
    }
}

/// Reads, saves and publishes the catalogue.
#[derive(Debug)]
pub struct CatalogueKeeper {
    store: CatalogueFiles,
    upstream: Arc<dyn Upstream>,
    clock: Clock,
    hints: TableHints,
    current: watch::Sender<Arc<Catalogue>>,
    /// Locked while the list is read.
    list: AsyncMutex<()>,
    /// When it was last tried to read the list, and why that failed.
    list_failure: Mutex<Option<(DateTime<Utc>, CatalogueError)>>,
    /// How many times reading the list has begun.
    look_ups: AtomicU64,
    tables: Mutex<HashMap<MeasurementId, Arc<TableSlot>>>,
    /// Whether the last answer could be saved.
    is_saved: AtomicBool,
}

/// The state of reading one table.
#[derive(Debug, Default)]
struct TableSlot {
    /// Locked while the table is read; holds how often it has been read.
    turn: AsyncMutex<u64>,
    known: Mutex<Known>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    readings: u64,
    read_at: Option<DateTime<Utc>>,
    update_latest: Option<NaiveDate>,
    renewal_failed_at: Option<DateTime<Utc>>,
}

impl CatalogueKeeper {
    /// A keeper that starts with the answers saved in these files. Makes no call to the upstream.
    #[must_use]
    pub fn open(store: CatalogueFiles, upstream: Arc<dyn Upstream>, clock: Clock, hints: TableHints) -> Self {
        let keeper = Self {
            store,
            upstream,
            clock,
            hints,
            current: watch::Sender::new(Arc::default()),
            list: AsyncMutex::default(),
            list_failure: Mutex::default(),
            look_ups: AtomicU64::default(),
            tables: Mutex::default(),
            is_saved: AtomicBool::new(true),
        };
        let catalogue = keeper.load();
        keeper.current.send_replace(Arc::new(catalogue));
        keeper
    }

    /// The catalogue as it is now.
    #[must_use]
    pub fn current(&self) -> Arc<Catalogue> {
        Arc::clone(&self.current.borrow())
    }

    /// Why there is no list of tables, if there is none and the reason is known.
    #[must_use]
    pub fn why_empty(&self) -> Option<CatalogueError> {
        let (_, error) = self.list_failure()?;
        self.current().heads.is_empty().then_some(error)
    }

    /// Whether what was read last is saved, so that it is there after a restart.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.is_saved.load(Ordering::Relaxed)
    }

    /// A catalogue whose list of tables was read in the last 15 minutes.
    ///
    /// # Errors
    /// If the list is older and cannot be read; the catalogue stays as it was.
    pub async fn fresh_list(&self) -> Result<Arc<Catalogue>, CatalogueError> {
        let _one_at_a_time = self.list.lock().await;
        match self.current_if_fresh() {
            Some(current) => Ok(current),
            None => {
                let since = self.clock.now() - freshness::LOOK_UP_PAUSE;
                self.read_list_unless_failing(Some(since)).await.map(|()| self.current())
            }
        }
    }

    /// The catalogue, if its list of tables was read so recently that it is not read again.
    #[must_use]
    pub fn current_if_fresh(&self) -> Option<Arc<Catalogue>> {
        let (now, current) = (self.clock.now(), self.current());
        current.read_at.is_some_and(|read_at| freshness::is_looked_up(read_at, now)).then_some(current)
    }

    /// Reads the list of tables. Callers that arrive while it is being read share that answer.
    ///
    /// # Errors
    /// If the list cannot be read, or could not be a few seconds ago; the catalogue stays as it was.
    pub async fn look_up(&self) -> Result<(), CatalogueError> {
        let begun = self.look_ups.load(Ordering::Acquire);
        let _one_at_a_time = self.list.lock().await;
        if self.look_ups.load(Ordering::Acquire) > begun && self.list_failure().is_none() {
            return Ok(());
        }
        self.read_list_unless_failing(None).await
    }

    /// Reads the list of tables; one that another bridge read since then is good enough, if a time is named.
    async fn read_list_unless_failing(&self, since: Option<DateTime<Utc>>) -> Result<(), CatalogueError> {
        let now = self.clock.now();
        match self.list_failure() {
            Some((at, error)) if error.is_of_a_call() && is_within(FAILURE_PAUSE, at, now) => {
                tracing::debug!("catalogue: the list failed at {at} and is left alone");
                Err(error)
            }
            _ => self.read_list(now, since).await,
        }
    }

    fn list_failure(&self) -> Option<(DateTime<Utc>, CatalogueError)> {
        self.list_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the list of tables and the menu now.
    ///
    /// # Errors
    /// If the list cannot be read; the catalogue stays as it was.
    #[cfg(feature = "insides")]
    pub async fn refresh_list(&self) -> Result<(), CatalogueError> {
        self.refresh_list_since(None).await
    }

    /// The same, where a list that was read since then is good enough, if a time is named.
    ///
    /// # Errors
    /// As [`Self::sync`].
    pub async fn refresh_list_since(&self, since: Option<DateTime<Utc>>) -> Result<(), CatalogueError> {
        let _one_at_a_time = self.list.lock().await;
        let now = self.clock.now();
        self.read_menu(now).await;
        match since.filter(|since| self.current().read_at.is_some_and(|read_at| read_at > *since)) {
            Some(_) => Ok(()),
            None => self.read_list(now, since).await,
        }
    }

    /// A table's metadata, read again if the table was updated since it was read.
    ///
    /// # Errors
    /// If there is no such table, or it was never read and cannot be read now.
    pub async fn measurement(&self, id: &str) -> Result<Arc<Measurement>, CatalogueError> {
        let id = self.listed(id).await?;
        let known = self.current().measurements.get(&id).cloned();
        match known {
            Some(known) if !self.has_changed(&id) => Ok(known),
            Some(known) => Ok(self.renewed(&id).await.unwrap_or(known)),
            None => self.reread(&id, Urgency::Awaited).await,
        }
    }

    /// A table's metadata, if it is known and need not be read again. Waits for nobody.
    #[must_use]
    pub fn at_hand(&self, id: &MeasurementId) -> Option<Arc<Measurement>> {
        self.current().measurements.get(id).filter(|_| !self.has_changed(id)).cloned()
    }

    /// An updated table's metadata, if it can be read soon. Otherwise the earlier metadata is used, and who asks after a pause tries again.
    async fn renewed(&self, id: &MeasurementId) -> Option<Arc<Measurement>> {
        let slot = self.slot(id);
        let now = self.clock.now();
        if slot.known().renewal_failed_at.is_some_and(|at| is_within(FAILURE_PAUSE, at, now)) {
            return None;
        }
        let renewal = tokio::time::timeout(RENEWAL_WAIT, self.reread(id, Urgency::Awaited)).await;
        let problem = match renewal {
            Ok(Ok(measurement)) => return Some(measurement),
            Ok(Err(error)) if !error.is_of_a_call() => return None,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it takes too long".to_owned(),
        };
        tracing::warn!(table = %id, "catalogue: a changed table is not renewed: {problem}");
        slot.set(|known| known.renewal_failed_at = Some(now));
        None
    }

    /// Reads a table's metadata again. Callers that arrive while it is being read share that answer.
    ///
    /// # Errors
    /// If the table cannot be read; the catalogue keeps its earlier metadata.
    pub async fn reread(
        &self,
        id: &MeasurementId,
        urgency: Urgency,
    ) -> Result<Arc<Measurement>, CatalogueError> {
        let slot = self.slot(id);
        let asked_at = slot.known().readings;
        let mut turn = slot.turn.lock().await;
        let known = self.current().measurements.get(id).cloned();
        if let Some(known) = known.filter(|_| *turn > asked_at) {
            return Ok(known);
        }
        let measurement = self.read_table(id, &slot, urgency).await?;
        *turn += 1;
        slot.set(|known| known.readings = *turn);
        Ok(measurement)
    }

    /// Reads the list and then tables, `concurrency` at a time, and reports each.
    ///
    /// # Errors
    /// If the list cannot be read. Tables that cannot be read are in the report.
    pub async fn sync(
        &self,
        scope: SyncScope,
        concurrency: usize,
        mut progress: impl FnMut(SyncProgress<'_>) + Send,
    ) -> Result<SyncReport, CatalogueError> {
        self.refresh_list_since(None).await?;
        Ok(self.read_tables(scope, concurrency, &mut progress).await)
    }

    /// Reads tables, `concurrency` at a time, and reports each.
    pub async fn read_tables(
        &self,
        scope: SyncScope,
        concurrency: usize,
        progress: &mut (dyn FnMut(SyncProgress<'_>) + Send),
    ) -> SyncReport {
        let due: Vec<_> = self
            .current()
            .heads
            .keys()
            .filter(|id| scope == SyncScope::All || self.is_due(id))
            .cloned()
            .collect();
        let total = due.len();
        let mut results = stream::iter(due)
            .map(async |id| {
                // Meanwhile somebody else may have read it.
                let is_wanted = scope == SyncScope::All || self.is_due(&id);
                let result = match is_wanted {
                    true => self.reread(&id, Urgency::Background).await.map(|_| ()),
                    false => Ok(()),
                };
                (id, result)
            })
            .buffer_unordered(concurrency.max(1));
        let mut report = SyncReport::default();
        let mut done = 0;
        while let Some((id, result)) = results.next().await {
            done += 1;
            progress(SyncProgress { done, total, table: &id });
            match result {
                Ok(()) => report.read += 1,
                Err(error) => {
                    let hopeless = concerns_every_table(&error);
                    report.failed.push((id, error));
                    if hopeless {
                        break;
                    }
                }
            }
        }
        report
    }

    /// The catalogue from the saved answers. The file of a table that is no longer listed is ignored and left on disk.
    fn load(&self) -> Catalogue {
        let Some(tables) = self.store.tables() else {
            return Catalogue::default();
        };
        let Ok(heads) = read::heads(&tables.answer, &self.hints) else {
            return Catalogue::default();
        };
        let subjects = self.store.subjects().map(|kept| read::subjects(&kept.answer));
        let measurements = heads.keys().filter_map(|id| Some((id.clone(), self.load_table(id)?))).collect();
        Catalogue {
            subjects: subjects.unwrap_or_default(),
            heads,
            measurements,
            unusable: BTreeMap::new(),
            read_at: Some(tables.read_at),
        }
    }

    fn load_table(&self, id: &MeasurementId) -> Option<Arc<Measurement>> {
        let kept = self.store.table(id)?;
        let measurement = read::measurement(id, &kept.answer, &self.hints)
            .inspect_err(|error| tracing::warn!(table = %id, "kept catalogue: going on without: {error}"))
            .ok()?;
        self.slot(id).was_read(kept.read_at, kept.update_latest);
        Some(Arc::new(measurement))
    }

    async fn read_list(
        &self,
        now: DateTime<Utc>,
        since: Option<DateTime<Utc>>,
    ) -> Result<(), CatalogueError> {
        let read = self.read_list_now(now, since).await;
        // Counted from its end: those who waited for it share it.
        let failure = read.as_ref().err().map(|error| (self.clock.now(), error.clone()));
        *self.list_failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        read
    }

    async fn read_list_now(
        &self,
        now: DateTime<Utc>,
        since: Option<DateTime<Utc>>,
    ) -> Result<(), CatalogueError> {
        self.look_ups.fetch_add(1, Ordering::AcqRel);
        let (read_at, tables) = match since {
            Some(since) => self.upstream.tables_since(since).await?,
            None => (None, self.upstream.tables().await?),
        };
        self.use_list(read_at.unwrap_or(now), tables).await
    }

    /// Takes over a list of tables that another bridge read at that time; `None` if it is the one that is known.
    ///
    /// # Errors
    /// If it cannot be used; the catalogue stays as it was.
    pub async fn adopt_list(
        &self,
        read_at: DateTime<Utc>,
        tables: Option<Tables>,
    ) -> Result<(), CatalogueError> {
        let read_at = read_at.min(self.clock.now());
        if self.current().read_at.is_some_and(|known| known > read_at) {
            return Ok(());
        }
        match tables {
            Some(tables) => self.use_list(read_at, tables).await,
            None => {
                self.list_is_unchanged(read_at);
                Ok(())
            }
        }
    }

    fn list_is_unchanged(&self, read_at: DateTime<Utc>) {
        // Watchers are not notified and nothing is saved where nothing changed.
        self.current.send_if_modified(|catalogue| {
            Arc::make_mut(catalogue).read_at = Some(read_at);
            false
        });
    }

    async fn use_list(&self, now: DateTime<Utc>, tables: Tables) -> Result<(), CatalogueError> {
        let heads = read::heads(&tables, &self.hints)?;
        if self.current().heads == heads {
            self.list_is_unchanged(now);
            return Ok(());
        }
        self.swap(|catalogue| {
            catalogue.measurements.retain(|id, _| heads.contains_key(id));
            catalogue.unusable.retain(|id, _| heads.contains_key(id));
            catalogue.heads = heads;
            catalogue.read_at = Some(now);
        });
        self.keep(kept(now, tables), CatalogueFiles::save_tables).await;
        Ok(())
    }

    /// Reads the menu. It only gives headings, so everything else works without it.
    async fn read_menu(&self, now: DateTime<Utc>) {
        let subjects = match self.upstream.subjects().await {
            Ok(subjects) => subjects,
            Err(error) => return tracing::warn!("catalogue: the menu stays as it was: {error}"),
        };
        self.use_menu(now, subjects).await;
    }

    /// The tables whose metadata is known, with when it was read.
    #[must_use]
    pub fn known_tables(&self) -> Vec<(MeasurementId, DateTime<Utc>)> {
        let known = |id: &MeasurementId| Some((id.clone(), self.slot(id).known().read_at?));
        self.current().measurements.keys().filter_map(known).collect()
    }

    /// A table's metadata as it was saved, for other bridges.
    #[must_use]
    pub fn saved_table(&self, id: &MeasurementId) -> Option<SavedAnswer<Table>> {
        self.store.table(id)
    }

    /// Takes over a menu that another bridge read.
    pub async fn adopt_menu(&self, read_at: DateTime<Utc>, subjects: Subjects) {
        self.use_menu(read_at.min(self.clock.now()), subjects).await;
    }

    async fn use_menu(&self, now: DateTime<Utc>, subjects: Subjects) {
        let menu = read::subjects(&subjects);
        if menu.is_empty() {
            return tracing::warn!("catalogue: the menu stays as it was: expected subjects, found none");
        }
        self.swap(|catalogue| catalogue.subjects = menu);
        self.keep(kept(now, subjects), CatalogueFiles::save_subjects).await;
    }

    async fn read_table(
        &self,
        id: &MeasurementId,
        slot: &TableSlot,
        urgency: Urgency,
    ) -> Result<Arc<Measurement>, CatalogueError> {
        // The update date from before the call: if it changes during the call, the table is read once more.
        let update_latest = self.listed_date(id);
        let table = self.upstream.table(id, urgency).await.map_err(CatalogueError::from);
        let table = table.inspect_err(|error| self.note_unusable(id, error))?;
        self.use_table(id, slot, (self.clock.now(), update_latest), table).await
    }

    /// Takes over a table's metadata that another bridge read at that time, when the list of tables had that date for it; `None` if it is what
    /// is known.
    ///
    /// # Errors
    /// If it cannot be used; the catalogue stays as it was.
    pub async fn adopt_table(
        &self,
        id: &MeasurementId,
        read_at: DateTime<Utc>,
        update_latest: Option<NaiveDate>,
        table: Option<Table>,
    ) -> Result<(), CatalogueError> {
        let (slot, read_at) = (self.slot(id), read_at.min(self.clock.now()));
        if slot.known().read_at.is_some_and(|known| known > read_at) {
            return Ok(());
        }
        match table {
            Some(table) => self.use_table(id, &slot, (read_at, update_latest), table).await.map(drop),
            None => {
                slot.was_read(read_at, update_latest);
                Ok(())
            }
        }
    }

    async fn use_table(
        &self,
        id: &MeasurementId,
        slot: &TableSlot,
        (read_at, update_latest): (DateTime<Utc>, Option<NaiveDate>),
        table: Table,
    ) -> Result<Arc<Measurement>, CatalogueError> {
        let read = read::measurement(id, &table, &self.hints).map_err(CatalogueError::from);
        let measurement = Arc::new(read.inspect_err(|error| self.note_unusable(id, error))?);
        slot.was_read(read_at, update_latest);
        self.swap(|catalogue| {
            if catalogue.heads.contains_key(id) {
                catalogue.measurements.insert(id.clone(), Arc::clone(&measurement));
                catalogue.unusable.remove(id);
            }
        });
        let file = id.clone();
        let kept = SavedAnswer { read_at, update_latest, answer: table };
        self.keep(kept, move |store, kept| store.save_table(&file, kept)).await;
        Ok(measurement)
    }

    /// Remembers why a table's metadata cannot be used. Other failures say nothing about the table.
    fn note_unusable(&self, id: &MeasurementId, error: &CatalogueError) {
        let reason = redact(&error.to_string()).into_owned();
        let is_known = self.current().unusable.get(id) == Some(&reason);
        if error.concerns_the_metadata() && !is_known {
            tracing::warn!(table = %id, reason, "the table's metadata cannot be used; the table is left out");
            self.swap(|catalogue| {
                catalogue.unusable.insert(id.clone(), reason);
            });
        }
    }

    /// The id of a table that the upstream lists; the list is read again if the table is not in it.
    async fn listed(&self, id: &str) -> Result<MeasurementId, CatalogueError> {
        let find = |catalogue: &Catalogue| catalogue.head(id).map(|head| head.id.clone());
        if let Some(id) = find(&self.current()) {
            return Ok(id);
        }
        let unknown = || CatalogueError::UnknownTable { id: id.to_owned() };
        match self.fresh_list().await {
            Ok(catalogue) => find(&catalogue).ok_or_else(unknown),
            // If the list was read earlier, that list decides.
            Err(error) if self.current().read_at.is_none() => Err(error),
            Err(_) => Err(unknown()),
        }
    }

    /// A table's update date in the list.
    #[must_use]
    pub fn listed_date(&self, id: &MeasurementId) -> Option<NaiveDate> {
        self.current().heads.get(id)?.update_latest
    }

    /// Whether the table was updated, by the list, after its metadata was read.
    fn has_changed(&self, id: &MeasurementId) -> bool {
        self.slot(id).known().update_latest != self.listed_date(id)
    }

    fn is_due(&self, id: &MeasurementId) -> bool {
        let now = self.clock.now();
        let is_old =
            self.slot(id).known().read_at.is_none_or(|read_at| !freshness::is_believed(read_at, now));
        is_old || self.has_changed(id) || !self.current().measurements.contains_key(id)
    }

    fn slot(&self, id: &MeasurementId) -> Arc<TableSlot> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tables.entry(id.clone()).or_default())
    }

    /// Replaces the snapshot by a changed copy. Holders of the old one keep it.
    fn swap(&self, change: impl FnOnce(&mut Catalogue)) {
        self.current.send_modify(|current| {
            let mut next = Catalogue::clone(current);
            change(&mut next);
            *current = Arc::new(next);
        });
    }

    /// Saves an answer on a blocking thread. If that fails, the next start has to read it from the upstream; nothing else is lost.
    async fn keep<T: Serialize + Send + 'static>(
        &self,
        kept: SavedAnswer<T>,
        save: impl FnOnce(&CatalogueFiles, &SavedAnswer<T>) -> std::io::Result<()> + Send + 'static,
    ) {
        let store = self.store.clone();
        let saved = request::spawn_blocking(move || save(&store, &kept)).await;
        let saved = saved.map_err(std::io::Error::other).and_then(|saved| saved);
        let could = self.is_saved.swap(saved.is_ok(), Ordering::Relaxed);
        // A failing disk would fail for every one of a hundred tables; it is logged once.
        if let Err(error) = saved.as_ref()
            && could
        {
            tracing::warn!("kept catalogue: cannot be saved: {error}");
        }
    }
}

impl TableSlot {
    fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn was_read(&self, read_at: DateTime<Utc>, update_latest: Option<NaiveDate>) {
        self.set(|known| {
            known.read_at = Some(read_at);
            known.update_latest = update_latest;
        });
    }

    fn set(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn kept<T>(read_at: DateTime<Utc>, answer: T) -> SavedAnswer<T> {
    SavedAnswer { read_at, update_latest: None, answer }
}

/// Whether the next table would fail for the same reason.
fn concerns_every_table(error: &CatalogueError) -> bool {
    let CatalogueError::Upstream(error) = error else {
        return false;
    };
    matches!(
        error.failure,
        Failure::Unauthorized
            | Failure::Closed { .. }
            | Failure::CircuitOpen { .. }
            | Failure::RateLimited { .. }
    )
}
