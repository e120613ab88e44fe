//! What one reader may read of the catalogue, the feeds and the log of revised figures. Whoever answers a request sees them only
//! through this.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::answer::error::BridgeError;
use crate::catalogue::Catalogue;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::revised::RevisedFigure;
use crate::feed::Feed;
use crate::feed::origin::Origin;
use crate::refresh::feeds::FeedKeeper;
use crate::refresh::sync::keeper::CatalogueError;
use crate::sign_in::reader::Tables;

/// The tables of a reader. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readable {
    keeper: Arc<FeedKeeper>,
    tables: Tables,
}

impl Readable {
    /// What may be read of the feeds by whom everything is open to.
    #[must_use]
    pub fn all(keeper: Arc<FeedKeeper>) -> Self {
        Self { keeper, tables: Tables::All }
    }

    /// The same with other tables.
    #[must_use]
    pub fn of(&self, tables: Tables) -> Self {
        Self { keeper: Arc::clone(&self.keeper), tables }
    }

    /// What keeps the services of all tables, for tests.
    #[cfg(feature = "insides")]
    #[must_use]
    pub fn keeper(&self) -> &Arc<FeedKeeper> {
        &self.keeper
    }

    /// The log of revised figures of all tables, for tests that write to it.
    #[cfg(feature = "insides")]
    #[must_use]
    pub fn log(&self) -> &crate::store::revisions::RevisionLog {
        self.keeper.revisions()
    }

    /// The upstream that the feeds' figures come from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.keeper.origin()
    }

    /// The tables that the reader may read, those that cannot be used among them.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The metadata of the tables.
    #[must_use]
    pub fn listed(&self) -> Arc<Catalogue> {
        self.keeper.listed(&self.tables)
    }

    /// Whether all names that were given are saved.
    #[must_use]
    pub fn names_are_saved(&self) -> bool {
        self.keeper.names_are_saved()
    }

    /// Why there is no list of tables; `None` if there is one.
    #[must_use]
    pub fn why_empty(&self) -> Option<CatalogueError> {
        self.keeper.why_empty()
    }

    /// The revised figures, the newest first.
    #[must_use]
    pub fn revised(&self) -> Vec<Arc<RevisedFigure>> {
        self.keeper.revised(&self.tables)
    }

    /// The catalogue service.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Feed> {
        self.keeper.catalogue(&self.tables)
    }

    /// The catalogue service, for who asks for what is at a raw path of it.
    ///
    /// # Errors
    /// When there is no list of tables, and it is known why, or the path begins with the set of a table that the reader may not read.
    pub fn catalogue_at(&self, path: &str) -> Result<Arc<Feed>, BridgeError> {
        self.keeper.check_listed()?;
        let feed = self.catalogue();
        let name = percent_decode_str(path.split(['/', '(', '?']).next().unwrap_or_default());
        let name = name.decode_utf8_lossy();
        if feed.set_index(&name).is_none() && self.tables != Tables::All {
            let all = self.keeper.catalogue(&Tables::All);
            let hidden = all.set_index(&name).and_then(|index| all.sets.get(index)?.alias.as_deref());
            if let Some(table) = hidden {
                return Err(BridgeError::NotAllowed { table: MeasurementId::from(table) });
            }
        }
        Ok(feed)
    }

    /// The service of a table, or the catalogue's without one, if it was made before and is up to date. Reads nothing and waits for nobody.
    #[must_use]
    pub fn at_hand(&self, table: Option<&str>) -> Option<Arc<Feed>> {
        self.keeper.at_hand(table, &self.tables)
    }

    /// The service of a table. Its metadata is read from the upstream first if it was not read since the table's last update.
    ///
    /// # Errors
    /// When there is no such table, the reader may not read it, or its metadata cannot be read.
    pub async fn table(&self, name: &str) -> Result<Arc<Feed>, BridgeError> {
        self.keeper.table(name, &self.tables).await
    }
}
