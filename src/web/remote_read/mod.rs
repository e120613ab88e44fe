//! Prometheus' remote read, `POST /api/v1/read`. Decodes the request, lets [`history`] answer it and
//! encodes the answer; always in the format `SAMPLES`, which every version of Prometheus accepts.

mod pieces;
mod wire;

use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::Stream;
use prost::Message;
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::answer::error::BridgeError;
use crate::budget::Exhausted;
use crate::budget::answers::WRITING_BYTES;
use crate::error::{DescribeError, ErrorDescription};
use crate::indicators::history::{self, Hints, HistoryError, Matcher};
use crate::observe::request;
use crate::web::body::streamed;
use crate::web::exchange;
use crate::web::respond::joined;
use crate::web::state::AppState;
use pieces::Measured;
use wire::{MatcherKind, ResponseType};

const PROTOBUF: &str = "application/x-protobuf";
const SNAPPY: &str = "snappy";
/// The most bytes of a request, compressed as well as decompressed.
const BODY_LIMIT: usize = 1024 * 1024;
/// The most queries of a request; Prometheus itself sends one.
const QUERY_LIMIT: usize = 32;
/// How many answers are made at the same time, since each may be large.
static ANSWERS: Semaphore = Semaphore::const_new(2);

/// Why a request is refused.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("expected the {header} {expected}, found {found:?}")]
    Header { header: HeaderName, expected: &'static str, found: Option<String> },
    #[error(transparent)]
    Body(BridgeError),
    #[error("the body is not snappy: {0}")]
    NotSnappy(snap::Error),
    #[error("the body is not the protobuf of a ReadRequest: {0}")]
    NotProtobuf(prost::DecodeError),
    #[error("the request has {found} queries, above the limit of {QUERY_LIMIT}")]
    TooManyQueries { found: usize },
    #[error("only answers of the types {accepted:?} are accepted; this one is of type 0, samples")]
    NoSamples { accepted: Vec<i32> },
    #[error("the matcher on `{label}` is of the unknown kind {kind}")]
    UnknownMatcher { label: String, kind: i32 },
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Budget(#[from] Exhausted),
    #[error("the answer could not be made: {0}")]
    Internal(String),
}

/// Answers a remote read.
pub async fn answer(request: HttpRequest, payload: web::Payload, state: web::Data<AppState>) -> HttpResponse {
    match read(&request, payload, &state).await {
        Ok(body) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, PROTOBUF))
            .insert_header((header::CONTENT_ENCODING, SNAPPY))
            .body(BodyStream::new(body)),
        Err(error) => refuse(&error),
    }
}

async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    state: &AppState,
) -> Result<impl Stream<Item = Result<Bytes, BridgeError>> + use<>, ReadError> {
    expect(request, header::CONTENT_TYPE, PROTOBUF)?;
    expect(request, header::CONTENT_ENCODING, SNAPPY)?;
    let body = exchange::body(payload, BODY_LIMIT).await.map_err(ReadError::Body)?;
    let snapshot = state.indicators.published().snapshot.clone();
    let permit = ANSWERS.acquire().await.map_err(|error| ReadError::Internal(error.to_string()))?;
    let work = request::spawn_blocking(move || {
        // Held until the work is done, which continues if the client disconnects.
        let _permit = permit;
        Measured::of(snapshot, unpack(&body)?)
    });
    let measured = work.await.unwrap_or_else(|error| Err(ReadError::Internal(error.to_string())))?;
    let held = state.workers.hold(measured.largest as u64 + WRITING_BYTES)?;
    Ok(streamed(Box::new(measured.pieces(held))))
}

fn expect(request: &HttpRequest, header: HeaderName, expected: &'static str) -> Result<(), ReadError> {
    let found = joined(request.headers(), &header);
    let bare = found.as_deref().and_then(|value| value.split(';').next()).map(str::trim);
    match bare {
        Some(value) if value.eq_ignore_ascii_case(expected) => Ok(()),
        _ => Err(ReadError::Header { header, expected, found }),
    }
}

/// The queries of a body.
///
/// # Errors
/// When it is none of a remote read, or asks for more than is answered.
pub fn unpack(body: &[u8]) -> Result<Vec<history::Query>, ReadError> {
    // The length comes from the body, so it is checked before anything is allocated.
    if snap::raw::decompress_len(body).map_err(ReadError::NotSnappy)? > BODY_LIMIT {
        return Err(ReadError::Body(BridgeError::BodyTooLarge { limit: BODY_LIMIT }));
    }
    let plain = snap::raw::Decoder::new().decompress_vec(body).map_err(ReadError::NotSnappy)?;
    let request = wire::ReadRequest::decode(plain.as_slice()).map_err(ReadError::NotProtobuf)?;
    let accepted = &request.accepted_response_types;
    if !accepted.is_empty() && !accepted.contains(&(ResponseType::Samples as i32)) {
        return Err(ReadError::NoSamples { accepted: accepted.clone() });
    }
    if request.queries.len() > QUERY_LIMIT {
        return Err(ReadError::TooManyQueries { found: request.queries.len() });
    }
    let matchers = request.queries.iter().flat_map(|query| &query.matchers);
    let found = matchers.filter(|matcher| matcher.is_pattern()).count();
    if found > history::PATTERN_COUNT_LIMIT {
        return Err(HistoryError::TooManyPatterns { found }.into());
    }
    request.queries.into_iter().map(query).collect()
}

fn query(query: wire::Query) -> Result<history::Query, ReadError> {
    let (start_ms, end_ms) = (query.start_timestamp_ms, query.end_timestamp_ms);
    if query.matchers.len() > history::MATCHER_LIMIT {
        return Err(HistoryError::TooManyMatchers { found: query.matchers.len() }.into());
    }
    let matchers = query.matchers.into_iter().map(matcher).collect::<Result<_, _>>()?;
    let hints = match query.hints {
        // A range of nothing is none.
        Some(hints) => Hints {
            start_ms: if hints.has_range() { hints.start_ms } else { start_ms },
            end_ms: if hints.has_range() { hints.end_ms } else { end_ms },
            step_ms: hints.step_ms,
            range_ms: hints.range_ms,
            function: hints.func,
        },
        None => Hints { start_ms, end_ms, ..Hints::default() },
    };
    Ok(history::Query { start_ms, end_ms, matchers, hints })
}

fn matcher(wire::LabelMatcher { kind, name, value }: wire::LabelMatcher) -> Result<Matcher, ReadError> {
    Ok(match MatcherKind::try_from(kind) {
        Ok(MatcherKind::Equal) => Matcher::equal(name, value),
        Ok(MatcherKind::NotEqual) => Matcher::not_equal(name, value),
        Ok(MatcherKind::Matches) => Matcher::matches(name, &value)?,
        Ok(MatcherKind::NotMatches) => Matcher::not_matches(name, &value)?,
        Err(_) => return Err(ReadError::UnknownMatcher { label: name, kind }),
    })
}

/// The error answer. Prometheus shows its body to the user: first the sentence, then the detail.
pub(super) fn refuse(error: &ReadError) -> HttpResponse {
    let ErrorDescription { status, code, danish, retry_after_seconds, .. } = error.describe();
    let id = request::id();
    tracing::debug!(code, %error, %id, "remote read refused");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = retry_after_seconds {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    response.content_type("text/plain; charset=utf-8").body(format!("{danish} ({error}; request {id})\n"))
}

impl DescribeError for ReadError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Header { .. } => ErrorDescription::new(
                415,
                "NotRemoteRead",
                "Adressen er til Prometheus' remote_read; brug /odata/ til Excel og Power BI.",
            ),
            Self::Body(error) => error.describe(),
            Self::NotSnappy(_) | Self::NotProtobuf(_) => ErrorDescription::new(
                400,
                "MalformedRemoteRead",
                "Forespørgslen kan ikke læses; send en remote read-forespørgsel fra Prometheus.",
            ),
            Self::TooManyQueries { .. } => ErrorDescription::new(
                400,
                "TooManyQueries",
                "Der er for mange forespørgsler på én gang; send færre.",
            ),
            Self::NoSamples { .. } => ErrorDescription::new(
                400,
                "SamplesNotAccepted",
                "Svaret gives kun som enkelte tal; tilføj SAMPLES til accepted_response_types.",
            ),
            Self::UnknownMatcher { .. } => ErrorDescription::new(
                400,
                "UnknownMatcher",
                "En betingelse er af en ukendt slags; brug =, !=, =~ eller !~.",
            ),
            Self::History(error) => error.describe(),
            Self::Budget(error) => error.describe(),
            Self::Internal(_) => ErrorDescription::internal(),
        }
    }
}
