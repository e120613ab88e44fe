//! Documents of a service that were made before. The thread of the server that has the request sends them: to have another thread do it
//! would take longer than the answer.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, IF_NONE_MATCH};
use cached::{Cached, LruCache};

use super::call::service_of;
use super::raw_request::{ROOT, RawRequest};
use crate::feed::FeedId;
use crate::odata::version::Version;
use crate::web::client;
use crate::web::compress::Coding;
use crate::web::links;
use crate::web::respond::{self, Begun};
use crate::web::state::AppState;

/// How many documents are kept.
const MOST: usize = 256;
/// Whoever sends longer headers is answered as others are, but the answer is not kept under them.
const LONGEST_HEADER: usize = 256;

static DOCUMENTS: LazyLock<Mutex<LruCache<ReadyDocument, Begun>>> =
    LazyLock::new(|| Mutex::new(LruCache::new(MOST)));

fn documents() -> MutexGuard<'static, LruCache<ReadyDocument, Begun>> {
    DOCUMENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A document that is asked for, with all that it depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ReadyDocument {
    schema: FeedId,
    is_metadata: bool,
    base: String,
    accept: Option<String>,
    version: Version,
    coding: Coding,
}

impl ReadyDocument {
    /// The document of a plain request; `None` if something else is asked for, the service has to be made or read first, or its reader may
    /// not read it.
    pub(super) fn of(request: &HttpRequest, state: &AppState) -> Option<Self> {
        let path = request.uri().path().strip_prefix(ROOT)?.strip_prefix('/')?;
        let (table, document) = service_of(path);
        let is_metadata = match document {
            "" => false,
            "$metadata" => true,
            _ => return None,
        };
        let headers = request.headers();
        let is_plain = request.method() == Method::GET
            && request.uri().query().is_none_or(str::is_empty)
            && ![HeaderName::from_static("prefer"), IF_NONE_MATCH]
                .iter()
                .any(|name| headers.contains_key(name));
        let base = links::base(request, state.public_url.as_deref());
        let raw = RawRequest { method: request.method(), path, query: "", headers, base: &base };
        let (version, accept) = (raw.version().ok()?, raw.header("accept"));
        let longest = accept.iter().chain([&base]).map(String::len).max();
        if !is_plain || longest > Some(LONGEST_HEADER) {
            return None;
        }
        let feed = state.feeds.of(client::reader(request).tables).at_hand(table)?;
        Some(Self {
            schema: feed.schema_id,
            is_metadata,
            base,
            accept,
            version,
            coding: respond::coding(request),
        })
    }

    /// The answer, if it was kept.
    pub(super) fn answer(&self) -> Option<Begun> {
        documents().cache_get(self)?.copy()
    }

    /// Keeps an answer for those who ask the same.
    pub(super) fn keep(self, answer: &Begun) {
        if let Some(answer) = answer.copy() {
            documents().cache_set(self, answer);
        }
    }
}
