//! Builds the OData services (feeds) from the current catalogue, under names that never change.
//!
//! A feed is built when it is first requested and again when its part of the catalogue was read again. Names are saved in
//! `names.json`, which only grows and has one writer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use thiserror::Error;

use crate::answer::error::BridgeError;
use crate::catalogue::Catalogue;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::catalogue::revised::RevisedFigure;
use crate::disk::{self, SavedFileError};
use crate::error::closest;
use crate::feed::catalogue_feed::catalogue_feed;
use crate::feed::origin::Origin;
use crate::feed::registry::{NameRegistry, RegistryError};
use crate::feed::table_feed::table_feed;
use crate::feed::{Feed, LeftOut};
use crate::fetch::error::FetchError;
use crate::observe::news::{Announcements, Facts, Informed, Topic};
use crate::odata::csdl::check::check;
use crate::refresh::sync::keeper::{CatalogueError, CatalogueKeeper};
use crate::sign_in::reader::Tables;
use crate::store::revisions::RevisionLog;
use crate::upstream::error::Failure;

/// The most lists of tables for which a catalogue service is kept.
const MOST_CATALOGUES: usize = 64;
pub const NAMES_FILE: &str = "names.json";
/// The version of the file's format; a file of another version is not read.
const NAMES_VERSION: u32 = 1;

/// Builds feeds and caches them.
#[derive(Debug)]
pub struct FeedKeeper {
    catalogue: Arc<CatalogueKeeper>,
    revisions: RevisionLog,
    origin: Origin,
    names_path: PathBuf,
    /// Beside `built`, which is locked while feeds are built and names are written.
    names_are_saved: AtomicBool,
    announcements: Announcements,
    built: RwLock<Built>,
}

#[derive(Debug)]
struct Built {
    names: NameRegistry,
    /// For each list of tables that somebody may read: each is a feed of its own, so that nothing that is made of one is given to who
    /// reads another.
    catalogues: HashMap<Tables, BuiltCatalogue>,
    tables: HashMap<MeasurementId, BuiltTable>,
}

/// The metadata of some tables and the catalogue service with them, and what they were made of.
#[derive(Debug, Clone)]
struct BuiltCatalogue {
    state: CatalogueState,
    listed: Arc<Catalogue>,
    feed: Arc<Feed>,
}

/// What a catalogue service is made of.
#[derive(Debug, Clone)]
struct CatalogueState {
    catalogue: Arc<Catalogue>,
    /// Additions to the log of revisions.
    additions: u64,
}

impl PartialEq for CatalogueState {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.catalogue, &other.catalogue) && self.additions == other.additions
    }
}

#[derive(Debug)]
struct BuiltTable {
    measurement: Arc<Measurement>,
    head: Option<Arc<MeasurementHead>>,
    /// The feed, or why its sets cannot be described.
    feed: Result<Arc<Feed>, String>,
}

impl BuiltTable {
    /// What was made of these parts of the catalogue; `None` if it was made of others.
    fn feed_of(
        &self,
        measurement: &Arc<Measurement>,
        head: &Arc<MeasurementHead>,
    ) -> Option<Result<Arc<Feed>, String>> {
        let is_of_them = Arc::ptr_eq(&self.measurement, measurement) && self.head.as_ref() == Some(head);
        is_of_them.then(|| self.feed.clone())
    }
}

impl Built {
    /// Keeps what was made for a list of tables. Where there are too many lists, those go first that were not asked for since the state
    /// before; one that is made anew takes its own place.
    fn keep(&mut self, tables: &Tables, made: BuiltCatalogue) {
        let is_full = |built: &Self| built.catalogues.len() >= MOST_CATALOGUES;
        if !self.catalogues.contains_key(tables) {
            if is_full(self) {
                self.catalogues.retain(|tables, kept| *tables == Tables::All || kept.state == made.state);
            }
            if is_full(self) {
                self.catalogues.retain(|tables, _| *tables == Tables::All);
            }
        }
        self.catalogues.insert(tables.clone(), made);
    }
}

/// Why names cannot be assigned: without the recorded ones, new names could differ from those that clients use.
#[derive(Debug, Error)]
pub enum NamesError {
    #[error(
        "the file {path} cannot be used: {source}; restore it, or remove it to have all names given anew"
    )]
    Unusable { path: PathBuf, source: SavedFileError },
    #[error(
        "the file {path} cannot be served from: {source}; restore it, or remove it to have all names given anew"
    )]
    Wrong { path: PathBuf, source: RegistryError },
}

/// The names that were assigned before; none if there is no file.
///
/// # Errors
/// When the file exists but cannot be used.
pub fn saved_names(folder: &Path) -> Result<NameRegistry, NamesError> {
    let path = folder.join(NAMES_FILE);
    let names: Option<NameRegistry> = disk::read(&path, NAMES_VERSION)
        .map_err(|source| NamesError::Unusable { path: path.clone(), source })?;
    names.unwrap_or_default().checked().map_err(|source| NamesError::Wrong { path, source })
}

impl FeedKeeper {
    /// Reads the names that were assigned before.
    ///
    /// # Errors
    /// When the file exists but cannot be read.
    pub fn open(
        folder: PathBuf,
        catalogue: Arc<CatalogueKeeper>,
        revisions: RevisionLog,
        origin: Origin,
        announcements: Announcements,
    ) -> Result<Self, NamesError> {
        let (names_path, names) = (folder.join(NAMES_FILE), saved_names(&folder)?);
        let names_are_saved = AtomicBool::new(!names.is_changed());
        let built = RwLock::new(Built { names, catalogues: HashMap::new(), tables: HashMap::new() });
        Ok(Self { catalogue, revisions, origin, names_path, names_are_saved, announcements, built })
    }

    /// The log of revised figures, for tests that write to it.
    #[cfg(feature = "insides")]
    #[must_use]
    pub fn revisions(&self) -> &RevisionLog {
        &self.revisions
    }

    /// The upstream that the feeds' figures come from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether there is a list of tables.
    ///
    /// # Errors
    /// When there is none, and it is known why.
    pub fn check_listed(&self) -> Result<(), BridgeError> {
        match self.why_empty().as_ref().and_then(CatalogueError::upstream) {
            Some(error) => Err(FetchError::from(error.clone()).into()),
            None => Ok(()),
        }
    }

    /// Whether all names that were given are saved, so that they are the same after a restart.
    #[must_use]
    pub fn names_are_saved(&self) -> bool {
        self.names_are_saved.load(Ordering::Relaxed)
    }

    /// Why there is no list of tables; `None` if there is one.
    #[must_use]
    pub fn why_empty(&self) -> Option<CatalogueError> {
        self.catalogue.why_empty()
    }

    /// The metadata of these tables.
    #[must_use]
    pub fn listed(&self, tables: &Tables) -> Arc<Catalogue> {
        match tables {
            Tables::All => self.catalogue.current(),
            Tables::Only(_) => self.restricted(tables).listed,
        }
    }

    /// The revised figures of these tables, the newest first.
    #[must_use]
    pub fn revised(&self, tables: &Tables) -> Vec<Arc<RevisedFigure>> {
        let mut figures = self.revisions.figures();
        figures.retain(|figure| tables.allow(&figure.table));
        figures
    }

    /// The catalogue service with these tables.
    #[must_use]
    pub fn catalogue(&self, tables: &Tables) -> Arc<Feed> {
        self.restricted(tables).feed
    }

    /// What is kept for a list of tables.
    fn restricted(&self, tables: &Tables) -> BuiltCatalogue {
        let (catalogue, additions) = (self.catalogue.current(), self.revisions.additions());
        let (state, mut built) = (CatalogueState { catalogue, additions }, self.built());
        // All names are given first, so that they do not depend on who asks first.
        let all = self.build_catalogue(&mut built, &state, &Tables::All);
        if *tables == Tables::All { all } else { self.build_catalogue(&mut built, &state, tables) }
    }

    fn build_catalogue(&self, built: &mut Built, state: &CatalogueState, tables: &Tables) -> BuiltCatalogue {
        let earlier = built.catalogues.get(tables);
        if let Some(earlier) = earlier.filter(|earlier| earlier.state == *state) {
            return earlier.clone();
        }
        let listed = match tables {
            Tables::All => Arc::clone(&state.catalogue),
            Tables::Only(_) => Arc::new(state.catalogue.restricted(|table| tables.allow(table.as_str()))),
        };
        built.names.freeze(!self.announcements.may_name());
        let feed = catalogue_feed(&listed, &self.revised(tables), &self.origin, &mut built.names);
        let known = earlier.map(|earlier| earlier.feed.left_out.as_slice()).unwrap_or_default();
        let is_news = |left_out: &&LeftOut| *tables == Tables::All && !known.contains(left_out);
        for LeftOut { table, reason } in feed.left_out.iter().filter(is_news) {
            tracing::warn!(%table, reason, "the table's set cannot be described; it is left out");
        }
        let feed = like(earlier.map(|earlier| &*earlier.feed), feed);
        let made = BuiltCatalogue { state: state.clone(), listed, feed: Arc::new(feed) };
        built.keep(tables, made.clone());
        self.keep_names(built);
        made
    }

    /// The service of a table. Its metadata is read from the upstream first if it was not read since the table's last update.
    ///
    /// # Errors
    /// When there is no such table, it is none of these tables, or its metadata cannot be read.
    pub async fn table(&self, name: &str, tables: &Tables) -> Result<Arc<Feed>, BridgeError> {
        let catalogue = self.catalogue.current();
        if catalogue.heads.is_empty() {
            self.check_listed()?;
            return Err(BridgeError::TableNotRead(MeasurementId::from(name.to_lowercase())));
        }
        let Some(head) = catalogue.head(name).cloned() else {
            return Err(self.unknown(&self.listed(tables), name));
        };
        if !tables.allow(head.id.as_str()) {
            return Err(BridgeError::NotAllowed { table: head.id.clone() });
        }
        // A table that was updated is read again first, so that its periods match the figures that will be read.
        let measurement = self.catalogue.measurement(head.id.as_str()).await.map_err(|error| {
            tracing::warn!(table = %head.id, %error, "table could not be read");
            match error.upstream().filter(|error| error.failure == Failure::Unauthorized) {
                Some(refused) => FetchError::from(refused.clone()).into(),
                None if error.concerns_the_metadata() => {
                    BridgeError::UnusableTable { table: head.id.clone(), reason: error.to_string() }
                }
                None => BridgeError::TableNotRead(head.id.clone()),
            }
        })?;
        let table = head.id.clone();
        match self.feed_of(measurement, head) {
            Some(feed) => feed.map_err(|reason| BridgeError::UnusableTable { table, reason }),
            None => Err(BridgeError::Unnamed(table)),
        }
    }

    /// The service of a table, or the catalogue's without one, if it was made before and is up to date. Reads nothing and waits for nobody.
    pub fn at_hand(&self, table: Option<&str>, tables: &Tables) -> Option<Arc<Feed>> {
        let catalogue = self.catalogue.current();
        let Some(name) = table else {
            let state = CatalogueState { catalogue, additions: self.revisions.additions() };
            let built = self.built.try_read().ok()?;
            let kept = built.catalogues.get(tables).filter(|kept| kept.state == state)?;
            return (!kept.listed.heads.is_empty()).then(|| Arc::clone(&kept.feed));
        };
        let head = catalogue.head(name).filter(|head| tables.allow(head.id.as_str()))?;
        let measurement = self.catalogue.at_hand(&head.id)?;
        self.built.try_read().ok()?.tables.get(&head.id)?.feed_of(&measurement, head)?.ok()
    }

    /// The service of a table, or why its sets cannot be described; `None` where it needs new names and none can be given.
    fn feed_of(
        &self,
        measurement: Arc<Measurement>,
        head: Arc<MeasurementHead>,
    ) -> Option<Result<Arc<Feed>, String>> {
        let mut built = self.built();
        let earlier = built.tables.get(&measurement.id);
        if let Some(feed) = earlier.and_then(|table| table.feed_of(&measurement, &head)) {
            return Some(feed);
        }
        let earlier = earlier.and_then(|table| table.feed.clone().ok());
        let may_name = self.announcements.may_name();
        built.names.freeze(!may_name);
        let feed = table_feed(&measurement, Some(&head), &self.origin, &mut built.names);
        let feed = match (check(&feed.schema), &earlier) {
            (Ok(()), _) => Ok(Arc::new(like(earlier.as_deref(), feed))),
            // What is new has no name, so the table stays as it was. It is not kept, so that it is made when names can be given.
            (Err(_), Some(earlier)) if !may_name => return Some(Ok(Arc::clone(earlier))),
            (Err(_), None) if !may_name => return None,
            (Err(error), _) => Err(error.to_string()),
        };
        let table =
            BuiltTable { measurement: Arc::clone(&measurement), head: Some(head), feed: feed.clone() };
        built.tables.insert(measurement.id.clone(), table);
        self.keep_names(&mut built);
        Some(feed)
    }

    fn unknown(&self, catalogue: &Catalogue, name: &str) -> BridgeError {
        let suggestion = closest(name, catalogue.heads.keys().map(MeasurementId::as_str));
        BridgeError::UnknownTable { table: name.to_owned(), origin: self.origin.name.clone(), suggestion }
    }

    /// Saves new names. If that fails they are used all the same, and saving is tried again with the next new name.
    fn keep_names(&self, built: &mut Built) {
        if !built.names.is_changed() {
            return;
        }
        let news = built.names.take_news();
        self.announcements.tell(Topic::Names, || news);
        match disk::keep(&self.names_path, NAMES_VERSION, &built.names) {
            Ok(()) => built.names.mark_saved(),
            Err(error) => {
                tracing::error!(file = %self.names_path.display(), %error, "names could not be kept")
            }
        }
        self.names_are_saved.store(!built.names.is_changed(), Ordering::Relaxed);
    }

    fn built(&self) -> RwLockWriteGuard<'_, Built> {
        self.built.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names that other bridges gave win, so that addresses are the same on all of them.
impl Informed for FeedKeeper {
    fn facts(&self) -> Facts {
        self.built().names.facts()
    }

    fn adopt(&self, facts: Facts) {
        let mut built = self.built();
        for (table, names) in facts {
            match built.names.adopt(&table, &names) {
                Ok(true) => drop(built.tables.remove(&MeasurementId::from(table.as_str()))),
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(table, %error, "names that another bridge gave cannot be used");
                    continue;
                }
            }
            built.catalogues.clear();
        }
        self.keep_names(&mut built);
    }

    fn prepare(&self) {
        self.name_all();
    }
}

impl FeedKeeper {
    /// Names the parts of all tables whose metadata is known, so that they can be read also while no new names can be given. One table at a
    /// time: requests are answered meanwhile.
    fn name_all(&self) {
        let catalogue = self.catalogue.current();
        for measurement in catalogue.measurements.values() {
            let mut built = self.built();
            let is_named = built.tables.contains_key(&measurement.id);
            if is_named || !self.announcements.may_name() {
                continue;
            }
            built.names.freeze(false);
            let head = catalogue.heads.get(&measurement.id);
            // Only the names are of interest.
            let _ = table_feed(measurement, head.map(|head| &**head), &self.origin, &mut built.names);
        }
        self.keep_names(&mut self.built());
    }
}

/// A feed that is told to have the schema of an earlier one, if it has, as it mostly is after an update: then documents that were made of it stay,
/// and those of feeds that are gone do not pile up.
fn like(earlier: Option<&Feed>, feed: Feed) -> Feed {
    match earlier.filter(|earlier| earlier.schema == feed.schema) {
        Some(earlier) => Feed { schema_id: earlier.schema_id, ..feed },
        None => feed,
    }
}
