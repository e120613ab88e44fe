//! What must hold for every table and every query, tried on many made by chance.

mod chunks;
mod limits;
mod storms;
mod tables;
