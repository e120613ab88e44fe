//! Which cells a query needs, and the requests that bring them. Pure: it counts and splits, and sends nothing.

pub mod chunk;
pub mod selection;
