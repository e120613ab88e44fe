//! Helpers that the tests of several parts share.

pub mod app;
pub mod canned;
pub mod canned_app;
pub mod log;
pub mod open_files;
pub mod patience;
pub mod wire;
