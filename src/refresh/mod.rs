//! What is brought up to date in the background, and when.

pub mod indicators;
