//! Which cells are asked for, in which requests.

mod asks_for_no_more;
mod chunk;
mod plans;
