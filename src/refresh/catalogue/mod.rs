//! The catalogue: read from the upstream in the background and on request, kept on disk, swapped whole, kept on failure.

pub mod keeper;
pub mod store;
