//! Reads ahead: fetches chunks before clients ask for them, so that clients rarely wait for the upstream.
//!
//! At any hour, the newest figures of the tables in `BRIDGE_READY_TABLES` are kept fresh, whether or not anybody asks for them. On
//! working days from 5 to 17, chunks that clients request often are fetched again if they would not stay fresh until 17, the most
//! used first.
//!
//! One chunk is fetched at a time, only while the upstream has room for a client's call too, and a day has a budget of requests and
//! cells. After a try, successful or not, a chunk is not tried again for half an hour. Reading ahead does not count as use.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc, Weekday};
use tokio::sync::watch;

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::clock::{Clock, CopenhagenTime, at_hour, is_within};
use crate::fetch::error::FetchError;
use crate::observe::metrics::Metrics;
use crate::plan::chunk::Chunk;
use crate::plan::cut;
use crate::plan::selection::Selection;
use crate::refresh::feeds::FeedKeeper;
use crate::refresh::figures::FetchedFigures;
use crate::refresh::headlines;
use crate::store::key::CellKey;
use crate::store::uses::{Use, UseLog};

/// The interval between two rounds.
const LOOK: Duration = Duration::from_secs(5 * 60);
/// Hours of a working day in Copenhagen in which cells are read ahead.
const HOURS: std::ops::Range<u32> = 5..17;
/// Chunks with a use count above this are read ahead: requested more than once lately.
const FEWEST_USES: f64 = 1.0;
/// How long a chunk is left alone after a try.
const REST: Duration = Duration::from_secs(30 * 60);

/// How much may be read ahead on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub requests: u64,
    /// Counted with all columns.
    pub cells: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { requests: 500, cells: 20_000_000 }
    }
}

/// The progress of reading ahead, for `/status` and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Chunks in frequent use that are fresh.
    pub ready: usize,
    /// Chunks in frequent use that are still to be read.
    pub left: usize,
    /// Chunks that were read ahead today.
    pub read: u64,
}

/// What reading the newest figures of some tables has done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TablesReport {
    /// Requests to the upstream.
    pub read: usize,
    /// Chunks that were stored and fresh already.
    pub stored: usize,
    /// Tables whose figures could not all be read, and why.
    pub failed: Vec<(String, String)>,
}

/// Reads ahead.
#[derive(Debug)]
pub struct ReadAhead {
    figures: FetchedFigures,
    feeds: Arc<FeedKeeper>,
    /// The tables whose newest figures are kept fresh.
    ready_tables: Vec<String>,
    uses: UseLog,
    metrics: Arc<Metrics>,
    clock: Clock,
    budget: Budget,
    today: Mutex<Today>,
}

/// What was read ahead today.
#[derive(Debug, Default)]
struct Today {
    day: Option<NaiveDate>,
    progress: Progress,
    requests: u64,
    cells: u64,
    tried: HashMap<(MeasurementId, CellKey), DateTime<Utc>>,
    /// Tables of `BRIDGE_READY_TABLES` that cannot be read. The log has each of them once.
    unreadable: HashSet<String>,
}

/// A chunk that is to be read.
struct Due {
    measurement: Arc<Measurement>,
    chunk: Chunk,
}

impl Due {
    fn all(measurement: &Arc<Measurement>, chunks: Vec<Chunk>) -> impl Iterator<Item = Self> {
        let measurement = Arc::clone(measurement);
        chunks.into_iter().map(move |chunk| Self { measurement: Arc::clone(&measurement), chunk })
    }
}

/// Reads ahead until `stop` becomes true or its sender is dropped, then saves the use counts.
pub async fn run(ahead: Arc<ReadAhead>, mut stop: watch::Receiver<bool>) {
    let work = async {
        loop {
            ahead.look().await;
            ahead.uses.save();
            ahead.clock.sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
    ahead.uses.save();
}

impl ReadAhead {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new(
        figures: FetchedFigures,
        feeds: Arc<FeedKeeper>,
        ready_tables: Vec<String>,
        uses: UseLog,
        metrics: Arc<Metrics>,
        clock: Clock,
        budget: Budget,
    ) -> Self {
        Self { figures, feeds, ready_tables, uses, metrics, clock, budget, today: Mutex::default() }
    }

    /// The progress after the latest round.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.today().progress
    }

    /// Reads the newest figures of some tables now, as far as the day's budget goes, and reports each chunk with the number of all.
    pub async fn read_tables(
        &self,
        tables: &[String],
        mut progress: impl FnMut(usize, usize, &str),
    ) -> TablesReport {
        let (mut report, mut due) = (TablesReport::default(), Vec::new());
        self.begin_day();
        for table in tables {
            match headlines::chunks(&self.feeds, table, self.figures.cell_limit).await {
                Ok((measurement, chunks)) => due.extend(Due::all(&measurement, chunks)),
                Err(error) => report.failed.push((table.clone(), error.to_string())),
            }
        }
        let (now, total) = (self.clock.now(), due.len());
        for (number, due) in due.into_iter().enumerate() {
            let table = due.measurement.id.as_str();
            progress(number, total, table);
            if self.figures.fetcher.is_ready(&due.measurement, &due.chunk, now).await {
                report.stored += 1;
            } else if !self.takes_on(&due) {
                report.failed.push((table.to_owned(), "the budget of a day is used up".to_owned()));
            } else if let Err(error) = self.read(&due, now).await {
                report.failed.push((table.to_owned(), error.to_string()));
            } else {
                report.read += 1;
            }
        }
        report
    }

    /// One round: reads the due chunks as far as limits and budget allow. A failure ends the round.
    async fn look(&self) {
        let is_working_hour = is_working_hour(&self.clock.copenhagen());
        if !is_working_hour && self.ready_tables.is_empty() || !self.figures.fetcher.has_room() {
            return;
        }
        let day = self.begin_day();
        let until = if is_working_hour { at_hour(day, HOURS.end) } else { self.clock.now() };
        let mut wanted = self.chosen().await;
        if is_working_hour {
            wanted.extend(self.habitual().await);
        }
        for due in self.due(wanted, until).await {
            if !self.figures.fetcher.has_room() {
                return;
            }
            if self.takes_on(&due) && self.read(&due, until).await.is_err() {
                return;
            }
        }
    }

    /// The newest figures of the tables in `BRIDGE_READY_TABLES`, in the order of the setting.
    async fn chosen(&self) -> Vec<Due> {
        let mut chosen = Vec::new();
        for table in &self.ready_tables {
            match headlines::chunks(&self.feeds, table, self.figures.cell_limit).await {
                Ok((measurement, chunks)) => {
                    self.today().unreadable.remove(table);
                    chosen.extend(Due::all(&measurement, chunks));
                }
                Err(error) => {
                    if self.today().unreadable.insert(table.clone()) {
                        tracing::warn!(table, %error, "a table of BRIDGE_READY_TABLES cannot be kept ready");
                    }
                }
            }
        }
        chosen
    }

    /// The chunks that clients request often, the most used first.
    async fn habitual(&self) -> Vec<Due> {
        let mut habitual = Vec::new();
        for used in self.uses.most_used(FEWEST_USES) {
            if let Ok(measurement) = self.figures.catalogue.measurement(used.table.as_str()).await {
                let chunks = chunks(&measurement, &used, self.figures.cell_limit).unwrap_or_default();
                habitual.extend(Due::all(&measurement, chunks));
            }
        }
        habitual
    }

    /// Those of the wanted chunks that are not stored, or will not be fresh at that moment.
    async fn due(&self, wanted: Vec<Due>, until: DateTime<Utc>) -> Vec<Due> {
        let (mut ready, mut all) = (0, Vec::new());
        for due in wanted {
            match self.figures.fetcher.is_ready(&due.measurement, &due.chunk, until).await {
                true => ready += 1,
                false => all.push(due),
            }
        }
        self.update_progress(|progress| (progress.ready, progress.left) = (ready, all.len()));
        all
    }

    /// Takes what a chunk costs from the day's budget, and notes that it is tried. False, and nothing taken, if the budget does not
    /// suffice or the chunk was tried in the last half hour.
    fn takes_on(&self, Due { measurement, chunk }: &Due) -> bool {
        let (now, key) = (self.clock.now(), (measurement.id.clone(), CellKey::of(measurement, chunk)));
        let mut today = self.today();
        let (requests, cells) =
            (today.requests + 1, today.cells.saturating_add(chunk.cell_bound(measurement)));
        let rests = today.tried.get(&key).is_some_and(|at| is_within(REST, *at, now));
        if rests || requests > self.budget.requests || cells > self.budget.cells {
            return false;
        }
        (today.requests, today.cells) = (requests, cells);
        today.tried.insert(key, now);
        true
    }

    /// Reads a chunk.
    async fn read(&self, Due { measurement, chunk }: &Due, until: DateTime<Utc>) -> Result<(), FetchError> {
        let read = self.figures.fetcher.fetch_ahead(measurement, chunk, until).await;
        self.metrics.read_ahead(read.is_ok());
        match &read {
            Ok(()) => self.update_progress(|progress| {
                progress.read += 1;
                progress.ready += 1;
                progress.left = progress.left.saturating_sub(1);
            }),
            Err(error) => tracing::info!(table = %measurement.id, %error, "cells could not be read ahead"),
        }
        read
    }

    /// The current day; resets the day's counts when it has changed.
    fn begin_day(&self) -> NaiveDate {
        let day = self.clock.copenhagen().date_naive();
        let mut today = self.today();
        if today.day != Some(day) {
            *today = Today { day: Some(day), ..Today::default() };
        }
        day
    }

    fn update_progress(&self, change: impl FnOnce(&mut Progress)) {
        let mut today = self.today();
        change(&mut today.progress);
        self.metrics.read_ahead_progress(today.progress.ready, today.progress.left);
    }

    fn today(&self) -> MutexGuard<'_, Today> {
        self.today.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is a working hour.
fn is_working_hour(at: &CopenhagenTime) -> bool {
    !matches!(at.weekday(), Weekday::Sat | Weekday::Sun) && HOURS.contains(&at.hour())
}

/// The chunks that bring what was used, one if the limit allows. If the newest period of that time was among it, the periods that
/// were published since are added.
fn chunks(measurement: &Measurement, used: &Use, cell_limit: u64) -> Option<Vec<Chunk>> {
    let mut selection = used.key.selection(measurement)?;
    if used.reaches_newest {
        add_newer_periods(measurement, &mut selection);
    }
    match cut::alone(measurement, &selection, cell_limit) {
        Some(chunk) => Some(vec![chunk]),
        None => Some(cut::cut(measurement, &selection, cell_limit).ok()?.iter().collect()),
    }
}

/// Adds the periods of the same type that are newer than all of the selection; the newest come first.
fn add_newer_periods(measurement: &Measurement, selection: &mut Selection) {
    let Some(newest) = selection.periods.first().copied() else { return };
    let of_type = |&index: &usize| measurement.periods[index].type_id == measurement.periods[newest].type_id;
    selection.periods.splice(..0, (0..newest).filter(of_type));
}
