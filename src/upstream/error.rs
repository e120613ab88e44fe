//! The errors of failed calls: what failed, for which table, and the upstream's request id; never the key, never a whole body.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalogue::id::MeasurementId;
use crate::error::{DescribeError, ErrorDescription, PAUSE_SECONDS};
use crate::observe::upstream_observer::{Endpoint, FailureReason};
use crate::upstream::decode::DecodeError;

/// `Retry-After` for the closed hour, including the minutes before it in which no call starts any more.
const CLOSED_SECONDS: u64 = 3600 + 180;
/// `Retry-After` for an update: longer than most updates take.
const UPDATE_SECONDS: u64 = 1800;

/// A failed call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {failure}{}", self.call(), self.shown_request_id())]
pub struct UpstreamError {
    pub endpoint: Endpoint,
    pub table: Option<MeasurementId>,
    /// The id that the agency can search its logs for.
    pub request_id: Option<String>,
    pub failure: Failure,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    #[error(
        "401, the key was refused; ask the agency for a valid one and put it in the file of JOBINDSATS_API_KEY_FILE, \
         or in JOBINDSATS_API_KEY and start again"
    )]
    Unauthorized,
    /// The gateway's page, which appears temporarily and does not mean that the key is wrong.
    #[error("403, the upstream's gateway turned the call away")]
    Forbidden,
    #[error("{status}, refused: {cause}")]
    Refused { status: u16, cause: String },
    /// An existing period type is unknown to the upstream for a while, because the table is being updated.
    #[error("422, the table seems to be in the middle of an update: {cause}")]
    Updating { cause: String },
    /// The answer would exceed the upstream's cell limit.
    #[error("{status}, too large: {cause}")]
    TooLarge { status: u16, cause: String },
    #[error("429, too many calls")]
    RateLimited { retry_after: Option<Duration> },
    /// A gateway's page in place of figures: the upstream is down, or the question is too large for it.
    #[error("{status}, a gateway gave up on the upstream")]
    Gateway { status: u16, retry_after: Option<Duration> },
    #[error("{status}, the upstream failed")]
    Server { status: u16, retry_after: Option<Duration> },
    #[error("no whole answer within {} s", .after.as_secs_f32())]
    Timeout { after: Duration },
    #[error("no connection, or it broke: {detail}")]
    Connect { detail: String },
    #[error("the answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// The call was not made, because it is the closed hour or the call would run into it.
    #[error("not asked, the upstream is closed until {opens_at}")]
    Closed { opens_at: DateTime<Utc> },
    /// The call was not made, because too many calls failed in a row.
    #[error("not asked, too many calls failed; next try in {} s", .retry_after.as_secs_f32())]
    CircuitOpen { retry_after: Duration },
}

impl Failure {
    /// Whether the failure is one of the upstream as a whole. Several such failures in a row open the circuit; a refusal with a reason
    /// is not one.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Forbidden
                | Self::RateLimited { .. }
                | Self::Server { .. }
                | Self::Gateway { .. }
                | Self::Timeout { .. }
                | Self::Connect { .. }
        )
    }

    /// Whether the failure concerns the upstream as a whole: a single table that always fails fails otherwise.
    #[must_use]
    pub fn concerns_the_whole(&self) -> bool {
        matches!(self, Self::Forbidden | Self::RateLimited { .. } | Self::Connect { .. })
    }

    /// Whether the question may only have been too large for the upstream.
    #[must_use]
    pub fn may_be_too_much(&self) -> bool {
        matches!(self, Self::Gateway { .. } | Self::Timeout { .. })
    }

    /// The pause that the upstream's answer or the circuit asks for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after }
            | Self::Server { retry_after, .. }
            | Self::Gateway { retry_after, .. } => *retry_after,
            Self::CircuitOpen { retry_after } => Some(*retry_after),
            Self::Unauthorized
            | Self::Forbidden
            | Self::Refused { .. }
            | Self::Updating { .. }
            | Self::TooLarge { .. }
            | Self::Timeout { .. }
            | Self::Connect { .. }
            | Self::Decode(_)
            | Self::Closed { .. } => None,
        }
    }

    /// The value of the label `reason` in metrics.
    #[must_use]
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Unauthorized => FailureReason::Unauthorized,
            Self::Forbidden | Self::Refused { .. } | Self::Updating { .. } | Self::TooLarge { .. } => {
                FailureReason::Http4xx
            }
            Self::RateLimited { .. } => FailureReason::RateLimited,
            Self::Server { .. } | Self::Gateway { .. } => FailureReason::Http5xx,
            Self::Timeout { .. } => FailureReason::Timeout,
            Self::Connect { .. } => FailureReason::Connect,
            Self::Decode(_) => FailureReason::Decode,
            Self::Closed { .. } | Self::CircuitOpen { .. } => FailureReason::CircuitOpen,
        }
    }
}

impl DescribeError for UpstreamError {
    fn describe(&self) -> ErrorDescription {
        match &self.failure {
            Failure::Unauthorized => ErrorDescription::new(
                502,
                "UpstreamKeyRefused",
                "Jobindsats afviser organisationens nøgle; sig det til den, der driver broen.",
            ),
            Failure::Refused { .. } | Failure::TooLarge { .. } => ErrorDescription::new(
                502,
                "UpstreamRefused",
                "Jobindsats afviste kaldet; prøv igen senere, eller afgræns forespørgslen.",
            ),
            Failure::Decode(_) => ErrorDescription::new(
                502,
                "UpstreamAnswer",
                "Jobindsats svarede med noget, der ikke kan læses; intet er gemt, prøv igen senere.",
            ),
            Failure::Closed { .. } => ErrorDescription::new(
                503,
                "UpstreamClosed",
                "Jobindsats er lukket mellem kl. 22 og 23, og tallene er ikke hentet før; prøv igen efter kl. 23.",
            )
            .again_after(CLOSED_SECONDS),
            Failure::Updating { .. } => ErrorDescription::new(
                503,
                "UpstreamUpdating",
                "Målingen er ved at blive opdateret hos Jobindsats; prøv igen om en halv time.",
            )
            .again_after(UPDATE_SECONDS),
            Failure::CircuitOpen { .. }
            | Failure::RateLimited { .. }
            | Failure::Forbidden
            | Failure::Server { .. }
            | Failure::Gateway { .. }
            | Failure::Timeout { .. }
            | Failure::Connect { .. } => {
                let pause = self.failure.retry_after().map_or(PAUSE_SECONDS, |pause| pause.as_secs());
                ErrorDescription::new(
                    503,
                    "UpstreamAway",
                    "Jobindsats svarer ikke lige nu, og tallene er ikke hentet før; prøv igen om lidt.",
                )
                .again_after(pause.max(1))
            }
        }
    }
}

impl UpstreamError {
    /// Whether the request was above the upstream's limit: a smaller one may succeed.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(self.failure, Failure::TooLarge { .. })
    }

    /// Whether the upstream understood the call and refused it: a name in the request may no longer exist.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.failure, Failure::Refused { .. })
    }

    /// The value of the label `reason` in metrics.
    #[must_use]
    pub fn reason(&self) -> FailureReason {
        self.failure.reason()
    }

    fn call(&self) -> String {
        match &self.table {
            Some(table) => format!("{}/{table}", self.endpoint),
            None => self.endpoint.to_string(),
        }
    }

    fn shown_request_id(&self) -> String {
        self.request_id.as_ref().map_or_else(String::new, |id| format!(" (request_id {id})"))
    }
}
