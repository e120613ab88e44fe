//! The log of revised figures: the newest ones, for 400 days.
//!
//! Saved in one file by the disk thread; several additions in a row are one write.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalogue::measurement::Measurement;
use crate::catalogue::revised::RevisedFigure;
use crate::catalogue::value::Figure;
use crate::disk;
use crate::observe::news::{Announcements, Facts, Informed, Topic};
use crate::observe::store_observer::StoreObserver;
use crate::store::change::Changes;
use crate::store::revised;
use crate::store::writer::DiskWriter;

/// How long a revised figure is listed.
const KEPT_FOR: TimeDelta = TimeDelta::days(400);
/// The most revised figures that are listed, so that a table whose whole history is revised does not fill the memory.
const MOST: usize = 20_000;
/// The file in the origin's folder.
pub const FILE: &str = "revisions.json";
/// The version of the file's format; a file of another version is not read.
pub const VERSION: u32 = 1;

/// The log. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct RevisionLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    writer: DiskWriter,
    observer: Arc<dyn StoreObserver>,
    announcements: Announcements,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    figures: VecDeque<Arc<RevisedFigure>>,
    additions: u64,
    /// Whether a write that will include everything so far is queued but not started.
    write_is_due: bool,
}

impl RevisionLog {
    /// The log in that file. One that cannot be used is set aside and told of: it cannot be fetched again.
    #[must_use]
    pub fn open(
        file: PathBuf,
        writer: DiskWriter,
        observer: Arc<dyn StoreObserver>,
        announcements: Announcements,
    ) -> Self {
        let figures: Option<Vec<_>> = disk::read(&file, VERSION).unwrap_or_else(|error| {
            let aside = disk::set_aside(&file).is_ok();
            tracing::error!(
                file = %file.display(), set_aside = aside, %error,
                "the revisions cannot be used and begin anew; only a backup has them"
            );
            observer.damaged_file();
            None
        });
        let figures = figures.into_iter().flatten().map(Arc::new).collect();
        let state = Mutex::new(State { figures, ..State::default() });
        Self(Arc::new(Inner { file, writer, observer, announcements, state }))
    }

    /// Logs, counts and lists figures that changed. Cells and indicators are compared apart, so a change may be noticed twice: what is
    /// listed already is left out.
    pub fn note(&self, measurement: &Measurement, changes: &Changes, seen_at: DateTime<Utc>) {
        let described = changes.figures.iter().map(|change| revised::describe(measurement, change, seen_at));
        let described: Vec<RevisedFigure> = described.collect();
        let known = self.add(described.clone(), seen_at);
        self.0.announcements.tell(Topic::Revised, || facts(&described));
        let (figures, periods) = (changes.count() - known, changes.periods.len());
        if figures > 0 {
            tracing::info!(table = %measurement.id, figures, periods, "figures were revised");
            self.0.observer.figures_revised(figures);
        }
    }

    /// Adds revised figures and removes those that are too old or too many. Says how many were known already.
    fn add(&self, mut figures: Vec<RevisedFigure>, now: DateTime<Utc>) -> usize {
        if figures.is_empty() {
            return 0;
        }
        let found = figures.len();
        let (write, known) = {
            let mut state = self.0.state();
            state.retain_unknown(&mut figures);
            let known = found - figures.len();
            if figures.is_empty() {
                return known;
            }
            state.figures.extend(figures.into_iter().map(Arc::new));
            state.figures.retain(|figure| now - figure.seen_at < KEPT_FOR);
            (state.has_grown(), known)
        };
        self.write_if(write);
        known
    }

    fn write_if(&self, is_due: bool) {
        if is_due {
            let inner = Arc::clone(&self.0);
            self.0.writer.submit(move || inner.write());
        }
    }

    /// The revisions, the newest first.
    #[must_use]
    pub fn figures(&self) -> Vec<Arc<RevisedFigure>> {
        self.0.state().figures.iter().rev().cloned().collect()
    }

    /// The number of additions so far; callers that cache something made from the log compare it.
    #[must_use]
    pub fn additions(&self) -> u64 {
        self.0.state().additions
    }
}

/// Figures as facts for other bridges.
fn facts<'a>(figures: impl IntoIterator<Item = &'a RevisedFigure>) -> Facts {
    let fact = |figure: &RevisedFigure| Some((figure.id.clone(), serde_json::to_string(figure).ok()?));
    figures.into_iter().filter_map(fact).collect()
}

impl Informed for RevisionLog {
    fn facts(&self) -> Facts {
        facts(self.0.state().figures.iter().map(AsRef::as_ref))
    }

    /// The facts of another bridge were counted there.
    fn adopt(&self, facts: Facts) {
        let figures = facts.into_iter().filter_map(|(_, figure)| serde_json::from_str(&figure).ok());
        let mut figures: Vec<RevisedFigure> = figures.collect();
        let mut state = self.0.state();
        let known: HashSet<String> = state.figures.iter().map(|figure| figure.id.clone()).collect();
        figures.retain(|figure| !known.contains(&figure.id));
        if figures.is_empty() {
            return;
        }
        state.figures.extend(figures.into_iter().map(Arc::new));
        state.figures.make_contiguous().sort_by_key(|figure| figure.seen_at);
        let write = state.has_grown();
        drop(state);
        self.write_if(write);
    }
}

impl State {
    /// Removes those that are too many. Whether a write is to be queued.
    fn has_grown(&mut self) -> bool {
        let too_many = self.figures.len().saturating_sub(MOST);
        self.figures.drain(..too_many);
        self.additions += 1;
        !std::mem::replace(&mut self.write_is_due, true)
    }

    /// Keeps the figures that differ from the newest entry of their cell.
    fn retain_unknown(&self, figures: &mut Vec<RevisedFigure>) {
        let said: HashMap<&str, Figure> =
            self.figures.iter().map(|figure| (figure.cell(), figure.after)).collect();
        figures.retain(|figure| said.get(figure.cell()) != Some(&figure.after));
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) {
        let figures: Vec<_> = {
            let mut state = self.state();
            state.write_is_due = false;
            state.figures.iter().cloned().collect()
        };
        let figures: Vec<&RevisedFigure> = figures.iter().map(AsRef::as_ref).collect();
        if let Err(error) = disk::keep(&self.file, VERSION, &figures) {
            tracing::error!(file = %self.file.display(), %error, "revisions could not be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::observe::metrics::Metrics;

    fn revised(id: usize, seen_at: &str) -> RevisedFigure {
        RevisedFigure {
            id: id.to_string(),
            table: "y1".to_owned(),
            period: "2026M01".to_owned(),
            area: None,
            area_id: None,
            measure: "Antal".to_owned(),
            measure_id: "m".to_owned(),
            members: None,
            before: None,
            after: Some(15.into()),
            seen_at: seen_at.parse().unwrap(),
        }
    }

    fn observer() -> Arc<dyn StoreObserver> {
        Arc::new(Metrics::new("0", "0").unwrap())
    }

    fn ids(log: &RevisionLog) -> Vec<String> {
        log.figures().iter().map(|figure| figure.id.clone()).collect()
    }

    #[tokio::test]
    async fn revisions_outlive_a_restart_for_400_days() {
        let folder = tempfile::tempdir().unwrap();
        let (file, writer) = (folder.path().join("revisions.json"), DiskWriter::start().unwrap());
        let log = RevisionLog::open(file.clone(), writer.clone(), observer(), Announcements::default());
        log.add(vec![revised(1, "2026-01-01T00:00:00Z")], "2026-01-01T00:00:00Z".parse().unwrap());
        log.add(vec![revised(2, "2027-01-01T00:00:00Z")], "2027-01-01T00:00:00Z".parse().unwrap());
        writer.flush().await;
        let log = RevisionLog::open(file, writer, observer(), Announcements::default());
        assert_eq!(ids(&log), ["2", "1"]);
        log.add(vec![revised(3, "2027-02-06T00:00:00Z")], "2027-02-06T00:00:00Z".parse().unwrap());
        assert_eq!(ids(&log), ["3", "2"]);
    }

    #[tokio::test]
    async fn a_log_that_was_tampered_with_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (file, writer) = (folder.path().join("revisions.json"), DiskWriter::start().unwrap());
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let log = RevisionLog::open(file.clone(), writer.clone(), observer(), Announcements::default());
        log.add(vec![revised(1, "2026-01-01T00:00:00Z")], now);
        writer.flush().await;
        let whole = fs::read_to_string(&file).unwrap();
        for spoilt in [
            whole.replace("\"15\"", "\"16\""),
            whole.replace("\"version\":1", "\"version\":2"),
            String::new(),
        ] {
            assert_ne!(spoilt, whole);
            fs::write(&file, spoilt).unwrap();
            let metrics = Arc::new(Metrics::new("0", "0").unwrap());
            let log =
                RevisionLog::open(file.clone(), writer.clone(), metrics.clone(), Announcements::default());
            assert!(ids(&log).is_empty() && !file.exists());
            let shown = String::from_utf8(metrics.render()).unwrap();
            assert!(shown.contains("disk_damaged_files_total 1\n"), "an alert tells of it");
        }
    }

    #[tokio::test]
    async fn the_log_is_bounded_and_keeps_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let log = RevisionLog::open(
            folder.path().join("r"),
            DiskWriter::start().unwrap(),
            observer(),
            Announcements::default(),
        );
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        log.add((0..MOST + 5).map(|id| revised(id, "2026-01-01T00:00:00Z")).collect(), now);
        assert_eq!(log.figures().len(), MOST);
        assert_eq!(ids(&log)[0], (MOST + 4).to_string());
    }

    #[tokio::test]
    async fn a_change_that_is_noticed_again_is_listed_once() {
        let folder = tempfile::tempdir().unwrap();
        let log = RevisionLog::open(
            folder.path().join("r"),
            DiskWriter::start().unwrap(),
            observer(),
            Announcements::default(),
        );
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = |id: &str, after: i64| RevisedFigure {
            id: id.to_owned(),
            after: Some(after.into()),
            ..revised(0, "2026-01-01T00:00:00Z")
        };
        assert_eq!(log.add(vec![at("y1|2026M01|m|T|1", 15), at("y1|2026M01|m|101|1", 15)], now), 0);
        assert_eq!(log.add(vec![at("y1|2026M01|m|T|2", 15), at("y1|2026M01|m|101|2", 16)], now), 1);
        assert_eq!(log.add(vec![at("y1|2026M01|m|101|3", 15)], now), 0, "another change of the same cell");
        assert_eq!(log.figures().len(), 4);
    }
}
