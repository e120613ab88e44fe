//! The rules of the house that the compiler does not check: which module may import which, how long functions are, and that
//! documents name only what is there. All of `src/` is read as the compiler reads it, without its tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod circles;
mod documents;
mod layers;
mod matches;
mod sizes;
mod sources;
