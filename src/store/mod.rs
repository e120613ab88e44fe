//! Cells that we have: blocks of figures under what they hold and the revision that they belong to.
//!
//! Whoever needs cells asks a [`CellStore`]. Nothing here knows where blocks come from, and nothing elsewhere may assume that
//! they are kept in this process.

pub mod block;
pub mod freshness;
pub mod key;
pub mod memory;

use std::fmt::Debug;

use crate::catalogue::id::MeasurementId;
use crate::store::block::{CellBlock, Revision, SharedBlock};
use crate::store::key::CellKey;

/// A place that keeps blocks.
pub trait CellStore: Send + Sync + Debug {
    /// A block of that revision that holds all the cells of the key, perhaps among others.
    fn find(&self, table: &MeasurementId, revision: Revision, key: &CellKey) -> Option<SharedBlock>;

    /// The revisions of which the store holds cells of the table, the newest first.
    fn revisions(&self, table: &MeasurementId) -> Vec<Revision>;

    /// Keeps a block under its own revision; older revisions than the last two are let go.
    fn insert(&self, table: &MeasurementId, key: CellKey, block: CellBlock) -> SharedBlock;

    /// How many blocks are kept, and their bytes.
    fn size(&self) -> StoreSize;
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSize {
    pub blocks: usize,
    pub bytes: usize,
}
