//! The trait through which the collector reads tables and figures, and its error.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::observe::upstream_observer::FailureReason;
use crate::plan::selection::Selection;
use crate::store::block::SharedBlock;

/// The data that a refresh needs.
#[async_trait]
pub trait FigureSource: fmt::Debug + Send + Sync {
    /// The table's entry in the current list of tables, with its update dates.
    async fn head(&self, table: &MeasurementId) -> Result<Arc<MeasurementHead>, SourceError>;

    /// The table with its dimensions, periods and measures.
    async fn measurement(&self, table: &MeasurementId) -> Result<Arc<Measurement>, SourceError>;

    /// The figures of a selection, in one or several blocks. Stored figures that are too old are an error here: the collector has
    /// its own latest good figures and must know that nothing fresher could be fetched.
    async fn cells(
        &self,
        measurement: &Arc<Measurement>,
        selection: &Selection,
    ) -> Result<Vec<SharedBlock>, SourceError>;
}

/// Why figures could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    pub reason: FailureReason,
    /// A sentence for the operator.
    pub message: String,
}

impl SourceError {
    /// Figures were read, but are not plausible.
    #[must_use]
    pub fn validation(error: &dyn std::error::Error) -> Self {
        Self { reason: FailureReason::Validation, message: error.to_string() }
    }
}
