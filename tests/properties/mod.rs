//! What must hold for every table and every query, tried on many made by chance.

mod limits;
mod storms;
pub mod tables;
