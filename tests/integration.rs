//! One binary for all integration tests: the program talking HTTP to the simulator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod language;
