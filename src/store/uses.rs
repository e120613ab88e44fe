//! Counts how often cells are requested. Counts halve every week, so that they show current habits.
//!
//! Saved in one file by the disk thread every few minutes; a crash loses what was counted since.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Copenhagen;
use serde::{Deserialize, Serialize};

use crate::budget::client::Client;
use crate::budget::upstream::Requester;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::clock::Clock;
use crate::disk;
use crate::observe::news::{Announcements, Facts, Informed, Topic};
use crate::plan::chunk::Chunk;
use crate::store::key::CellKey;
use crate::store::writer::DiskWriter;

/// The most keys that are counted; the least used are dropped.
const MOST: usize = 1000;
/// One part in so many of all is dropped at a time.
const FORGOTTEN: usize = 16;
/// The time in which a count halves.
const HALF_LIFE_SECONDS: f64 = 7.0 * 24.0 * 3600.0;
/// The most keys that are counted in a day, for one client and for all together: a client that reads everything shows no
/// preference.
const PER_CLIENT: usize = 100;
const PER_DAY: usize = 100_000;
/// The file in the origin's folder.
pub const FILE: &str = "uses.json";
/// The version of the file's format; a file of another version is not read.
pub const VERSION: u32 = 1;

/// The counts. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub struct UseLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    writer: DiskWriter,
    clock: Clock,
    announcements: Announcements,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    uses: HashMap<(MeasurementId, CellKey), Tally>,
    today: Today,
    /// Whether the counts differ from the file.
    is_changed: bool,
}

/// Who has been counted today, and for what. A client counts once a day for a key.
#[derive(Debug, Default)]
struct Today {
    day: Option<NaiveDate>,
    clients: HashMap<Client, HashSet<u64>>,
    counted: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Tally {
    /// How many clients and days have been counted; once is no habit.
    #[serde(default)]
    times: u32,
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
    pub fn open(file: PathBuf, writer: DiskWriter, clock: Clock, announcements: Announcements) -> Self {
        let kept: Option<Vec<SavedUse>> = disk::read_or_set_aside(&file, VERSION);
        let uses = kept.into_iter().flatten().map(|kept| ((kept.table, kept.key), kept.tally)).collect();
        let state = Mutex::new(State { uses, ..State::default() });
        Self(Arc::new(Inner { file, writer, clock, announcements, state }))
    }

    /// Counts a client's use of a chunk's cells, which are those of the key.
    pub fn note(&self, requester: Requester, measurement: &Measurement, chunk: &Chunk, key: &CellKey) {
        let Requester::Client(client) = requester else { return };
        self.count(client, (measurement.id.clone(), key.clone()), reaches_newest(measurement, chunk));
    }

    fn count(&self, client: Client, key: (MeasurementId, CellKey), reaches_newest: bool) {
        let (now, day) = (self.0.clock.now(), self.0.clock.copenhagen().date_naive());
        let mut state = self.0.state();
        if !state.today.is_first(day, client, &key) {
            return;
        }
        let (count, times) = state.uses.get(&key).map_or((0.0, 0), |tally| (tally.at(now), tally.times));
        let tally =
            Tally { times: times.saturating_add(1), count: count + 1.0, last_used_at: now, reaches_newest };
        self.0.announcements.tell(Topic::Uses, || fact(&key, tally, Some(client)).into_iter().collect());
        state.uses.insert(key, tally);
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

/// What another bridge counted.
#[derive(Serialize, Deserialize)]
struct ToldUse {
    tally: Tally,
    /// Who used it last: counted once a day, on whichever bridge.
    client: Option<Client>,
}

/// A use as a fact for other bridges.
fn fact(
    (table, key): &(MeasurementId, CellKey),
    tally: Tally,
    client: Option<Client>,
) -> Option<(String, String)> {
    let name = serde_json::to_string(&(table, key)).ok()?;
    Some((name, serde_json::to_string(&ToldUse { tally, client }).ok()?))
}

impl Informed for UseLog {
    fn facts(&self) -> Facts {
        self.0.state().uses.iter().filter_map(|(key, tally)| fact(key, *tally, None)).collect()
    }

    /// Of two bridges' counts for a key the later one contains the earlier one, because each is told to the other.
    fn adopt(&self, facts: Facts) {
        let (now, day) = (self.0.clock.now(), self.0.clock.copenhagen().date_naive());
        let mut state = self.0.state();
        for (key, told) in facts {
            let read = (serde_json::from_str(&key), serde_json::from_str(&told));
            let (Ok(key), Ok(ToldUse { tally, client })) = read else { continue };
            if let Some(client) =
                client.filter(|_| tally.last_used_at.with_timezone(&Copenhagen).date_naive() == day)
            {
                // Counted there.
                let _ = state.today.is_first(day, client, &key);
            }
            let is_later =
                |known: &Tally| (known.times, known.last_used_at) < (tally.times, tally.last_used_at);
            if state.uses.get(&key).is_none_or(is_later) {
                state.uses.insert(key, tally);
                state.is_changed = true;
            }
        }
        if state.uses.len() > MOST {
            state.forget_least_used(now);
        }
    }
}

impl State {
    /// Drops the keys with the lowest counts; those that were used only once go before all others.
    fn forget_least_used(&mut self, now: DateTime<Utc>) {
        let rank = |tally: &Tally| (tally.times > 1, tally.at(now));
        let mut ranks: Vec<(bool, f64)> = self.uses.values().map(rank).collect();
        ranks.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut left = MOST / FORGOTTEN;
        let Some(&bar) = ranks.get(left) else { return };
        self.uses.retain(|_, tally| {
            let goes = left > 0 && rank(tally) <= bar;
            left -= usize::from(goes);
            !goes
        });
    }
}

impl Today {
    /// Whether a client has not been counted today for that key, and may be.
    fn is_first(&mut self, day: NaiveDate, client: Client, key: &(MeasurementId, CellKey)) -> bool {
        if self.day != Some(day) {
            *self = Self { day: Some(day), ..Self::default() };
        }
        let keys = self.clients.entry(client).or_default();
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let may_be_counted = keys.len() < PER_CLIENT && self.counted < PER_DAY;
        let is_first = may_be_counted && keys.insert(hasher.finish());
        self.counted += usize::from(is_first);
        is_first
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
    use std::collections::BTreeSet;
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;
    use crate::store::member_sets::MemberSets;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn log(folder: &tempfile::TempDir, clock: &Clock) -> UseLog {
        UseLog::open(
            folder.path().join("uses.json"),
            DiskWriter::start().unwrap(),
            clock.clone(),
            Announcements::default(),
        )
    }

    fn clock() -> Clock {
        Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap())
    }

    fn used(log: &UseLog, number: usize) {
        used_by(log, 0, number);
    }

    fn used_by(log: &UseLog, client: u32, number: usize) {
        let key = CellKey {
            periods: BTreeSet::from([format!("{number}").into()]),
            members: MemberSets::default(),
            measures: BTreeSet::from(["m".into()]),
        };
        log.count(IpAddr::from(client.to_be_bytes()).into(), ("y1".into(), key), false);
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
        let refused = UseLog::open(
            "/dev/null/uses.json".into(),
            DiskWriter::start().unwrap(),
            clock.clone(),
            Announcements::default(),
        );
        used(&refused, 1);
        refused.save();
        refused.0.writer.flush().await;
        assert_eq!(counts(&refused, 1.0).len(), 1);
    }

    #[test]
    fn of_too_many_the_least_used_are_forgotten() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let log = log(&folder, &clock);
        (0..10).for_each(|number| (0..3).for_each(|client| used_by(&log, client, number)));
        (10..5 * MOST).for_each(|number| used_by(&log, (number / PER_CLIENT) as u32 + 3, number));
        let kept = counts(&log, 0.0).len();
        assert!((MOST - MOST / FORGOTTEN..=MOST).contains(&kept), "{kept}");
        assert_eq!(counts(&log, 2.0).len(), 10);
    }

    #[test]
    fn a_client_counts_once_a_day_for_a_key_and_a_reader_of_everything_pushes_no_habit_out() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
        let log = log(&folder, &clock);
        (0..5).for_each(|_| used(&log, 1));
        assert_eq!(counts(&log, 0.0), [("1".to_owned(), 1.0)]);
        clock.advance(DAY);
        used(&log, 1);
        clock.advance(6 * DAY);
        let before = counts(&log, 1.0);
        assert_eq!(before.len(), 1, "two days are a habit");
        for number in 0..4 * MOST {
            used_by(&log, (number / 50) as u32 + 1, number + 2);
        }
        assert_eq!(counts(&log, 0.0).iter().filter(|(number, _)| number == "1").count(), 1);
        (0..4 * MOST).for_each(|number| used_by(&log, u32::MAX, number + 10_000));
        let counted = counts(&log, 0.0).iter().filter(|(number, _)| number.len() == 5).count();
        assert!(counted <= PER_CLIENT, "{counted}");
    }
}
