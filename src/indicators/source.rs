//! Where figures come from, as the collector sees it, and the closed set of reasons why they do not.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::plan::selection::Selection;
use crate::store::block::SharedBlock;

/// What a refresh asks of the rest of the program.
#[async_trait]
pub trait FigureSource: fmt::Debug + Send + Sync {
    /// What the list of tables says of a table now: its update dates above all.
    async fn head(&self, table: &MeasurementId) -> Result<Arc<MeasurementHead>, SourceError>;

    /// The table with its dimensions, periods and measures.
    async fn measurement(&self, table: &MeasurementId) -> Result<Arc<Measurement>, SourceError>;

    /// The figures of a selection, in as many blocks as it takes.
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

/// The reasons that a failure is counted under; no others become a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    Timeout,
    Connect,
    #[serde(rename = "http_4xx")]
    Http4xx,
    #[serde(rename = "http_5xx")]
    Http5xx,
    Unauthorized,
    RateLimited,
    Decode,
    Validation,
    CircuitOpen,
}

impl FailureReason {
    pub const ALL: [Self; 9] = [
        Self::Timeout,
        Self::Connect,
        Self::Http4xx,
        Self::Http5xx,
        Self::Unauthorized,
        Self::RateLimited,
        Self::Decode,
        Self::Validation,
        Self::CircuitOpen,
    ];

    /// The label's value.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Http4xx => "http_4xx",
            Self::Http5xx => "http_5xx",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate_limited",
            Self::Decode => "decode",
            Self::Validation => "validation",
            Self::CircuitOpen => "circuit_open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FailureReason;

    #[test]
    fn the_kept_word_and_the_label_are_one() {
        let words = FailureReason::ALL.map(FailureReason::word);
        assert_eq!(serde_json::to_value(FailureReason::ALL).unwrap(), serde_json::to_value(words).unwrap());
    }
}
