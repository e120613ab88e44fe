//! The command `check`: what is wrong with the settings, the indicators and the stored files. It only reads, and locks nothing, so
//! that it works beside a running service.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::disk;
use crate::fetch::learnt;
use crate::indicators::{resolve, saved};
use crate::observe::metrics::Metrics;
use crate::observe::news::Announcements;
use crate::refresh::feeds::{self, NAMES_FILE};
use crate::refresh::sync::files::{self, CatalogueFiles};
use crate::refresh::sync::keeper::{CatalogueKeeper, SyncScope};
use crate::service::{self, ServiceOptions, StartError};
use crate::store::{self, revisions, uses};
use crate::upstream::TableHints;
use crate::upstream::dialect::{DIALECT_FILE, Dialect};
use crate::upstream::retry::Retry;
use crate::upstream::slots::NoOthers;

/// The files of the folder itself that have a saved value, each with the number of its form.
const VALUES: [(&str, u32); 4] = [
    (saved::FILE, saved::VERSION),
    (learnt::FILE, learnt::VERSION),
    (revisions::FILE, revisions::VERSION),
    (uses::FILE, uses::VERSION),
];

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// What is as it should be, a line each.
    pub found: Vec<String>,
    /// What is not.
    pub wrong: Vec<String>,
    /// How many of these are indicators that do not fit their tables.
    pub misfits: usize,
}

/// Checks everything that can be checked without a running service. `asks` says whether the key is tried with one call.
///
/// # Errors
/// When a setting cannot be used.
pub async fn check(options: &ServiceOptions, asks: bool) -> Result<Report, StartError> {
    let mut report = Report::default();
    let definitions = service::definitions(&options.settings)?;
    let folder = options.settings.data_dir.join(&options.upstream.folder);
    let keeper = keeper(options, &folder)?;
    service::check_exposure(&options.settings)?;
    let sign_in = service::sign_in(&options.settings, &options.clock, Announcements::default())?;
    report.found.push("settings: ok".to_owned());
    if !sign_in.is_open() {
        report.found.push(format!("users: {}", sign_in.number_of_users()));
    }
    stored(&folder, &options.upstream.origin.name, &mut report);
    if asks {
        match keeper.look_up().await {
            Ok(()) => report.found.push("upstream: ok".to_owned()),
            Err(error) => report.wrong.push(format!("the upstream cannot be read: {error}")),
        }
    }
    if options.upstream.origin.is_simulator
        && let Err(error) = keeper.sync(SyncScope::Due, 2, |_| {}).await
    {
        report.wrong.push(format!("the simulator cannot be read: {error}"));
    }
    let catalogue = keeper.current();
    if catalogue.heads.is_empty() {
        report.wrong.push("the list of tables was never read; `check --upstream` tells why".to_owned());
    }
    let (listed, read) = (catalogue.heads.len(), catalogue.measurements.len());
    report.found.push(format!("catalogue: {listed} tables listed, {read} read"));
    ready_tables(&options.settings.ready_tables, &catalogue, &mut report);
    let misfits = resolve::check(&definitions, &catalogue);
    if misfits.is_empty() {
        report.found.push("indicators: ok".to_owned());
    }
    report.misfits = misfits.len();
    report.wrong.extend(misfits.iter().map(|error| format!("indicators: {error}")));
    Ok(report)
}

/// The catalogue as it is stored. Calls are tried once.
fn keeper(options: &ServiceOptions, folder: &Path) -> Result<CatalogueKeeper, StartError> {
    let mut options = options.clone();
    options.upstream.retry = Retry { pauses: Vec::new(), jitter: 0.0 };
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), "unknown")?;
    let client =
        service::client(&options, vec![Arc::new(metrics)], (Arc::new(NoOthers), Announcements::default()))?;
    let files = CatalogueFiles::read_only(folder.join(service::CATALOGUE));
    Ok(CatalogueKeeper::open(files, Arc::new(client), options.clock, TableHints::built_in()))
}

/// Reads every stored file whole, and compares its checksum and the number of its form.
fn stored(folder: &Path, origin: &str, report: &mut Report) {
    let values = saved_values(folder);
    let unusable = |(path, version): &(PathBuf, u32)| match disk::verify(path, *version) {
        Err(disk::SavedFileError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
        checked => Some((path.clone(), checked.err()?.to_string())),
    };
    let dialect = Dialect::read(folder).err().map(|error| (folder.join(DIALECT_FILE), error.to_string()));
    let names = feeds::saved_names(folder).err().map(|error| {
        let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        (folder.join(NAMES_FILE), why)
    });
    let (cells, mut wrong) = store::verify(&folder.join(service::CELLS), origin);
    wrong.extend(values.iter().filter_map(unusable).chain(dialect).chain(names));
    let others = [DIALECT_FILE, NAMES_FILE].iter().filter(|file| folder.join(file).exists()).count();
    let files = cells + values.len() + others;
    let whole = files.saturating_sub(wrong.len());
    report.found.push(format!("stored files: {whole} of {files} are as they were written"));
    let described =
        |(path, why): (PathBuf, String)| format!("{}: the file cannot be used: {why}", path.display());
    report.wrong.extend(wrong.into_iter().map(described));
}

/// The files with a saved value, each with the number of its form: in the folder itself and in those of the catalogue. The names and what a
/// probe found have rules of their own.
fn saved_values(folder: &Path) -> Vec<(PathBuf, u32)> {
    let own = VALUES.map(|(file, version)| (folder.join(file), version));
    let catalogue = folder.join(service::CATALOGUE);
    let folders = [catalogue.join("table"), catalogue];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let answers = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let answers = answers.map(|path| (path, files::VERSION));
    let mut values: Vec<_> = own.into_iter().chain(answers).filter(|(path, _)| path.is_file()).collect();
    values.sort();
    values
}

/// Names the tables to be kept ready that the upstream does not list.
fn ready_tables(tables: &[String], catalogue: &Catalogue, report: &mut Report) {
    if catalogue.heads.is_empty() {
        return;
    }
    for table in tables.iter().filter(|table| catalogue.head(table).is_none()) {
        report.wrong.push(format!("BRIDGE_READY_TABLES: the upstream lists no table {table}"));
    }
}
