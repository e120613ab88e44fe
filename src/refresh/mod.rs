//! Background work: keeping the catalogue, the feeds and the indicators up to date, and reading ahead what is used most.

pub mod feeds;
pub mod figures;
pub mod headlines;
pub mod indicators;
pub mod read_ahead;
pub mod readable;
pub mod sync;
pub mod tasks;
pub mod updates;
