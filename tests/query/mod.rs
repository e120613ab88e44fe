//! Requests from their text to the resulting rows, over a small feed.

mod binding;
pub mod fixture;
mod functions;
mod hostile;
mod logic;
mod navigation;
mod paths;
mod refusals;
