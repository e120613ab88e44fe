//! Cells that we have: blocks of figures under what they hold and the revision that they belong to.
//!
//! Whoever needs cells asks a [`CellStore`]. Nothing here knows where blocks come from, and nothing elsewhere may assume that
//! they are kept in this process.

pub mod block;
pub mod change;
mod disk;
mod file;
pub mod freshness;
mod index;
pub mod key;
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

/// A place that keeps blocks.
#[async_trait]
pub trait CellStore: Send + Sync + Debug {
    /// A block of that revision that holds all the cells of the key, perhaps among others.
    async fn find(&self, table: &MeasurementId, revision: Revision, key: &CellKey) -> Option<SharedBlock>;

    /// When such a block was fetched. Nothing is read for the answer, and it counts as no use.
    async fn fetched_at(
        &self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
    ) -> Option<DateTime<Utc>>;

    /// Blocks of any revision that share cells with the key, with what they hold, the newest first.
    async fn overlapping(&self, table: &MeasurementId, key: &CellKey) -> Vec<(CellKey, SharedBlock)>;

    /// The revisions of which the store holds cells of the table, the newest first.
    async fn revisions(&self, table: &MeasurementId) -> Vec<Revision>;

    /// Keeps a block under its own revision; older revisions than the last two are let go. Waits for nothing: the block is
    /// found from now on, and is written where it is to stay when there is time.
    fn insert(&self, table: &MeasurementId, key: CellKey, block: CellBlock) -> SharedBlock;

    /// Lets go what is stored of these cells under that revision.
    fn forget(&self, table: &MeasurementId, revision: Revision, key: &CellKey);

    /// How many blocks are kept, and their bytes.
    fn size(&self) -> StoreSize;

    /// Why blocks are not kept beyond this process, where they should be.
    fn problem(&self) -> Option<String>;

    /// Waits until all that was inserted is where it is to stay.
    async fn flush(&self);
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSize {
    /// In memory.
    pub blocks: usize,
    pub bytes: usize,
    pub disk_blocks: usize,
    pub disk_bytes: u64,
}
