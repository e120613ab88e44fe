//! Indicators against a source of figures that the tests hold in their hands.

mod collecting;
pub mod fake;
mod keeping;
mod program;
mod rendering;
mod resolving;
mod scheduling;
pub mod serving;
