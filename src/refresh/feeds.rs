//! Builds the OData services (feeds) from the current catalogue, under names that never change.
//!
//! A feed is built when it is first requested and again when its part of the catalogue was read again. Names are saved in
//! `names.json`, which only grows and has one writer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use crate::answer::error::BridgeError;
use crate::catalogue::Catalogue;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::disk::{self, SavedFileError};
use crate::error::closest;
use crate::feed::catalogue_feed::catalogue_feed;
use crate::feed::origin::Origin;
use crate::feed::registry::{NameRegistry, RegistryError};
use crate::feed::table_feed::table_feed;
use crate::feed::{Feed, LeftOut};
use crate::fetch::error::FetchError;
use crate::odata::csdl::check::check;
use crate::refresh::sync::keeper::{CatalogueError, CatalogueKeeper};
use crate::store::revisions::RevisionLog;
use crate::upstream::error::Failure;

const NAMES_FILE: &str = "names.json";
/// The version of the file's format; a file of another version is not read.
const NAMES_VERSION: u32 = 1;

/// Builds feeds and caches them.
#[derive(Debug)]
pub struct FeedKeeper {
    catalogue: Arc<CatalogueKeeper>,
    revisions: RevisionLog,
    origin: Origin,
    names_path: PathBuf,
    built: Mutex<Built>,
}

#[derive(Debug)]
struct Built {
    names: NameRegistry,
    catalogue: Option<BuiltCatalogue>,
    tables: HashMap<MeasurementId, BuiltTable>,
}

/// The catalogue service, and what it was made of.
#[derive(Debug)]
struct BuiltCatalogue {
    catalogue: Arc<Catalogue>,
    /// Additions to the log of revisions.
    additions: u64,
    feed: Arc<Feed>,
}

#[derive(Debug)]
struct BuiltTable {
    measurement: Arc<Measurement>,
    head: Option<Arc<MeasurementHead>>,
    /// The feed, or why its sets cannot be described.
    feed: Result<Arc<Feed>, String>,
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
    ) -> Result<Self, NamesError> {
        let names_path = folder.join(NAMES_FILE);
        let names: Option<NameRegistry> = disk::read(&names_path, NAMES_VERSION)
            .map_err(|source| NamesError::Unusable { path: names_path.clone(), source })?;
        let names = names
            .unwrap_or_default()
            .checked()
            .map_err(|source| NamesError::Wrong { path: names_path.clone(), source })?;
        let built = Mutex::new(Built { names, catalogue: None, tables: HashMap::new() });
        Ok(Self { catalogue, revisions, origin, names_path, built })
    }

    /// The upstream that the feeds' figures come from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The catalogue service, for readers.
    ///
    /// # Errors
    /// When there is no list of tables, and it is known why.
    pub fn readable_catalogue(&self) -> Result<Arc<Feed>, BridgeError> {
        match self.catalogue.why_empty().as_ref().and_then(CatalogueError::upstream) {
            Some(error) => Err(FetchError::from(error.clone()).into()),
            None => Ok(self.catalogue()),
        }
    }

    /// The catalogue service.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Feed> {
        let (catalogue, additions) = (self.catalogue.current(), self.revisions.additions());
        let mut built = self.built();
        if let Some(built) = &built.catalogue
            && Arc::ptr_eq(&built.catalogue, &catalogue)
            && built.additions == additions
        {
            return Arc::clone(&built.feed);
        }
        let revised = self.revisions.figures();
        let feed = Arc::new(catalogue_feed(&catalogue, &revised, &self.origin, &mut built.names));
        let known = built.catalogue.as_ref().map(|built| built.feed.left_out.as_slice()).unwrap_or_default();
        for LeftOut { table, reason } in feed.left_out.iter().filter(|left_out| !known.contains(left_out)) {
            tracing::warn!(%table, reason, "the table's set cannot be described; it is left out");
        }
        built.catalogue = Some(BuiltCatalogue { catalogue, additions, feed: Arc::clone(&feed) });
        self.keep_names(&mut built);
        feed
    }

    /// The service of a table. Its metadata is read from the upstream first if it was not read since the table's last update.
    ///
    /// # Errors
    /// When there is no such table, or its metadata cannot be read.
    pub async fn table(&self, name: &str) -> Result<Arc<Feed>, BridgeError> {
        let catalogue = self.catalogue.current();
        if catalogue.heads.is_empty() {
            self.readable_catalogue()?;
            return Err(BridgeError::TableNotRead(MeasurementId::from(name.to_lowercase())));
        }
        let Some(head) = catalogue.head(name).cloned() else {
            return Err(self.unknown(&catalogue, name));
        };
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
        self.feed_of(measurement, head).map_err(|reason| BridgeError::UnusableTable { table, reason })
    }

    fn feed_of(
        &self,
        measurement: Arc<Measurement>,
        head: Arc<MeasurementHead>,
    ) -> Result<Arc<Feed>, String> {
        let mut built = self.built();
        if let Some(table) = built.tables.get(&measurement.id)
            && Arc::ptr_eq(&table.measurement, &measurement)
            && table.head.as_ref() == Some(&head)
        {
            return table.feed.clone();
        }
        let feed = table_feed(&measurement, Some(&head), &self.origin, &mut built.names);
        let feed = match check(&feed.schema) {
            Ok(()) => Ok(Arc::new(feed)),
            Err(error) => Err(error.to_string()),
        };
        let table =
            BuiltTable { measurement: Arc::clone(&measurement), head: Some(head), feed: feed.clone() };
        built.tables.insert(measurement.id.clone(), table);
        self.keep_names(&mut built);
        feed
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
        match disk::keep(&self.names_path, NAMES_VERSION, &built.names) {
            Ok(()) => built.names.mark_saved(),
            Err(error) => {
                tracing::error!(file = %self.names_path.display(), %error, "names could not be kept")
            }
        }
    }

    fn built(&self) -> MutexGuard<'_, Built> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
