//! Everything that needs more than one part: one binary, one module per part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod grafana;
mod indicators;
