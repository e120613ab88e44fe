//! One request below `/odata/`: which service it goes to, and which part of it answers.

use std::sync::Arc;

use actix_web::http::Method;

use super::raw_request::{ROOT, RawRequest};
use crate::answer::error::BridgeError;
use crate::answer::retry_when_moved;
use crate::error::excerpt;
use crate::feed::Feed;
use crate::odata::media_type::{self, Kind, Negotiated};
use crate::odata::payload::JsonContext;
use crate::odata::preference::Preferences;
use crate::odata::uri::syntax::{PathSegment, RequestSyntax, SystemSegment};
use crate::odata::uri::{self, Limits};
use crate::odata::version::Version;
use crate::web::respond::{Answered, Reply};
use crate::web::state::AppState;

const CATALOG: &str = "jobindsats";

/// One request and what it is answered with.
pub(super) struct Call<'a> {
    pub(super) state: &'a AppState,
    pub(super) version: Version,
    pub(super) base: &'a str,
    /// The raw path below `/odata/`.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) accept: Option<String>,
    pub(super) preferences: Preferences,
}

/// A service and where it stands.
pub(super) struct Service {
    pub(super) feed: Arc<Feed>,
    /// The absolute address, with its final slash.
    pub(super) root: String,
}

/// Answers one request that reads, alone or in a batch.
pub(super) async fn read(raw: &RawRequest<'_>, state: &AppState) -> Result<Reply, BridgeError> {
    let version = raw.version()?;
    let answered = retry_when_moved(async || Call::new(raw, state, version).answer().await).await?;
    // Conditional requests apply to GET and HEAD only.
    let held = raw.header("if-none-match").filter(|_| *raw.method != Method::POST);
    Ok(Reply::of(version, answered, held.as_deref()))
}

impl<'a> Call<'a> {
    pub(super) fn new(raw: &RawRequest<'a>, state: &'a AppState, version: Version) -> Self {
        Self {
            state,
            version,
            base: raw.base,
            path: raw.path,
            query: raw.query,
            accept: raw.header("accept"),
            preferences: Preferences::parse(&raw.header("prefer").unwrap_or_default()),
        }
    }

    pub(super) async fn answer(&self) -> Result<Answered, BridgeError> {
        let (service, rest) = self.service().await?;
        let syntax = uri::parse_request(rest, self.query, &Limits::default())?;
        check_schema_version(&syntax)?;
        match syntax.path.segments.as_slice() {
            [] => self.service_document(&service, &syntax),
            [PathSegment::System { name: SystemSegment::Metadata, .. }] => {
                self.metadata(&service, &syntax).await
            }
            [PathSegment::System { name: SystemSegment::Batch, .. }, ..] => Err(BridgeError::NotOffered {
                what: "$batch inden i en $batch".to_owned(),
                reason: "a batch holds single requests".to_owned(),
            }),
            _ => self.rows(&service, rest, syntax).await,
        }
    }

    /// The service that the path begins with, and the path below it.
    async fn service(&self) -> Result<(Service, &'a str), BridgeError> {
        let below = self.path.strip_prefix(CATALOG).and_then(|rest| rest.strip_prefix('/'));
        let Some(below) = below.filter(|below| !below.is_empty()) else {
            let root = format!("{}{ROOT}/", self.base);
            return Ok((Service { feed: self.state.feeds.catalogue(), root }, self.path));
        };
        let (table, rest) = below.split_once('/').unwrap_or((below, ""));
        let feed = self.state.feeds.table(table).await?;
        let root = format!("{}{ROOT}/{CATALOG}/{}/", self.base, table.to_lowercase());
        Ok((Service { feed, root }, rest))
    }

    pub(super) fn negotiate(&self, syntax: &RequestSyntax, kind: Kind) -> Result<Negotiated, BridgeError> {
        Ok(media_type::negotiate(self.accept.as_deref(), syntax.options.format.as_deref(), kind)?)
    }

    pub(super) fn context<'c>(&self, negotiated: &Negotiated, context_url: &'c str) -> JsonContext<'c> {
        JsonContext {
            version: self.version,
            metadata: negotiated.metadata,
            ieee754_compatible: negotiated.ieee754_compatible,
            omit_nulls: self.preferences.omit_nulls,
            context_url,
        }
    }
}

/// The schema has no version of its own, so that only the current one can be asked for.
fn check_schema_version(syntax: &RequestSyntax) -> Result<(), BridgeError> {
    match syntax.options.schemaversion.as_deref() {
        None | Some("*") => Ok(()),
        Some(found) => Err(BridgeError::SchemaVersion { found: excerpt(found) }),
    }
}
