//! Why cells cannot be had.

use std::sync::Arc;

use arrow_schema::ArrowError;
use thiserror::Error;

use crate::budget::Exhausted;
use crate::catalogue::id::MeasurementId;
use crate::error::{DescribeError, ErrorDescription, PAUSE_SECONDS};
use crate::fetch::join::JoinError;
use crate::plan::chunk::ChunkError;
use crate::upstream::error::UpstreamError;

/// A failed fetch. Cheap to clone: everyone who waited for the same chunk is told.
#[derive(Debug, Clone, Error)]
pub enum FetchError {
    #[error(transparent)]
    Upstream(Arc<UpstreamError>),
    /// The upstream failed at this question, while it answers smaller ones.
    #[error("the question is too much for the upstream: {0}")]
    TooMuch(Arc<UpstreamError>),
    /// The upstream answered something that is not the answer to the request.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The upstream was not asked: too much has been asked of it already.
    #[error(transparent)]
    Budget(#[from] Exhausted),
    /// Nothing that fits the cell limit can be asked.
    #[error(transparent)]
    Plan(#[from] ChunkError),
    #[error("cells could not be held as columns: {0}")]
    Columns(Arc<ArrowError>),
    #[error("cells of table {table} in the revision that this download began with can no longer be had")]
    Gone { table: MeasurementId },
    #[error("table {table} was updated again and again while its cells were read")]
    Moved { table: MeasurementId },
    #[error("the work was interrupted, by the end of the service or by a defect that is in its log")]
    Interrupted,
}

impl DescribeError for FetchError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Upstream(error) => error.describe(),
            Self::Budget(error) => error.describe(),
            Self::TooMuch(_) => ErrorDescription::new(
                502,
                "UpstreamRefused",
                "Jobindsats kan ikke svare på så store kald lige nu; afgræns forespørgslen, eller prøv igen senere.",
            ),
            Self::Plan(error) => error.describe(),
            Self::Join(_) => ErrorDescription::new(
                502,
                "UpstreamAnswer",
                "Jobindsats svarede med noget, der ikke passer til målingen; intet er gemt, prøv igen senere.",
            ),
            Self::Columns(_) | Self::Interrupted => ErrorDescription::internal(),
            Self::Gone { .. } => ErrorDescription::new(
                410,
                "RevisionGone",
                "Tallene er blevet opdateret, mens du hentede dem; begynd forfra.",
            ),
            Self::Moved { .. } => ErrorDescription::new(
                503,
                "UpstreamUpdating",
                "Målingen bliver opdateret hos Jobindsats netop nu; prøv igen om et minut.",
            )
            .again_after(PAUSE_SECONDS),
        }
    }
}

impl FetchError {
    /// Whether the upstream understood the request and refused it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Upstream(error) if error.is_refusal())
    }

    /// Whether a smaller request may succeed.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        match self {
            Self::TooMuch(_) => true,
            Self::Upstream(error) => error.is_too_large(),
            _ => false,
        }
    }

    /// Whether stored cells should answer instead: everything but a download that cannot go on.
    #[must_use]
    pub fn allows_stored(&self) -> bool {
        !matches!(self, Self::Gone { .. } | Self::Moved { .. })
    }
}

impl From<UpstreamError> for FetchError {
    fn from(error: UpstreamError) -> Self {
        Self::Upstream(Arc::new(error))
    }
}

impl From<ArrowError> for FetchError {
    fn from(error: ArrowError) -> Self {
        Self::Columns(Arc::new(error))
    }
}
