//! Indicators with a source of figures that the tests control.

mod collecting;
pub mod fake;
mod keeping;
mod program;
mod rendering;
mod resolving;
mod scheduling;
pub mod serving;
