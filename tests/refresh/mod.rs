//! Background work against a test server that sends correct and incorrect answers.

mod read_ahead;
mod sync;
