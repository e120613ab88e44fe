//! What can happen, as values; who counts, logs or shows them is a sink's concern.

pub mod metrics;
mod process;
pub mod reports;
pub mod store_observer;
pub mod upstream_observer;
