//! Interprets answers that are not a success. Their bodies may be JSON, an HTML page or empty.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::excerpt;
use crate::observe::upstream_observer::Endpoint;
use crate::upstream::decode;
use crate::upstream::error::Failure;
use crate::upstream::wire::Text;

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    body: Option<ErrorBody>,
    /// The body, where it is neither JSON nor a page.
    text: Option<String>,
    retry_after: Option<Duration>,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    cause: Text,
    #[serde(default)]
    request_id: Text,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> Self {
        let body = decode::without_mark(body);
        let json = serde_json::from_slice(body).ok();
        let text = std::str::from_utf8(body).ok().map(str::trim);
        let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
        let is_plain = |text: &&str| !is_json && !text.is_empty() && !text.starts_with('<');
        let text = text.filter(is_plain).map(str::to_owned);
        Self { status, body: json, text, retry_after }
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.body.as_ref()?.request_id.filled()
    }

    pub(super) fn into_failure(self, endpoint: Endpoint) -> Failure {
        let status = self.status.as_u16();
        let cause = self.cause();
        match status {
            401 => Failure::Unauthorized,
            // The API itself gives its reason as JSON, so this is the gateway's page.
            403 if self.body.is_none() => Failure::Forbidden,
            408 => Failure::Server { status, retry_after: self.retry_after },
            429 => Failure::RateLimited { retry_after: self.retry_after },
            // The interface itself would give its reason as JSON.
            502 | 504 if self.body.is_none() && endpoint == Endpoint::Data => {
                Failure::Gateway { status, retry_after: self.retry_after }
            }
            500.. => Failure::Server { status, retry_after: self.retry_after },
            413 => Failure::TooLarge { status, cause },
            400 | 422 if speaks_of_size(&cause) => Failure::TooLarge { status, cause },
            422 if endpoint == Endpoint::Data && cause.starts_with("Unknown period type") => {
                Failure::Updating { cause }
            }
            _ => Failure::Refused { status, cause },
        }
    }

    fn cause(&self) -> String {
        let cause_text = self.body.as_ref().and_then(|body| body.cause.filled()).or(self.text.as_deref());
        cause_text.map_or_else(|| "no reason given".to_owned(), excerpt)
    }
}

/// Whether a refusal is about the request's size. The exact wording is unknown; other refusals do not contain these words.
fn speaks_of_size(cause: &str) -> bool {
    let cause = cause.to_lowercase();
    ["cell", "limit", "too large", "too many", "200000", "200,000", "200.000"]
        .iter()
        .any(|word| cause.contains(word))
}

/// The requested pause, and the request id.
pub(super) fn headers(headers: &HeaderMap, now: DateTime<Utc>) -> (Option<Duration>, Option<String>) {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let retry_after = text(RETRY_AFTER.as_str()).and_then(|text| wait(text, now));
    let request_id = text("x-request-id").filter(|id| !id.is_empty()).map(excerpt);
    (retry_after, request_id)
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(endpoint: Endpoint, status: u16, body: &str) -> Failure {
        Refusal::new(StatusCode::from_u16(status).unwrap(), body.as_bytes(), None).into_failure(endpoint)
    }

    fn cause(cause: &str) -> String {
        serde_json::json!({"code": 422, "cause": cause, "request_id": "r-1"}).to_string()
    }

    #[test]
    fn each_cause_of_422_is_what_it_means() {
        let unknown = "Unknown period type: M";
        assert_eq!(
            failure(Endpoint::Data, 422, &cause(unknown)),
            Failure::Updating { cause: unknown.to_owned() }
        );
        for cause_text in [
            "Unknown hierarchies: ['_x', '_y']",
            "Requested latest:60 for type M, but only 28 periods are available.",
        ] {
            let refused = Failure::Refused { status: 422, cause: cause_text.to_owned() };
            assert_eq!(failure(Endpoint::Data, 422, &cause(cause_text)), refused);
        }
    }

    #[test]
    fn a_passed_cell_limit_is_known_by_any_of_its_statuses() {
        for status in [400, 413, 422] {
            let cause_text = "The request exceeds the limit of 200000 cells.";
            let expected = Failure::TooLarge { status, cause: cause_text.to_owned() };
            assert_eq!(failure(Endpoint::Data, status, &cause(cause_text)), expected);
        }
        assert!(matches!(failure(Endpoint::Data, 413, "<html>"), Failure::TooLarge { .. }));
        assert!(matches!(failure(Endpoint::Data, 400, &cause("Bad format")), Failure::Refused { .. }));
    }

    #[test]
    fn the_gateways_page_is_not_a_refusal_by_the_interface() {
        let page = "You do not have permission to view this directory or page.";
        assert_eq!(failure(Endpoint::Table, 403, page), Failure::Forbidden);
        assert_eq!(failure(Endpoint::Table, 403, &format!("<html>{page}</html>")), Failure::Forbidden);
        assert!(matches!(failure(Endpoint::Table, 403, &cause("No")), Failure::Refused { status: 403, .. }));
    }

    #[test]
    fn a_gateways_page_in_place_of_figures_is_told_from_a_failure_of_the_upstream() {
        for status in [502, 504] {
            let gateway = Failure::Gateway { status, retry_after: None };
            assert_eq!(failure(Endpoint::Data, status, "<html>"), gateway);
            let server = Failure::Server { status, retry_after: None };
            assert_eq!(failure(Endpoint::Tables, status, "<html>"), server);
            assert_eq!(failure(Endpoint::Data, status, &cause("x")), server);
        }
    }

    #[test]
    fn bodies_of_any_kind_are_borne() {
        for body in [
            "",
            "<html>nope",
            "null",
            "[]",
            "{}",
            r#"{"cause": null, "request_id": 7}"#,
            r#"{"cause": {"a": 1}}"#,
        ] {
            assert_eq!(failure(Endpoint::Table, 401, body), Failure::Unauthorized, "{body}");
            let refused = Failure::Refused { status: 404, cause: "no reason given".to_owned() };
            assert_eq!(failure(Endpoint::Table, 404, body), refused, "{body}");
        }
    }

    #[test]
    fn a_cause_may_come_as_plain_text_or_behind_a_byte_order_mark() {
        let unknown = "Unknown period type: M";
        for body in [unknown.to_owned(), cause(unknown), format!("\u{feff}{}", cause(unknown))] {
            let updating = Failure::Updating { cause: unknown.to_owned() };
            assert_eq!(failure(Endpoint::Data, 422, &body), updating, "{body}");
        }
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = "2015-10-21T07:27:00Z".parse().unwrap();
        assert_eq!(wait("120", now), Some(Duration::from_secs(120)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:20:00 GMT", now), Some(Duration::ZERO));
        assert_eq!((wait("soon", now), wait("-5", now), wait("", now)), (None, None, None));
    }
}
