//! An unparsed request below `/odata/`, from HTTP or from a batch.

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName};
use percent_encoding::utf8_percent_encode;

use crate::answer::error::BridgeError;
use crate::error::excerpt;
use crate::odata::version::{self, Version};
use crate::web::credentials::without_credentials;
use crate::web::request_head::NOT_IN_ADDRESSES;
use crate::web::respond::joined;

/// The path that all OData services are below.
pub(super) const ROOT: &str = "/odata";

/// The longest query in a body. Next links contain it too, and a URL has at most 64 KiB.
const QUERY_BYTES: usize = 60 * 1024;

/// The parts of the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawRequest<'a> {
    pub(super) method: &'a Method,
    /// The raw path below `/odata/`.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// Scheme, host and path that links begin with, without a slash at the end.
    pub(super) base: &'a str,
}

/// A request that is answered on other threads than those of the server.
#[derive(Debug)]
pub(super) struct OwnedRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) base: String,
}

impl OwnedRequest {
    pub(super) fn raw(&self) -> RawRequest<'_> {
        let Self { method, path, query, headers, base } = self;
        RawRequest { method, path, query, headers, base }
    }
}

impl RawRequest<'_> {
    /// A header by its name in lower case; repeated headers are joined.
    pub(super) fn header(&self, name: &'static str) -> Option<String> {
        joined(self.headers, &HeaderName::from_static(name))
    }

    /// The version to answer in.
    pub(super) fn version(&self) -> Result<Version, BridgeError> {
        let (max, version) = (self.header("odata-maxversion"), self.header("odata-version"));
        Ok(version::negotiate(max.as_deref(), version.as_deref())?)
    }

    /// Whether the path names a batch.
    pub(super) fn is_batch(&self) -> bool {
        is_system(self.segments().1, "batch")
    }

    /// The path before `/$query`, if the path ends like that: the query options are in the body.
    pub(super) fn below_query(&self) -> Option<&str> {
        let (before, last) = self.segments();
        is_system(last, "query").then_some(before)
    }

    /// The options of the URL and of the body, combined.
    pub(super) fn joined_query(&self, body: &[u8]) -> Result<String, BridgeError> {
        let found = self.header("content-type").unwrap_or_default();
        let media_type = found.split(';').next().unwrap_or_default().trim();
        let body = std::str::from_utf8(body).ok().filter(|_| media_type.eq_ignore_ascii_case("text/plain"));
        // Percent-encoded, because next links repeat the options in a URL.
        let body = body.map(|body| utf8_percent_encode(body.trim(), NOT_IN_ADDRESSES));
        let query = match body {
            Some(body) if self.query.is_empty() => without_credentials(&body.to_string()).into_owned(),
            Some(body) => format!("{}&{}", self.query, without_credentials(&body.to_string())),
            None => return Err(BridgeError::QueryBody { found: excerpt(&found) }),
        };
        match query.len() > QUERY_BYTES {
            true => Err(BridgeError::BodyTooLarge { limit: QUERY_BYTES }),
            false => Ok(query),
        }
    }

    /// The path before its last segment, and that segment.
    fn segments(&self) -> (&str, &str) {
        let path = self.path.trim_end_matches('/');
        path.rsplit_once('/').unwrap_or(("", path))
    }
}

/// Whether a raw segment is that word after a dollar sign.
fn is_system(segment: &str, word: &str) -> bool {
    let name = segment.strip_prefix('$').or_else(|| segment.strip_prefix("%24"));
    name.is_some_and(|name| name.eq_ignore_ascii_case(word))
}
