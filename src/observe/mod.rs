//! What can be seen of the program from outside: what happens, as values, and the metrics that count it.

pub mod metrics;
mod process;
pub mod upstream;
