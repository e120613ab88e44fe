//! Requests to the store of cells, as metrics count them.

use std::fmt;

/// Is told of every request for cells.
pub trait StoreObserver: Send + Sync + fmt::Debug {
    /// Cells were asked for, and were there or not.
    fn store_request(&self, found: bool);

    /// Cells were served that may no longer be the newest.
    fn stale_served(&self);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl StoreObserver for Unobserved {
    fn store_request(&self, _: bool) {}
    fn stale_served(&self) {}
}
