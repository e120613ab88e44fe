//! The table of observations: what a bound query does to rows that are there. Pure; knows no network and no payload.

pub mod apply;
pub mod cells;
pub mod error;
pub mod filter;
pub mod order;
pub mod page;
