//! What is brought up to date in the background, and when.

pub mod feeds;
pub mod figures;
pub mod indicators;
pub mod read_ahead;
pub mod sync;
pub mod updates;
