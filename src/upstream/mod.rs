//! The databank's HTTP interface, version 3: requests that cannot be wrong, answers read with tolerance, failures as values.

pub mod circuit;
pub mod client;
pub mod data;
pub mod decode;
pub mod error;
pub mod opening;
pub mod read;
pub mod request;
pub mod retry;
pub mod wire;

mod hints;
mod verdict;

pub use hints::TableHints;
