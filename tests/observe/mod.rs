//! Reports for operators, traces, and the list of metrics.

mod metrics;
mod panics;
mod reports;
mod traces;
