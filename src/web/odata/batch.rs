//! `$batch`: each request is answered like a single one, in order, while the answers before it are sent. The service is read-only, so
//! change sets are refused.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use futures_util::{StreamExt, stream};
use percent_encoding::utf8_percent_encode;

use super::call::read;
use super::raw_request::{OwnedRequest, ROOT, RawRequest};
use crate::answer::error::{BridgeError, Usage};
use crate::budget::work::Work;
use crate::fetch::error::FetchError;
use crate::observe::request::inherited;
use crate::odata::batch::{self, Form, Part, PartHead, Writer};
use crate::odata::preference::{Applied, Preferences};
use crate::odata::version::Version;
use crate::web::body::{Body, PieceStream, Pieces, off_thread};
use crate::web::credentials::without_credentials;
use crate::web::request_head::NOT_IN_ADDRESSES;
use crate::web::respond::{Reply, SERVER_TIMING};
use crate::web::state::AppState;

/// The most requests of a batch.
const MAX_PARTS: usize = 100;
const PART: Usage =
    Usage { allow: "GET", danish: "en $batch kan kun læse", english: "the requests of a batch only read" };
/// Headers of the batch that apply to its requests unless these have their own.
const INHERITED: [&str; 2] = ["odata-maxversion", "odata-version"];

/// A batch whose requests are answered one after the other, while the answers are sent.
struct Batch {
    request: Arc<OwnedRequest>,
    state: AppState,
    version: Version,
    form: Form,
    parts: Vec<Part>,
    /// Whether a request is answered after one before it has failed.
    goes_on: bool,
}

/// The id and the status of an answer.
type Answered = (Option<String>, u16);

/// Answers a batch. A request that fails is answered with its error and ends the batch, unless the client prefers
/// `continue-on-error`. All requests together have the processor time of `work`.
pub(super) fn answer(
    request: &Arc<OwnedRequest>,
    body: &[u8],
    state: &AppState,
    work: &Work,
) -> Result<Reply, BridgeError> {
    let raw = request.raw();
    let version = raw.version()?;
    let form = Form::of(&raw.header("content-type").unwrap_or_default())?;
    let parts = batch::parse(&form, body, MAX_PARTS)?;
    let preferences = Preferences::parse(&raw.header("prefer").unwrap_or_default());
    refuse_isolation(&raw)?;
    let applied = Applied { continue_on_error: true, ..Applied::default() };
    let applied = preferences.applied(&applied);
    let writer = Writer::new(&form);
    let content_type = writer.content_type();
    let (request, state, goes_on) = (Arc::clone(request), state.clone(), preferences.continue_on_error);
    let batch = Arc::new(Batch { request, state, version, form, parts, goes_on });
    let answers =
        Answers { batch, work: work.clone(), writer, answered: Vec::new(), body: None, is_over: false };
    let body = Body::Stream(PieceStream(stream::try_unfold(answers, Answers::piece).boxed()));
    Ok(Reply::unkept(version, &content_type, applied.as_deref(), body))
}

/// The answers of a batch that is being sent.
struct Answers {
    batch: Arc<Batch>,
    work: Work,
    writer: Writer,
    answered: Vec<Answered>,
    /// The rest of the body that is being written.
    body: Option<Box<dyn Pieces>>,
    is_over: bool,
}

impl Answers {
    /// The next piece.
    async fn piece(mut self) -> Result<Option<(Vec<u8>, Self)>, BridgeError> {
        if self.is_over {
            return Ok(None);
        }
        let piece = match self.body.take() {
            Some(body) => match next(body).await? {
                (Some(piece), body) => {
                    self.body = Some(body);
                    self.writer.piece(piece)
                }
                (None, _) => self.writer.part_end(),
            },
            None if self.is_complete() => {
                self.is_over = true;
                self.writer.end()
            }
            None => self.begin().await?,
        };
        Ok(Some((piece, self)))
    }

    fn has_failed(&self) -> bool {
        !self.batch.goes_on && self.answered.iter().any(|(_, status)| *status >= 400)
    }

    /// After a failure, JSON batches have an answer for every request, MIME batches end.
    fn is_complete(&self) -> bool {
        self.answered.len() == self.batch.parts.len() || (self.has_failed() && self.batch.form != Form::Json)
    }

    /// Answers the next request: the head and the first piece of its body, so that an error in that piece is the answer.
    async fn begin(&mut self) -> Result<Vec<u8>, BridgeError> {
        let (batch, number) = (Arc::clone(&self.batch), self.answered.len());
        let result = if self.has_failed() {
            Err(BridgeError::FailedDependency)
        } else {
            let (own, answered) = (Arc::clone(&batch), self.answered.clone());
            let answer = async move { own.one(number, &answered).await };
            batch
                .state
                .workers
                .run(&self.work, inherited(answer))
                .await
                .unwrap_or(Err(FetchError::Interrupted.into()))
        };
        let id = batch.parts.get(number).and_then(|part| part.id.clone());
        let begun = match result {
            Ok(reply) => begun(id.clone(), reply).await,
            Err(error) => Err(error),
        };
        let (head, first, body) = match begun {
            Ok(begun) => begun,
            Err(error) => begun_refusal(id, batch.version, &error).await?,
        };
        self.answered.push((head.id.clone(), head.status));
        let mut out = self.writer.head(&head);
        match first {
            Some(first) => {
                out.extend(self.writer.piece(first));
                self.body = Some(body);
            }
            None => out.extend(self.writer.part_end()),
        }
        Ok(out)
    }
}

type Begun = (PartHead, Option<Vec<u8>>, Box<dyn Pieces>);

async fn begun_refusal(
    id: Option<String>,
    version: Version,
    error: &BridgeError,
) -> Result<Begun, BridgeError> {
    begun(id, Reply::refusal(version, error)).await
}

/// The head of a reply as a part, the first piece of its body, and the rest.
async fn begun(id: Option<String>, reply: Reply) -> Result<Begun, BridgeError> {
    let text = |(name, value): &(HeaderName, HeaderValue)| {
        let value = value.to_str().ok().filter(|_| *name != SERVER_TIMING)?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    let headers = reply.headers.iter().filter_map(text).collect();
    let (status, reason) = (reply.status.as_u16(), reply.status.canonical_reason().unwrap_or_default());
    let (body, length) = reply.into_pieces();
    let (first, body) = next(body).await?;
    Ok((PartHead { id, status, reason, headers, length }, first, body))
}

/// The next piece of a body, and the body.
async fn next(mut body: Box<dyn Pieces>) -> Result<(Option<Vec<u8>>, Box<dyn Pieces>), BridgeError> {
    off_thread(move || Ok((body.next()?, body))).await
}

/// Refuses `Isolation: snapshot`: a table may be updated between two requests of a batch.
fn refuse_isolation(raw: &RawRequest<'_>) -> Result<(), BridgeError> {
    let wished = raw.header("isolation").or_else(|| raw.header("odata-isolation"));
    if wished.is_some() { Err(BridgeError::Isolation) } else { Ok(()) }
}

impl Batch {
    /// Answers a request of the batch; those before it have been answered.
    async fn one(&self, number: usize, answered: &[Answered]) -> Result<Reply, BridgeError> {
        let (before, raw) = (self.parts.get(..number).unwrap_or_default(), &self.request.raw());
        let part = self.parts.get(number).ok_or(BridgeError::FailedDependency)?;
        let (target, named) = dereferenced(part, before);
        let has_failed =
            |id: &String| answered.iter().any(|(other, status)| other.as_ref() == Some(id) && *status >= 400);
        refuse_other_than_reading(part)?;
        if part.depends_on.iter().chain(&named).any(has_failed) {
            return Err(BridgeError::FailedDependency);
        }
        if part.method != Method::GET.as_str() {
            return Err(BridgeError::Method { method: part.method.clone(), usage: &PART });
        }
        let target = below_root(raw, &target).ok_or_else(|| BridgeError::UnknownPath(target.clone()))?;
        // Percent-encoded, because next links repeat the options in a URL.
        let target = utf8_percent_encode(&target, NOT_IN_ADDRESSES).to_string();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = &without_credentials(query);
        let headers = headers(raw, part);
        let raw = RawRequest { method: &Method::GET, path, query, headers: &headers, base: raw.base };
        read(&raw, &self.state).await
    }
}

fn refuse_other_than_reading(part: &Part) -> Result<(), BridgeError> {
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
    Ok(())
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
