//! Budgets: what there is only so much of, how much of it one client or all together may use, and what a request is told that
//! finds it used up. Every limit that protects one client from another is a [`Budget`], so that all are refused and measured alike.
//!
//! A client's own budget answers 429, everybody's 503, both with `Retry-After`; what can never fit is 400.

pub mod client;
pub mod hourly;
pub mod upstream;

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// What a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Requests to the upstream for figures.
    UpstreamCalls,
    /// Cells in such requests.
    UpstreamCells,
    /// Connections that are open.
    Connections,
}

impl Resource {
    /// The value of the label `resource` in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpstreamCalls => "upstream_calls",
            Self::UpstreamCells => "upstream_cells",
            Self::Connections => "connections",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UpstreamCalls => "upstream calls",
            Self::UpstreamCells => "upstream cells",
            Self::Connections => "connections",
        })
    }
}

/// Who shares a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Share {
    /// Each client has one of its own.
    Client,
    /// All clients and the background have one together.
    Everybody,
    /// What is read before anybody asks for it.
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
    /// What it limits.
    fn resource(&self) -> Resource;
    /// Who shares it.
    fn share(&self) -> Share;
    /// How much there is.
    fn limit(&self) -> u64;
    /// How much of it is used now; of clients that have one each, by the one that uses most.
    fn used(&self) -> u64;
    /// How often something was refused because it was used up.
    fn refusals(&self) -> u64;
}

/// A budget does not suffice.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the budget of {limit} {resource} for {} does not suffice{}", share.as_str(), shown_wait(*retry_after))]
pub struct Exhausted {
    pub resource: Resource,
    pub share: Share,
    pub limit: u64,
    /// When it will suffice; `None` if what was asked for is more than all of it.
    pub retry_after: Option<Duration>,
}

impl Exhausted {
    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match (self.retry_after, self.share) {
            (None, _) => 400,
            (Some(_), Share::Client) => 429,
            (Some(_), Share::Everybody | Share::ReadAhead) => 503,
        }
    }

    /// The stable code of the answer.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match (self.retry_after, self.share) {
            (None, _) => "BeyondBudget",
            (Some(_), Share::Client) => "ClientBudgetExhausted",
            (Some(_), Share::Everybody | Share::ReadAhead) => "BudgetExhausted",
        }
    }

    /// What a reader is told.
    #[must_use]
    pub fn danish(&self) -> String {
        let minutes = self.retry_after.map(|wait| wait.as_secs().div_ceil(60));
        let again = match minutes {
            None => "afgræns forespørgslen.".to_owned(),
            Some(0 | 1) => "prøv igen om et minut.".to_owned(),
            Some(minutes) => {
                format!("prøv igen om {minutes} minutter; tal, der er hentet før, kan stadig læses.")
            }
        };
        let what = match (self.resource, minutes, self.share) {
            (Resource::Connections, _, Share::Client) => "Der er for mange åbne forbindelser fra din adresse",
            (Resource::Connections, ..) => "Tjenesten har så mange åbne forbindelser, som den må",
            (_, None, _) => "Forespørgslen kræver mere, end der må hentes fra Jobindsats på en time",
            (_, _, Share::Client) => "Du har hentet så meget fra Jobindsats, som én bruger må på en time",
            _ => "Der er hentet så meget fra Jobindsats, som tjenesten må på en time",
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
