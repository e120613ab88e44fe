//! Where figures come from, as the collector sees it, and why they do not.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::observe::upstream_observer::FailureReason;
use crate::plan::selection::Selection;
use crate::store::block::SharedBlock;

/// What a refresh asks of the rest of the program.
#[async_trait]
pub trait FigureSource: fmt::Debug + Send + Sync {
    /// What the list of tables says of a table now: its update dates above all.
    async fn head(&self, table: &MeasurementId) -> Result<Arc<MeasurementHead>, SourceError>;

    /// The table with its dimensions, periods and measures.
    async fn measurement(&self, table: &MeasurementId) -> Result<Arc<Measurement>, SourceError>;

    /// The figures of a selection, in as many blocks as it takes. Stored figures past their age are no answer here: the
    /// collector keeps its own last good ones, and has to know that there was nothing fresher.
    async fn cells(
        &self,
        measurement: &Arc<Measurement>,
        selection: &Selection,
    ) -> Result<Vec<SharedBlock>, SourceError>;
}

/// Why figures did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    pub reason: FailureReason,
    /// A sentence for whoever runs the program.
    pub message: String,
}

impl SourceError {
    /// Figures came, but cannot be trusted.
    #[must_use]
    pub fn validation(error: &dyn std::error::Error) -> Self {
        Self { reason: FailureReason::Validation, message: error.to_string() }
    }
}
