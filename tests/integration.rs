//! All integration tests, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod indicators;
mod refresh;
mod support;
mod upstream;
