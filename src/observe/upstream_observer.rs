//! The trait through which the upstream client reports its calls. The reported values never contain the key or a figure.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The upstream's four calls: the fixed list behind the label `endpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Subjects,
    Tables,
    Table,
    Data,
}

impl Endpoint {
    /// The first segment of the call's path.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subjects => "subjects",
            Self::Tables => "tables",
            Self::Table => "table",
            Self::Data => "data",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One finished try of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamCall {
    pub endpoint: Endpoint,
    pub table: Option<Arc<str>>,
    /// The whole address; the key travels in a header and is not in it.
    pub address: String,
    pub outcome: CallOutcome,
    pub duration: Duration,
    /// The id that the agency can search its logs for.
    pub request_id: Option<String>,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// A complete answer came, with this status.
    Status(u16),
    Timeout,
    /// No connection, or one that broke.
    Connect,
}

impl CallOutcome {
    /// The value of the label `code`.
    #[must_use]
    pub fn code(self) -> Cow<'static, str> {
        match self {
            Self::Status(status) => Cow::Owned(status.to_string()),
            Self::Timeout => Cow::Borrowed("timeout"),
            Self::Connect => Cow::Borrowed("connect"),
        }
    }
}

/// A try that failed, or an answer that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCall {
    pub at: DateTime<Utc>,
    pub endpoint: Endpoint,
    /// The whole address; the key travels in a header and is not in it.
    pub address: String,
    /// The id that the agency can search its logs for.
    pub request_id: Option<String>,
    pub problem: String,
}

/// Why a refresh failed: the closed set behind the label `reason`.
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
    /// Every reason, for counters that start at zero.
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

    /// What it means, for people.
    #[must_use]
    pub fn danish(self) -> &'static str {
        match self {
            Self::Timeout => "Jobindsats svarede ikke i tide",
            Self::Connect => "der er ingen forbindelse til Jobindsats",
            Self::Http4xx => "Jobindsats afviste kaldet",
            Self::Http5xx => "Jobindsats har en fejl",
            Self::Unauthorized => "Jobindsats afviser nøglen",
            Self::RateLimited => "der er kaldt for ofte",
            Self::Decode => "svaret kunne ikke læses",
            Self::Validation => "svaret passer ikke til nøgletallet",
            Self::CircuitOpen => "Jobindsats får en pause efter flere fejl",
        }
    }

    /// The same in English.
    #[must_use]
    pub fn english(self) -> &'static str {
        match self {
            Self::Timeout => "Jobindsats did not answer in time",
            Self::Connect => "there is no connection to Jobindsats",
            Self::Http4xx => "Jobindsats refused the request",
            Self::Http5xx => "Jobindsats has an error",
            Self::Unauthorized => "Jobindsats refuses the key",
            Self::RateLimited => "requests were sent too often",
            Self::Decode => "the answer could not be read",
            Self::Validation => "the answer does not fit the indicator",
            Self::CircuitOpen => "Jobindsats is given a rest after several errors",
        }
    }

    /// The value of the label `reason`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
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

/// Receives every try.
pub trait UpstreamObserver: Send + Sync + fmt::Debug {
    /// A try begins. It ends when the returned value is dropped, also when the call is cancelled.
    #[must_use]
    fn upstream_started(&self) -> Box<dyn Send>;
    /// A try is over.
    fn upstream_call(&self, call: &UpstreamCall);
    /// A try failed, or its answer could not be used.
    fn upstream_failed(&self, _: &FailedCall) {}
    /// Whether calls are held back after failures.
    fn upstream_circuit(&self, open: bool);
}

/// Several observers that all receive everything.
impl UpstreamObserver for Vec<Arc<dyn UpstreamObserver>> {
    fn upstream_started(&self) -> Box<dyn Send> {
        Box::new(self.iter().map(|observer| observer.upstream_started()).collect::<Vec<_>>())
    }

    fn upstream_call(&self, call: &UpstreamCall) {
        self.iter().for_each(|observer| observer.upstream_call(call));
    }

    fn upstream_failed(&self, call: &FailedCall) {
        self.iter().for_each(|observer| observer.upstream_failed(call));
    }

    fn upstream_circuit(&self, open: bool) {
        self.iter().for_each(|observer| observer.upstream_circuit(open));
    }
}

#[cfg(test)]
mod tests {
    use super::FailureReason;

    #[test]
    fn the_word_that_is_kept_and_the_label_are_one() {
        let words = FailureReason::ALL.map(FailureReason::as_str);
        assert_eq!(serde_json::to_value(FailureReason::ALL).unwrap(), serde_json::to_value(words).unwrap());
    }
}
