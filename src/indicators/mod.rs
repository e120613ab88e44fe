//! Indicators: chosen figures that people watch. A definition names a table, a measure and a choice; a refresh reads every
//! period of it; what was read is an immutable snapshot, kept on disk and rendered once for all scrapes.
//!
//! Knows neither HTTP nor the upstream: figures come through [`source::FigureSource`].

pub mod collector;
pub mod definition;
pub mod exposition;
pub mod figures;
pub mod history;
pub mod resolve;
mod saved;
pub mod snapshot;
pub mod source;
