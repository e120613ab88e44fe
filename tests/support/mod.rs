//! What several parts' tests share.

pub mod canned;
