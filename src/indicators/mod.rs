//! Indicators: chosen figures as Prometheus gauges. A definition names a table, a measure and a member of each dimension; a refresh
//! reads every period; the result is part of an immutable snapshot that is saved to disk and rendered once for all scrapes.
//!
//! Independent of HTTP and of the upstream: figures come through [`source::FigureSource`].

pub mod collector;
pub mod definition;
pub mod exposition;
pub mod figures;
pub mod history;
pub mod quantity;
pub mod resolve;
pub mod saved;
pub mod snapshot;
pub mod source;
