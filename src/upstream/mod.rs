//! The databank's HTTP interface, version 3: requests that cannot be wrong, answers read with tolerance, failures as values.

pub mod data;
pub mod request;
