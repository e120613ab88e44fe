//! Counts, times, traces and logs requests, each in a span of its own, by the pattern of their route and never by their raw path; and
//! contains their panics, so that each ends its own request alone. Scrapes are left to Prometheus.

use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::HeaderName;
use actix_web::middleware::Next;
use actix_web::{Error, web};
use bytes::Bytes;
use futures_util::FutureExt;
use tracing::{Instrument, Span, field};

use super::access_log::{self, Entry};
use super::{client, respond, routes};
use crate::fetch::error::FetchError;
use crate::observe::request::{RequestId, RequestRecord, known_method};
use crate::observe::traces::{Parent, Received};
use crate::odata::version::Version;
use crate::web::state::AppState;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The span of a request: its id, and how many seconds each stage of answering it took. It has the level of errors and a target of its
/// own, so that the id is in every line, however little is logged.
fn span(request: &RequestRecord) -> Span {
    tracing::error_span!(
        target: "request",
        "request",
        request_id = %request.id,
        parse = field::Empty,
        bind = field::Empty,
        plan = field::Empty,
        fetch = field::Empty,
        assemble = field::Empty,
        write = field::Empty,
    )
}

/// Passes a request on, and tells the metrics, its trace and the access log how it went.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<ObservedBody>, Error> {
    let began = Instant::now();
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let method = request.method().clone();
    let mut exchange = Exchange::begin(&request, state.as_ref().map(|state| state.get_ref()));
    let work = next.call(request).instrument(exchange.span.clone());
    let answered = AssertUnwindSafe(exchange.record.within(work)).catch_unwind().await;
    let (response, route) = match answered {
        Ok(answered) => answered.map(|response| {
            let route = response.request().match_pattern();
            (Ok(response), route)
        })?,
        Err(_) => (Err(exchange.panicked()), None),
    };
    let status = response.as_ref().map_or(500, |response| response.status().as_u16());
    if let Some(state) = state
        && !route.as_deref().is_some_and(|route| route.starts_with(routes::SCRAPED))
    {
        state.metrics.http_request(route.as_deref(), method.as_str(), status, began.elapsed());
    }
    exchange.answered(route.as_deref(), status);
    Ok(response?.map_body(|_, body| ObservedBody { body: body.boxed(), exchange }))
}

/// The id of a request, and the trace that it continues: both as a trusted proxy says it.
fn identified(request: &ServiceRequest, state: &AppState) -> (RequestId, Option<Parent>) {
    if !state.proxies.contains(client::peer(request.peer_addr())) {
        return (RequestId::random(), None);
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let parent = header(TRACEPARENT).and_then(Parent::read);
    let given = header(X_REQUEST_ID).and_then(RequestId::given);
    let of_trace = || RequestId::given(&parent.as_ref()?.trace_id());
    (given.or_else(of_trace).unwrap_or_else(RequestId::random), parent)
}

/// A request until its answer has been sent or its client has left: that ends its trace and writes its line of the access log.
#[derive(Debug)]
struct Exchange {
    record: Arc<RequestRecord>,
    span: Span,
    entry: Option<Entry>,
}

impl Exchange {
    fn begin(request: &ServiceRequest, state: Option<&AppState>) -> Self {
        let Some(state) = state else {
            let record = RequestRecord::begin(RequestId::random(), None);
            return Self { span: span(&record), record, entry: None };
        };
        let (id, parent) = identified(request, state);
        let target = request.uri().path_and_query().map_or("*", |target| target.as_str());
        let (method, is_told) = (request.method().as_str(), state.traces.is_on() || state.access_log.is_on());
        let shown = if is_told { access_log::without_secrets(target) } else { String::new() };
        let (path, query) = shown.split_once('?').unwrap_or((&shown, ""));
        let received = Received {
            method: known_method(method).unwrap_or("_OTHER"),
            path,
            query,
            request_id: id.as_str(),
        };
        let trace = state.traces.begin(received, parent.as_ref());
        let record = RequestRecord::begin(id, trace);
        let entry = state.access_log.begin(&record, state.clock.now(), method, &shown);
        Self { span: span(&record), record, entry }
    }

    /// The answer to a request that a panic ended.
    fn panicked(&self) -> Error {
        let refuse = || respond::refuse(Version::V4, &FetchError::Interrupted.into());
        let refusal = self.record.within_now(|| self.span.in_scope(refuse));
        InternalError::from_response("a panic ended the request", refusal).into()
    }

    fn answered(&mut self, route: Option<&str>, status: u16) {
        if let Some(entry) = &mut self.entry {
            entry.status = Some(status);
        }
        if let Some(trace) = &self.record.trace {
            trace.answered(route, status);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(trace) = &self.record.trace {
            trace.end();
        }
    }
}

/// The body of an answer, which is made for its request and counted.
#[derive(Debug)]
pub struct ObservedBody {
    body: BoxBody,
    exchange: Exchange,
}

impl MessageBody for ObservedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    /// A panic ends the body before its end, so that its client sees that something is missing.
    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Self { body, exchange } = &mut *self;
        let poll = || exchange.span.in_scope(|| Pin::new(body).poll_next(context));
        let polled = panic::catch_unwind(AssertUnwindSafe(|| exchange.record.within_now(poll)));
        let polled = polled.unwrap_or_else(|_| Poll::Ready(Some(Err("a panic ended the answer".into()))));
        if let (Poll::Ready(Some(Ok(bytes))), Some(entry)) = (&polled, &mut exchange.entry) {
            entry.bytes += bytes.len() as u64;
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::BodyStream;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body, try_call_service};
    use actix_web::{App, HttpResponse};
    use futures_util::{StreamExt, stream};

    use super::*;

    async fn panicking() -> HttpResponse {
        panic::panic_any("a handler that fails")
    }

    async fn panicking_behind_its_head() -> HttpResponse {
        let first = Ok::<_, Error>(Bytes::from_static(b"first"));
        let pieces =
            stream::once(async { first }).chain(stream::poll_fn(|_| panic::panic_any("a body that fails")));
        HttpResponse::Ok().body(BodyStream::new(pieces))
    }

    #[actix_web::test]
    async fn a_panic_is_an_error_of_its_own_request_alone() {
        let app = init_service(
            App::new()
                .wrap(from_fn(observe))
                .route("/", web::get().to(panicking))
                .route("/body", web::get().to(panicking_behind_its_head))
                .route("/sound", web::get().to(HttpResponse::Ok)),
        )
        .await;
        for _ in 0..2 {
            let ended = try_call_service(&app, TestRequest::get().uri("/").to_request()).await;
            let response = ended.expect_err("no answer").error_response();
            assert_eq!(response.status(), 500);
            let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"]["code"], "InternalError");
            let sound = call_service(&app, TestRequest::get().uri("/sound").to_request()).await;
            assert_eq!(sound.status(), 200);
        }
        let response = call_service(&app, TestRequest::get().uri("/body").to_request()).await;
        let body = actix_web::body::to_bytes(response.into_body()).await;
        assert!(body.is_err(), "a body that breaks off must not look whole");
        let sound = call_service(&app, TestRequest::get().uri("/sound").to_request()).await;
        assert_eq!(read_body(sound).await, "");
    }
}
