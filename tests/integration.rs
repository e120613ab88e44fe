//! All integration tests, in one binary so that they are linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answer;
mod budget;
mod conformance;
mod danish;
mod error;
mod export;
mod feed;
mod fetch;
mod frame;
mod fuzz;
mod golden;
mod grafana;
mod indicators;
mod kill;
#[cfg(target_os = "linux")]
mod memory;
mod observe;
mod odata;
mod pages;
mod plan;
mod probe;
mod properties;
mod query;
mod refresh;
mod rules;
mod run;
mod search;
mod simulator;
mod store;
mod support;
mod upstream;
mod web;
