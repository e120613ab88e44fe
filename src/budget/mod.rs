//! Budgets: limits on resources, per client or for all together, and the error when one is exhausted. Every limit that protects
//! clients from each other is a [`Budget`], so that all have the same errors and metrics.
//!
//! An exhausted budget of a client is answered with 429, one for all with 503, both with `Retry-After`; a request that is larger than
//! a whole budget with 400.

pub mod answers;
pub mod client;
pub mod hourly;
pub mod upstream;
pub mod work;

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::error::{DescribeError, ErrorDescription};

/// A resource that a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Requests to the upstream for figures.
    UpstreamCalls,
    /// Cells in such requests.
    UpstreamCells,
    /// Open connections.
    Connections,
    /// Memory of answers on their way.
    AnswerBytes,
    /// Wrong passwords and keys.
    SignIns,
}

/// What was spent of [`Resource::OF_REQUESTS`]; `None` for what is not counted.
pub type Spent = [Option<u64>; 2];

impl Resource {
    /// What requests for figures use, calls first.
    pub const OF_REQUESTS: [Self; 2] = [Self::UpstreamCalls, Self::UpstreamCells];

    /// The value of the label `resource` in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpstreamCalls => "upstream_calls",
            Self::UpstreamCells => "upstream_cells",
            Self::Connections => "connections",
            Self::AnswerBytes => "answer_bytes",
            Self::SignIns => "wrong_sign_ins",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UpstreamCalls => "upstream calls",
            Self::UpstreamCells => "upstream cells",
            Self::Connections => "connections",
            Self::AnswerBytes => "bytes of answers",
            Self::SignIns => "wrong passwords and keys",
        })
    }
}

/// Who shares a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Share {
    /// Each client has its own.
    Client,
    /// All clients and background work share one.
    Everybody,
    /// Only reading ahead uses it.
    ReadAhead,
}

impl Share {
    /// The value of the label `share` in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Everybody => "everybody",
            Self::ReadAhead => "read_ahead",
        }
    }
}

/// A budget as metrics show it.
pub trait Budget: fmt::Debug + Send + Sync {
    /// The limited resource.
    fn resource(&self) -> Resource;
    /// Who shares it.
    fn share(&self) -> Share;
    /// The limit.
    fn limit(&self) -> u64;
    /// How much is used now; for budgets per client, by the client that uses most.
    fn used(&self) -> u64;
    /// How often a request was refused because it was exhausted.
    fn refusals(&self) -> u64;
}

/// A budget is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the budget of {limit} {resource} for {} does not suffice{}", share.as_str(), shown_wait(*retry_after))]
pub struct Exhausted {
    pub resource: Resource,
    pub share: Share,
    pub limit: u64,
    /// When it will suffice; `None` if the request is larger than the whole budget.
    pub retry_after: Option<Duration>,
}

impl DescribeError for Exhausted {
    fn describe(&self) -> ErrorDescription {
        let Some(wait) = self.retry_after else {
            return ErrorDescription::new(400, "BeyondBudget", self.danish());
        };
        match self.share {
            Share::Client => ErrorDescription::new(429, "ClientBudgetExhausted", self.danish()),
            Share::Everybody | Share::ReadAhead => {
                ErrorDescription::new(503, "BudgetExhausted", self.danish())
            }
        }
        .again_after(wait.as_secs().max(1))
    }
}

impl Exhausted {
    /// What a reader is told.
    fn danish(&self) -> String {
        let minutes = self.retry_after.map(|wait| wait.as_secs().div_ceil(60));
        let again = match minutes {
            None => "afgræns forespørgslen.".to_owned(),
            Some(0 | 1) => "prøv igen om et minut.".to_owned(),
            Some(minutes) if self.resource == Resource::SignIns => {
                format!("prøv igen om {minutes} minutter.")
            }
            Some(minutes) => {
                format!("prøv igen om {minutes} minutter; tal, der er hentet før, kan stadig læses.")
            }
        };
        let what = match (self.resource, minutes, self.share) {
            (Resource::Connections, _, Share::Client) => "Der er for mange åbne forbindelser fra din adresse",
            (Resource::Connections, ..) => "Broen har så mange åbne forbindelser, som den må",
            (Resource::AnswerBytes, None, _) => "Svaret fylder mere, end broen har hukommelse til",
            (Resource::AnswerBytes, ..) => "Broen er ved at sende så mange svar, som den har hukommelse til",
            (Resource::SignIns, ..) => {
                "Der er prøvet for mange forkerte adgangskoder eller nøgler fra din adresse"
            }
            (_, None, _) => "Forespørgslen kræver mere, end der må hentes fra Jobindsats på en time",
            (_, _, Share::Client) => "Du har hentet så meget fra Jobindsats, som én bruger må på en time",
            _ => "Der er hentet så meget fra Jobindsats, som broen må på en time",
        };
        format!("{what}; {again}")
    }
}

fn shown_wait(retry_after: Option<Duration>) -> String {
    match retry_after {
        Some(wait) => format!("; it will in {} s", wait.as_secs()),
        None => ", and never will: this is more than all of it".to_owned(),
    }
}
