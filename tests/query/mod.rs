//! Requests from their text to the rows that answer them, over a small feed whose every row is known.

mod binding;
pub mod fixture;
mod functions;
mod hostile;
mod logic;
mod navigation;
mod paths;
mod refusals;
