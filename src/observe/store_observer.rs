//! Requests to the store of cells, as metrics count them.

use std::fmt;

/// Is told of every request for cells, and of what becomes of stored ones.
pub trait StoreObserver: Send + Sync + fmt::Debug {
    /// Cells were asked for, and were there or not.
    fn store_request(&self, found: bool);

    /// Cells were served that may no longer be the newest.
    fn stale_served(&self);

    /// So many blocks were let go from memory to make room.
    fn evicted(&self, blocks: usize);

    /// A stored file could not be used and was set aside.
    fn damaged_file(&self);

    /// A block was written to disk, or could not be.
    fn disk_writable(&self, writable: bool);

    /// So many figures of a table are others than before.
    fn figures_revised(&self, figures: usize);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl StoreObserver for Unobserved {
    fn store_request(&self, _: bool) {}
    fn stale_served(&self) {}
    fn evicted(&self, _: usize) {}
    fn damaged_file(&self) {}
    fn disk_writable(&self, _: bool) {}
    fn figures_revised(&self, _: usize) {}
}
