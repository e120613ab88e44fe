//! The trait through which the store of cells reports hits, evictions and disk trouble.

use std::fmt;

/// Receives the events of the store.
pub trait StoreObserver: Send + Sync + fmt::Debug {
    /// Cells were looked up; `found` says whether they were in store.
    fn store_request(&self, found: bool);

    /// Cells were served that may no longer be the newest.
    fn stale_served(&self);

    /// So many blocks were removed from memory to make room.
    fn evicted(&self, blocks: usize);

    /// A stored file could not be used and was set aside.
    fn damaged_file(&self);

    /// A block was written to disk, or could not be.
    fn disk_writable(&self, writable: bool);

    /// So many figures of a table have changed.
    fn figures_revised(&self, figures: usize);
}
