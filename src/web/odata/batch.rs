//! `$batch`: each request is answered like a single one, in order. The service is read-only, so change sets are refused.

use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::web;
use percent_encoding::utf8_percent_encode;

use super::call::read;
use super::raw_request::{ROOT, RawRequest};
use crate::answer::error::{BridgeError, Usage};
use crate::fetch::error::FetchError;
use crate::odata::batch::{self, Form, Part, PartAnswer};
use crate::odata::preference::{Applied, Preferences};
use crate::odata::version::Version;
use crate::web::request_head::NOT_IN_ADDRESSES;
use crate::web::respond::{Answered, Reply, SERVER_TIMING};
use crate::web::state::AppState;

/// The most requests of a batch.
const MAX_PARTS: usize = 100;
/// The most bytes of all answers together; larger answers must be requested alone, where they are streamed.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const PART: Usage =
    Usage { allow: "GET", danish: "en $batch kan kun læse", english: "the requests of a batch only read" };
/// Headers of the batch that apply to its requests unless these have their own.
const INHERITED: [&str; 2] = ["odata-maxversion", "odata-version"];

/// Answers a batch. A request that fails is answered with its error and ends the batch, unless the client prefers
/// `continue-on-error`.
pub(super) async fn answer(
    raw: &RawRequest<'_>,
    body: &[u8],
    state: &AppState,
) -> Result<Reply, BridgeError> {
    let form = Form::of(&raw.header("content-type").unwrap_or_default())?;
    let parts = batch::parse(&form, body, MAX_PARTS)?;
    let preferences = Preferences::parse(&raw.header("prefer").unwrap_or_default());
    refuse_isolation(raw)?;
    let mut answers: Vec<PartAnswer> = Vec::new();
    let mut room = MAX_BYTES;
    for (number, part) in parts.iter().enumerate() {
        let has_failed = answers.iter().any(|answer| answer.status >= 400);
        let result = match has_failed && !preferences.continue_on_error {
            // After a failure, JSON batches have an answer for every request, MIME batches end.
            true if form == Form::Json => Err(BridgeError::FailedDependency),
            true => break,
            false => one(raw, &parts[..=number], &answers, state).await,
        };
        let version = raw.version().unwrap_or_default();
        let reply = result.unwrap_or_else(|error| Reply::refusal(version, &error));
        let answer = part_answer(part, reply, version, room).await;
        room = room.saturating_sub(answer.body.len());
        answers.push(answer);
    }
    let (content_type, body) = batch::write(&form, &answers);
    let applied = Applied { continue_on_error: true, ..Applied::default() };
    let preference_applied = preferences.applied(&applied);
    let answered = Answered { preference_applied, ..Answered::whole(content_type, body) };
    Ok(Reply::of(raw.version()?, answered, None))
}

/// Refuses `Isolation: snapshot`: a table may be updated between two requests of a batch.
fn refuse_isolation(raw: &RawRequest<'_>) -> Result<(), BridgeError> {
    let wished = raw.header("isolation").or_else(|| raw.header("odata-isolation"));
    if wished.is_some() { Err(BridgeError::Isolation) } else { Ok(()) }
}

/// Answers the last of the given parts; the earlier ones have been answered.
async fn one(
    raw: &RawRequest<'_>,
    parts: &[Part],
    answers: &[PartAnswer],
    state: &AppState,
) -> Result<Reply, BridgeError> {
    let Some((part, before)) = parts.split_last() else { return Err(BridgeError::FailedDependency) };
    if part.is_change_set {
        return Err(BridgeError::NotOffered {
            what: "Ændringer i en $batch".to_owned(),
            reason: "this service is read-only".to_owned(),
        });
    }
    if part.is_conditional {
        return Err(BridgeError::NotOffered {
            what: "Betingelser (if) i en $batch".to_owned(),
            reason: "requests depend on others through dependsOn alone".to_owned(),
        });
    }
    let failed =
        |id: &String| answers.iter().any(|answer| answer.id.as_ref() == Some(id) && answer.status >= 400);
    let (target, named) = dereferenced(part, before);
    if part.depends_on.iter().chain(&named).any(failed) {
        return Err(BridgeError::FailedDependency);
    }
    if part.method != Method::GET.as_str() {
        return Err(BridgeError::Method { method: part.method.clone(), usage: &PART });
    }
    let target = below_root(raw, &target).ok_or_else(|| BridgeError::UnknownPath(target.clone()))?;
    // Percent-encoded, because next links repeat the options in a URL.
    let target = utf8_percent_encode(&target, NOT_IN_ADDRESSES).to_string();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let headers = headers(raw, part);
    read(&RawRequest { method: &Method::GET, path, query, headers: &headers, base: raw.base }, state).await
}

/// The target of a part with references resolved, and the ids that it refers to: `$1/Children` continues the path of request 1.
fn dereferenced(part: &Part, before: &[Part]) -> (String, Vec<String>) {
    let mut target = part.target.clone();
    let mut named = Vec::new();
    for earlier in before.iter().rev() {
        let Some(id) = &earlier.id else { continue };
        let rest = target.strip_prefix('$').and_then(|target| target.strip_prefix(id.as_str()));
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) {
            let path = earlier.target.split('?').next().unwrap_or_default();
            target = format!("{}{rest}", path.trim_end_matches('/'));
            named.push(id.clone());
        }
    }
    (target, named)
}

/// The target's path and query below `/odata/`; `None` if it is not part of this service.
fn below_root(raw: &RawRequest<'_>, target: &str) -> Option<String> {
    let target = target.split('#').next().unwrap_or_default();
    let absolute_path = match target.split_once("://") {
        Some(_) => Some(target.strip_prefix(raw.base)?),
        None if target.starts_with('/') => {
            // Clients know the path of the public URL, while a proxy may have removed it from the request.
            let (_, behind) = raw.base.split_once("://")?;
            let prefix = behind.find('/').map_or("", |at| &behind[at..]);
            Some(target.strip_prefix(prefix).unwrap_or(target))
        }
        None => None,
    };
    match absolute_path {
        Some(path) => {
            let below = path.strip_prefix(ROOT)?;
            (below.is_empty() || below.starts_with(['/', '?']))
                .then(|| below.trim_start_matches('/').to_owned())
        }
        None => {
            let service = raw.path.trim_end_matches('/').rsplit_once('/').map_or("", |(service, _)| service);
            Some(format!("{service}/{target}").trim_start_matches('/').to_owned())
        }
    }
}

fn headers(raw: &RawRequest<'_>, part: &Part) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &part.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    for name in INHERITED.map(HeaderName::from_static) {
        if let Some(value) = raw.headers.get(&name).filter(|_| !headers.contains_key(&name)) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

/// A reply as a part, if it fits into the remaining size.
async fn part_answer(part: &Part, reply: Reply, version: Version, room: usize) -> PartAnswer {
    let whole = |reply: Reply| async move {
        let (status, headers) = (reply.status, reply.headers.clone());
        let body =
            web::block(move || reply.into_bytes(room)).await.map_err(|_| FetchError::Interrupted)??;
        Ok::<_, BridgeError>((status, headers, body))
    };
    let written = match whole(reply).await {
        Ok(written) => Ok(written),
        Err(error) => whole(Reply::refusal(version, &error)).await,
    };
    let (status, headers, body) =
        written.unwrap_or((StatusCode::INTERNAL_SERVER_ERROR, Vec::new(), Vec::new()));
    let text = |(name, value): (HeaderName, HeaderValue)| {
        let value = value.to_str().ok().filter(|_| name != SERVER_TIMING)?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    PartAnswer {
        id: part.id.clone(),
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or_default(),
        headers: headers.into_iter().filter_map(text).collect(),
        body,
    }
}
