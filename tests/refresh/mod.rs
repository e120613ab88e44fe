//! Background work against a server that answers as the upstream does, and as it should not.

mod catalogue;
mod read_ahead;
