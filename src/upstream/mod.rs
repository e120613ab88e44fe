//! The client of the databank's HTTP API, version 3: typed requests, tolerant reading of answers, and failures as typed errors.

pub mod caller;
pub mod circuit;
pub mod client;
pub mod data;
pub mod decode;
pub mod dialect;
pub mod error;
pub mod forms;
pub mod key;
pub mod opening;
pub mod queue;
pub mod read;
pub mod request;
pub mod retry;
pub mod slots;
pub mod wire;

mod distinct;
mod hints;
mod verdict;

pub use hints::TableHints;
