//! Background work against a test server that sends correct and incorrect answers.

mod odd_tables;
mod read_ahead;
mod readable;
mod sync;
