//! Dispatches a request below `/odata/` to its service and to the part that answers it.

use std::sync::Arc;

use actix_web::http::Method;

use super::file_address::RequestAddress;
use super::raw_request::{ROOT, RawRequest};
use crate::answer::error::BridgeError;
use crate::answer::stages::Stages;
use crate::answer::{Answer, Request, Resource, retry_when_moved};
use crate::feed::Feed;
use crate::odata::media_type::{self, Negotiated};
use crate::odata::payload::JsonContext;
use crate::odata::preference::{Applied, Preferences};
use crate::odata::version::Version;
use crate::web::respond::{Answered, Reply};
use crate::web::state::AppState;

const CATALOG: &str = "jobindsats";

/// A request and the data that answering needs.
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

/// A service and its URL.
pub(super) struct Service {
    pub(super) feed: Arc<Feed>,
    /// The absolute URL, with its final slash.
    pub(super) root: String,
}

/// Answers one request that reads, alone or in a batch.
pub(super) async fn read(raw: &RawRequest<'_>, state: &AppState) -> Result<Reply, BridgeError> {
    let version = raw.version()?;
    if raw.path.trim_end_matches('/') == CATALOG {
        return Ok(Reply::redirect(version, &catalogue_address(raw)));
    }
    let (stages, call) = (Stages::new(Arc::clone(&state.metrics)), Call::new(raw, state, version));
    let answered = retry_when_moved(|| call.answer(&stages)).await.map_err(|error| call.advised(error))?;
    // Conditional requests apply to GET and HEAD only.
    let held = raw.header("if-none-match").filter(|_| *raw.method != Method::POST);
    Ok(Reply::of(version, answered, held.as_deref()).timed(stages))
}

/// The table whose service a path below `/odata/` is in, or none for the catalogue's, and the path within the service.
pub(super) fn service_of(path: &str) -> (Option<&str>, &str) {
    let below = path.strip_prefix(CATALOG).and_then(|rest| rest.strip_prefix('/'));
    match below.filter(|below| !below.is_empty()) {
        Some(below) => {
            let (table, rest) = below.split_once('/').unwrap_or((below, ""));
            (Some(table), rest)
        }
        None => (None, path),
    }
}

/// Where the folder of the measurements' services leads to: it is no service itself, and the catalogue lists what is in it.
fn catalogue_address(raw: &RawRequest<'_>) -> String {
    let root = format!("{}{ROOT}/", raw.base);
    if raw.query.is_empty() { root } else { format!("{root}?{}", raw.query) }
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

    /// The error, with the address of the file if one was asked for.
    fn advised(&self, error: BridgeError) -> BridgeError {
        let below = self.path.strip_prefix(CATALOG).and_then(|rest| rest.strip_prefix('/'));
        let (table, path) = match below.and_then(|below| below.split_once('/')) {
            Some((table, path)) => (Some(table), path),
            None => (None, self.path),
        };
        RequestAddress { base: self.base, table, path, query: self.query }.advised(error)
    }

    pub(super) async fn answer(&self, stages: &Stages) -> Result<Answered, BridgeError> {
        let (service, path) = self.service().await?;
        let request = Request {
            feed: &service.feed,
            root: &service.root,
            path,
            options: self.query,
            max_page_size: self.preferences.max_page_size,
            all_pages: false,
            strict: self.preferences.strict,
            skip_token: None,
            now: self.state.clock.now(),
            stages,
        };
        let negotiate = |resource: &Resource<'_>| {
            let format = resource.options.format.as_deref();
            Ok(media_type::negotiate(self.accept.as_deref(), format, resource.kind)?)
        };
        let (negotiated, answer) = self.state.answerer.answer(&request, negotiate).await?;
        match answer {
            Answer::ServiceDocument => Ok(self.service_document(&service, negotiated)),
            Answer::Metadata => self.metadata(&service, negotiated),
            Answer::Plan(plan) => {
                let body = serde_json::to_vec_pretty(&plan).unwrap_or_default();
                let applied = Applied { strict: true, ..Applied::default() };
                let preference_applied = self.preferences.applied(&applied);
                Ok(Answered { preference_applied, ..Answered::whole("application/json".to_owned(), body) })
            }
            Answer::Page(page) => self.page(&service, path, *page, negotiated, stages),
        }
    }

    /// The service at the beginning of the path, and the rest of the path.
    async fn service(&self) -> Result<(Service, &'a str), BridgeError> {
        let (Some(table), rest) = service_of(self.path) else {
            let root = format!("{}{ROOT}/", self.base);
            return Ok((Service { feed: self.state.feeds.catalogue_at(self.path)?, root }, self.path));
        };
        let feed = self.state.feeds.table(table).await?;
        let root = format!("{}{ROOT}/{CATALOG}/{}/", self.base, table.to_lowercase());
        Ok((Service { feed, root }, rest))
    }

    pub(super) fn context<'c>(&self, negotiated: &Negotiated, context_url: &'c str) -> JsonContext<'c> {
        JsonContext {
            version: self.version,
            metadata: negotiated.metadata,
            ieee754_compatible: negotiated.ieee754_compatible,
            omit_nulls: self.preferences.omit_nulls,
            context_url,
            messages: &[],
        }
    }
}
