//! Background work against a server that answers as the upstream does, and as it should not.

mod read_ahead;
mod sync;
