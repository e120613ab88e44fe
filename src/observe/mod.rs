//! What can be seen of the program from outside.

pub mod metrics;
mod process;
