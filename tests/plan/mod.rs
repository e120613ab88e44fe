//! Which cells are asked for, in which requests.

mod asks_for_what_is_missing;
mod chunk;
mod missing;
mod plans;
