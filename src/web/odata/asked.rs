//! A request below `/odata/`, as it came over HTTP or as a batch holds it.

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName};

use crate::error::BridgeError;
use crate::odata::version::{self, Version};
use crate::web::respond::joined;

/// What is asked, raw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// The raw path below `/odata/`.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// Scheme, host and path that links begin with, without a slash at the end.
    pub(super) base: &'a str,
}

impl Asked<'_> {
    /// A header by its name in lower case; several of them as one.
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
        let last = self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        last == "$batch" || last.eq_ignore_ascii_case("%24batch")
    }
}
