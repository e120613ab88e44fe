//! The store of cells: blocks of figures by the cells that they have and their revision.
//!
//! Other modules use the trait [`CellStore`], which does not say where blocks are kept. The store does not know where they come from.

pub mod block;
pub mod change;
mod disk;
pub mod file;
pub mod freshness;
mod index;
pub mod key;
pub mod made_files;
pub mod member_sets;
mod numbering;
mod part;
mod period_runs;
mod revised;
pub mod revisions;
mod stream;
pub mod tiered;
pub mod uses;
pub mod window;
pub mod writer;

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::catalogue::id::MeasurementId;
use crate::store::block::{CellBlock, Revision, SharedBlock};
use crate::store::file::FileError;
use crate::store::key::CellKey;
use crate::store::member_sets::MemberSets;

/// Stores blocks.
#[async_trait]
pub trait CellStore: Send + Sync + Debug {
    /// The blocks of that revision that hold cells of the key together, and whether they hold all; only those that will be fresh
    /// at a moment, if one is named.
    async fn find(
        &self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
        fresh_at: Option<DateTime<Utc>>,
    ) -> StoredCells;

    /// The keys of the blocks of that revision that share cells with the key, under the same condition. Reads nothing from disk and
    /// does not count as a use.
    async fn keys(
        &self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
        fresh_at: Option<DateTime<Utc>>,
    ) -> Vec<Arc<CellKey>>;

    /// Blocks of any revision that share cells with the key, with what they hold, the newest first.
    async fn overlapping(&self, table: &MeasurementId, key: &CellKey) -> Vec<StoredFigures>;

    /// The revisions of the table that cells are stored of, the newest first.
    async fn revisions(&self, table: &MeasurementId) -> Vec<Revision>;

    /// Stores a block under its own revision and removes revisions older than the last two. Does not wait: the block is found from
    /// now on, and is written to disk in the background.
    fn insert(&self, table: &MeasurementId, key: CellKey, block: CellBlock) -> StoredFigures;

    /// As [`Self::insert`], under a name that another bridge gave it.
    fn insert_named(
        &self,
        table: &MeasurementId,
        name: String,
        key: CellKey,
        block: CellBlock,
    ) -> StoredFigures;

    /// The names of a table's blocks, the oldest first.
    fn named(&self, table: &MeasurementId) -> Vec<NamedFigures>;

    /// The block of that name.
    async fn block(&self, table: &MeasurementId, name: &str) -> Option<StoredFigures>;

    /// A block as the bytes of its file.
    ///
    /// # Errors
    /// When it has no columns of a block.
    fn encoded(&self, table: &MeasurementId, stored: &StoredFigures) -> Result<Vec<u8>, FileError>;

    /// Reads such bytes.
    ///
    /// # Errors
    /// When they are damaged, or of another table or origin.
    fn decoded(&self, table: &MeasurementId, bytes: &[u8]) -> Result<(CellKey, CellBlock), FileError>;

    /// The same members, where they are known, as the table's blocks share them: then their ids are not compared with those of each block.
    fn shared_members(&self, table: &MeasurementId, members: MemberSets) -> MemberSets;

    /// Removes the blocks of that revision whose cells the key covers.
    fn forget(&self, table: &MeasurementId, revision: Revision, key: &CellKey);

    /// How many blocks are stored, and their bytes.
    fn size(&self) -> StoreSize;

    /// The tables that figures are stored of, and when the latest of each were read.
    fn tables(&self) -> Vec<(MeasurementId, DateTime<Utc>)>;

    /// Why blocks are not written to disk, if they should be.
    fn problem(&self) -> Option<String>;

    /// Waits until all blocks are written.
    async fn flush(&self);
}

/// Reads every stored block of an origin whole, without changing anything: how many files there are, and why some cannot be used.
#[must_use]
pub fn verify(folder: &Path, origin: &str) -> (usize, Vec<(PathBuf, String)>) {
    let checked = disk::CellFolder::new(folder.to_owned(), origin.to_owned()).verify();
    let files = checked.len();
    let wrong = checked.into_iter().filter_map(|(path, read)| Some((path, read.err()?.to_string())));
    (files, wrong.collect())
}

/// A block, and what it holds.
pub type StoredFigures = (Arc<CellKey>, SharedBlock);

/// What is known of a block without reading it.
#[derive(Debug, Clone)]
pub struct NamedFigures {
    /// The same for all bridges, and for ever.
    pub name: String,
    pub key: Arc<CellKey>,
    pub revision: Revision,
    pub fetched_at: DateTime<Utc>,
}

/// What a store has of some cells.
#[derive(Debug, Clone, Default)]
pub struct StoredCells {
    /// The newest first.
    pub blocks: Vec<StoredFigures>,
    /// Whether they hold all that was looked for.
    pub is_complete: bool,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSize {
    /// In memory.
    pub blocks: usize,
    pub bytes: usize,
    pub disk_blocks: usize,
    pub disk_bytes: u64,
    /// Files that were made of figures.
    pub file_bytes: u64,
}

impl StoreSize {
    /// All that counts towards the disk's budget.
    #[must_use]
    pub fn on_disk(&self) -> u64 {
        self.disk_bytes + self.file_bytes
    }
}
