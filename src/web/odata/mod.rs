//! `/odata/`: the catalogue service and the services of the measurements.
//!
//! [`raw_request`] is a request from HTTP or from a batch; [`call`] dispatches it to [`documents`], [`rows`] or [`batch`]. A document that was
//! made before comes from [`ready`].

mod batch;
mod call;
mod documents;
mod file_address;
mod output;
mod raw_request;
mod ready;
mod rows;

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::answer::error::{BridgeError, Usage};
use crate::budget::work::Work;
use crate::fetch::error::FetchError;
use crate::observe::request::inherited;
use crate::odata::version::Version;
use crate::web::client;
use crate::web::exchange;
use crate::web::links;
use crate::web::respond::{self, ALLOW, ALLOW_POST, Begun, Reply};
use crate::web::state::AppState;
use call::read;
use raw_request::{OwnedRequest, ROOT, RawRequest};
use ready::ReadyDocument;

/// The most bytes of a request's body.
const BODY_BYTES: usize = 1024 * 1024;
const READING: Usage =
    Usage { allow: ALLOW, danish: "broen kan kun læses, ikke ændres", english: "the service is read-only" };
const BATCH: Usage = Usage {
    allow: ALLOW_POST,
    danish: "flere forespørgsler sendes hertil på én gang",
    english: "several requests are posted here at once",
};
const QUERY: Usage = Usage {
    allow: ALLOW_POST,
    danish: "en lang forespørgsel sendes hertil som tekst",
    english: "the options of a long query are posted here as text",
};

/// Answers any request below `/odata/`.
pub async fn answer(request: HttpRequest, body: web::Payload, state: web::Data<AppState>) -> HttpResponse {
    let ready = ReadyDocument::of(&request, &state);
    if let Some(answer) = ready.as_ref().and_then(ReadyDocument::answer) {
        return answer.send();
    }
    let state = client::state(&request, &state);
    let base = links::base(&request, state.public_url.as_deref());
    let path = request.uri().path();
    let owned = Arc::new(OwnedRequest {
        method: request.method().clone(),
        path: path.strip_prefix(ROOT).unwrap_or(path).trim_start_matches('/').to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
        base,
    });
    // If no version is acceptable, the error is written in the oldest one.
    let version = owned.raw().version().unwrap_or(Version::V4);
    let refusal = move |error: BridgeError| Begun::refusal(version, &error);
    let body = match exchange::body(body, BODY_BYTES).await {
        Ok(body) => body,
        Err(error) => return refusal(error).send(),
    };
    let (workers, coding) = (Arc::clone(&state.workers), respond::coding(&request));
    let work = workers.work();
    let own = work.clone();
    let answer = async move {
        let reply = reply(&owned, &body, &state, &own).await;
        let reply = reply.unwrap_or_else(|error| Reply::refusal(version, &error));
        reply.begin(coding).unwrap_or_else(refusal)
    };
    let begun = workers.run(&work, inherited(answer)).await;
    let begun = begun.unwrap_or_else(|| refusal(FetchError::Interrupted.into()));
    if let Some(ready) = ready {
        ready.keep(&begun);
    }
    begun.send()
}

async fn reply(
    request: &Arc<OwnedRequest>,
    body: &[u8],
    state: &AppState,
    work: &Work,
) -> Result<Reply, BridgeError> {
    let raw = &request.raw();
    let version = raw.version()?;
    let below_query = raw.below_query();
    let usage = match below_query {
        Some(_) => &QUERY,
        None if raw.is_batch() => &BATCH,
        None => &READING,
    };
    match (raw.method, below_query) {
        (&Method::OPTIONS, _) => Ok(Reply::options(version, usage.allow)),
        (&Method::POST, _) if raw.is_batch() => batch::answer(request, body, state, work),
        (&Method::POST, Some(path)) => {
            let query = raw.joined_query(body)?;
            read(&RawRequest { path, query: &query, ..*raw }, state).await
        }
        (&Method::GET | &Method::HEAD, None) if !raw.is_batch() => read(raw, state).await,
        _ => Err(BridgeError::Method { method: raw.method.to_string(), usage }),
    }
}
