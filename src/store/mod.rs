//! The store of cells: blocks of figures by the cells that they have and their revision.
//!
//! Other modules use the trait [`CellStore`], which does not say where blocks are kept. The store does not know where they come from.

pub mod block;
pub mod change;
mod disk;
mod file;
pub mod freshness;
mod index;
pub mod key;
mod revised;
pub mod revisions;
pub mod tiered;
pub mod uses;
pub mod writer;

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::catalogue::id::MeasurementId;
use crate::store::block::{CellBlock, Revision, SharedBlock};
use crate::store::key::CellKey;

/// Stores blocks.
#[async_trait]
pub trait CellStore: Send + Sync + Debug {
    /// A block of that revision that has all cells of the key, possibly among others.
    async fn find(&self, table: &MeasurementId, revision: Revision, key: &CellKey) -> Option<SharedBlock>;

    /// When such a block was fetched. Does not read the block from disk and does not count as a use.
    async fn fetched_at(
        &self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
    ) -> Option<DateTime<Utc>>;

    /// Blocks of any revision that share cells with the key, with their keys, the newest first.
    async fn overlapping(&self, table: &MeasurementId, key: &CellKey) -> Vec<(CellKey, SharedBlock)>;

    /// The revisions of the table that cells are stored of, the newest first.
    async fn revisions(&self, table: &MeasurementId) -> Vec<Revision>;

    /// Stores a block under its own revision and removes all but the last two revisions. Returns at once: the block is found from now
    /// on and is written to disk in the background.
    fn insert(&self, table: &MeasurementId, key: CellKey, block: CellBlock) -> SharedBlock;

    /// Removes the blocks of that revision whose cells the key covers.
    fn forget(&self, table: &MeasurementId, revision: Revision, key: &CellKey);

    /// How many blocks are stored, and their bytes.
    fn size(&self) -> StoreSize;

    /// Why blocks are not written to disk, if they should be.
    fn problem(&self) -> Option<String>;

    /// Waits until all blocks are written.
    async fn flush(&self);
}

/// The size of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSize {
    /// In memory.
    pub blocks: usize,
    pub bytes: usize,
    pub disk_blocks: usize,
    pub disk_bytes: u64,
}
