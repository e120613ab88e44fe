//! Counts how often cells are requested. Counts halve every week, so that they show current habits.
//!
//! Saved in one file by the disk thread every few minutes; a crash loses what was counted since.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::clock::Clock;
use crate::disk;
use crate::plan::chunk::Chunk;
use crate::store::key::CellKey;
use crate::store::writer::DiskWriter;

/// The most keys that are counted; the least used are dropped.
const MOST: usize = 1000;
/// One part in so many of all is dropped at a time.
const FORGOTTEN: usize = 16;
/// The time in which a count halves.
const HALF_LIFE_SECONDS: f64 = 7.0 * 24.0 * 3600.0;
/// The version of the file's form; a file of another version is not read.
const VERSION: u32 = 1;

/// The counts. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub struct UseLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    writer: DiskWriter,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    uses: HashMap<(MeasurementId, CellKey), Tally>,
    /// Whether the counts differ from the file.
    is_changed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Tally {
    /// The count at the last use.
    count: f64,
    last_used_at: DateTime<Utc>,
    reaches_newest: bool,
}

/// Cells that clients request.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    pub table: MeasurementId,
    pub key: CellKey,
    /// The number of uses, older ones counting less.
    pub count: f64,
    /// Whether the last use included the then newest period: the next one will probably include the newest period again.
    pub reaches_newest: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedUse {
    table: MeasurementId,
    key: CellKey,
    tally: Tally,
}

impl UseLog {
    /// The log in that file.
    #[must_use]
    pub fn open(file: PathBuf, writer: DiskWriter, clock: Clock) -> Self {
        let kept: Option<Vec<SavedUse>> = disk::read_or_set_aside(&file, VERSION);
        let uses = kept.into_iter().flatten().map(|kept| ((kept.table, kept.key), kept.tally)).collect();
        Self(Arc::new(Inner { file, writer, clock, state: Mutex::new(State { uses, is_changed: false }) }))
    }

    /// Counts a use of a chunk's cells.
    pub fn note(&self, measurement: &Measurement, chunk: &Chunk) {
        self.count(
            (measurement.id.clone(), CellKey::of(measurement, chunk)),
            reaches_newest(measurement, chunk),
        );
    }

    fn count(&self, key: (MeasurementId, CellKey), reaches_newest: bool) {
        let now = self.0.clock.now();
        let mut state = self.0.state();
        let count = state.uses.get(&key).map_or(0.0, |tally| tally.at(now));
        state.uses.insert(key, Tally { count: count + 1.0, last_used_at: now, reaches_newest });
        state.is_changed = true;
        if state.uses.len() > MOST {
            state.forget_least_used(now);
        }
    }

    /// The uses with at least that count, the most used first.
    #[must_use]
    pub fn most_used(&self, least: f64) -> Vec<Use> {
        let now = self.0.clock.now();
        let state = self.0.state();
        let uses = state.uses.iter().map(|((table, key), tally)| Use {
            table: table.clone(),
            key: key.clone(),
            count: tally.at(now),
            reaches_newest: tally.reaches_newest,
        });
        let mut uses: Vec<Use> = uses.filter(|one| one.count >= least).collect();
        uses.sort_by(|a, b| b.count.total_cmp(&a.count));
        uses
    }

    /// Queues saving the counts, if they have changed.
    pub fn save(&self) {
        let is_changed = std::mem::take(&mut self.0.state().is_changed);
        if is_changed {
            let inner = Arc::clone(&self.0);
            self.0.writer.submit(move || inner.write());
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) {
        let kept = |((table, key), tally): (&(MeasurementId, CellKey), &Tally)| SavedUse {
            table: table.clone(),
            key: key.clone(),
            tally: *tally,
        };
        let uses: Vec<SavedUse> = self.state().uses.iter().map(kept).collect();
        if let Err(error) = disk::keep(&self.file, VERSION, &uses) {
            tracing::warn!(file = %self.file.display(), %error, "what is used most could not be written down");
        }
    }
}

impl State {
    fn forget_least_used(&mut self, now: DateTime<Utc>) {
        let mut left = MOST / FORGOTTEN;
        let mut counts: Vec<f64> = self.uses.values().map(|tally| tally.at(now)).collect();
        let (_, &mut bar, _) = counts.select_nth_unstable_by(left, f64::total_cmp);
        self.uses.retain(|_, tally| {
            let goes = left > 0 && tally.at(now) <= bar;
            left -= usize::from(goes);
            !goes
        });
    }
}

impl Tally {
    /// The count at an instant. If the last use lies in the future, because the clock was wrong, the distance counts as age.
    fn at(&self, now: DateTime<Utc>) -> f64 {
        let seconds = (now - self.last_used_at).num_seconds().abs() as f64;
        self.count * (-seconds / HALF_LIFE_SECONDS).exp2()
    }
}

/// Whether the chunk has the newest period of its type.
fn reaches_newest(measurement: &Measurement, chunk: &Chunk) -> bool {
    let newest = measurement.periods.iter().position(|period| period.type_id == chunk.period_type);
    newest.is_some_and(|newest| chunk.periods.contains(&newest))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn log(folder: &tempfile::TempDir, clock: &Clock) -> UseLog {
        UseLog::open(folder.path().join("uses.json"), DiskWriter::start().unwrap(), clock.clone())
    }

    fn clock() -> Clock {
        Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap())
    }

    fn used(log: &UseLog, number: usize) {
        let key = CellKey {
            periods: BTreeSet::from([format!("{number}").into()]),
            members: BTreeMap::new(),
            measures: BTreeSet::from(["m".into()]),
        };
        log.count(("y1".into(), key), false);
    }

    fn counts(log: &UseLog, least: f64) -> Vec<(String, f64)> {
        let number = |one: &Use| one.key.periods.first().map(ToString::to_string).unwrap();
        log.most_used(least).iter().map(|one| (number(one), one.count)).collect()
    }

    #[test]
    fn a_use_counts_half_after_a_week_and_hardly_if_the_clock_was_wrong() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let log = log(&folder, &clock);
        used(&log, 1);
        clock.advance(7 * DAY);
        used(&log, 1);
        used(&log, 2);
        assert_eq!(counts(&log, 0.0), [("1".to_owned(), 1.5), ("2".to_owned(), 1.0)]);
        assert_eq!(counts(&log, 1.2).len(), 1);
        clock.set(clock.now() - chrono::Duration::days(365));
        assert!(counts(&log, 0.001).is_empty(), "{:?}", counts(&log, 0.001));
    }

    #[tokio::test]
    async fn uses_outlive_a_restart_and_a_disk_that_refuses_changes_nothing() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let first = log(&folder, &clock);
        used(&first, 1);
        first.save();
        first.0.writer.flush().await;
        assert_eq!(counts(&log(&folder, &clock), 1.0), counts(&first, 1.0));
        let refused = UseLog::open("/dev/null/uses.json".into(), DiskWriter::start().unwrap(), clock.clone());
        used(&refused, 1);
        refused.save();
        refused.0.writer.flush().await;
        assert_eq!(counts(&refused, 1.0).len(), 1);
    }

    #[test]
    fn of_too_many_the_least_used_are_forgotten() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let log = log(&folder, &clock);
        (0..10).for_each(|number| (0..3).for_each(|_| used(&log, number)));
        (10..5 * MOST).for_each(|number| used(&log, number));
        let kept = counts(&log, 0.0).len();
        assert!((MOST - MOST / FORGOTTEN..=MOST).contains(&kept), "{kept}");
        assert_eq!(counts(&log, 2.0).len(), 10);
    }
}
