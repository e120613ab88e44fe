//! What several parts' tests share.

pub mod app;
pub mod canned;
pub mod wire;
