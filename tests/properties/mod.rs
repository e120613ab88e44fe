//! Properties of all tables and queries, tested with random ones.

mod limits;
mod storms;
pub mod tables;
