//! Finds out with small requests how the upstream differs from its description: at most 60 calls, one at a time, never near the
//! closed hour. The findings are written as a report for people and as a dialect that the client follows.

pub mod caller;
mod facts;
pub mod points;
mod report;
mod steps;

use std::io;
use std::path::{Path, PathBuf};

pub use self::caller::{CallError, CallerOptions, MOST_CALLS};
use self::caller::{Caller, MadeCall};
use self::points::{Outcome, POINTS, Point};
use self::steps::Run;
use crate::clock::Clock;
use crate::disk;
use crate::settings::redact::redact;
use crate::upstream::dialect::{DIALECT_FILE, Dialect};

/// The report's name in the origin's folder.
pub const REPORT_FILE: &str = "probe.md";

/// Points that are left alone, and why.
const NOT_TRIED: [(&str, &str); 6] = [
    ("closed-hour", "nothing is asked between 22 and 23"),
    ("rate-limit", "it would take a flood of calls"),
    ("silent-updates", "it takes an update of the upstream between two readings"),
    ("token-lifetime", "only time tells"),
    ("language-options", "there is no name to try"),
    ("period-range", "no form of it is known"),
];

/// What a run is made of, in order: for progress and for `--dry-run`.
pub const STEPS: [(&str, &str); 7] = [
    ("metadata", "GET /subjects, /tables, /table of two tables"),
    ("headings", "GET /data of both for their newest period, the whole country"),
    ("levels", "GET /data by one level, and with its dimensions in another order"),
    ("forms", "GET /data with the root in a list, with 60 members, with a long address"),
    (
        "errors",
        "GET /data with an unknown hierarchy and for all periods of the country, /table of no table, /subjects without a key",
    ),
    ("habits", "GET /data without an area, in CSV, with lists of measures; /table in upper case"),
    ("limits", "GET /data for 20,000, 150,000 and just above 200,000 cells, of which the beginning is read"),
];

/// What a run found.
#[derive(Debug)]
pub struct Findings {
    pub points: Vec<(Point, Outcome)>,
    pub dialect: Dialect,
    pub calls: Vec<MadeCall>,
    /// Why the run ended before its end.
    pub ended: Option<CallError>,
}

/// Makes a run; tells of each step before it begins.
///
/// # Errors
/// When nothing can be asked at all.
pub async fn run(
    options: CallerOptions,
    mut progress: impl FnMut(usize, &str),
) -> Result<Findings, CallError> {
    let clock = options.clock.clone();
    let mut run = Run::new(Caller::new(options)?);
    let mut ended = None;
    for (number, (step, _)) in STEPS.iter().enumerate() {
        progress(number, step);
        let result = match *step {
            "metadata" => run.metadata().await,
            "headings" => run.headings().await,
            "levels" => run.levels().await,
            "forms" => run.forms().await,
            "errors" => run.errors().await,
            "habits" => run.habits().await,
            _ => run.limits().await,
        };
        if let Err(error) = result {
            ended = Some(error);
            break;
        }
    }
    Ok(findings(run, ended, &clock))
}

fn findings(mut run: Run, ended: Option<CallError>, clock: &Clock) -> Findings {
    let why = |name: &str| NOT_TRIED.iter().find(|(other, _)| *other == name).map(|(_, why)| *why);
    let left = ended.as_ref().map_or_else(|| "its question was not reached".to_owned(), ToString::to_string);
    let outcome = |point: &Point| match (why(point.name), run.outcomes.get(point.name)) {
        (Some(why), _) => Outcome::NotTried(why.to_owned()),
        (None, Some(outcome)) => outcome.clone(),
        (None, None) => Outcome::NotTried(left.clone()),
    };
    let points: Vec<_> = POINTS.iter().map(|point| (*point, outcome(point))).collect();
    let seen = points.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Seen(_)));
    run.dialect.seen = seen.map(|(point, _)| point.name.to_owned()).collect();
    run.dialect.asked_at = Some(clock.now());
    Findings { points, dialect: run.dialect, calls: run.caller.made, ended }
}

impl Findings {
    /// The names of the points that were seen.
    pub fn seen(&self) -> impl Iterator<Item = &'static str> {
        let is_seen = |outcome: &Outcome| matches!(outcome, Outcome::Seen(_));
        self.points.iter().filter(move |(_, outcome)| is_seen(outcome)).map(|(point, _)| point.name)
    }

    /// Writes the report and the dialect into the origin's folder, each whole or not at all. Needs no lock: a running service reads
    /// the dialect on SIGHUP.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, origin: &str) -> io::Result<PathBuf> {
        let dialect = self.dialect.text()?;
        disk::replace(&folder.join(DIALECT_FILE), redact(&dialect).as_bytes())?;
        let report = folder.join(REPORT_FILE);
        disk::replace(&report, self.report(origin).as_bytes())?;
        Ok(report)
    }

    /// The report for people, in Markdown.
    #[must_use]
    pub fn report(&self, origin: &str) -> String {
        redact(&report::write(self, origin)).into_owned()
    }
}
