//! Counts, times and logs requests, each in a span of its own, by the pattern of their route and never by their raw path. Scrapes are
//! left to Prometheus.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use bytes::Bytes;
use tracing::{Instrument, Span, field};

use super::access_log::Entry;
use crate::observe::request::RequestRecord;
use crate::web::state::AppState;

/// The paths that Prometheus reads.
const SCRAPES: &str = "/metrics";

/// The span of a request: its id, and how many seconds each stage of answering it took.
fn span(request: &RequestRecord) -> Span {
    tracing::info_span!(
        "request",
        id = %request.id,
        parse = field::Empty,
        bind = field::Empty,
        plan = field::Empty,
        fetch = field::Empty,
        assemble = field::Empty,
        write = field::Empty,
    )
}

/// Passes a request on, and tells the metrics and the access log how it went.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<ObservedBody>, Error> {
    let began = Instant::now();
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let method = request.method().clone();
    let record = RequestRecord::begin();
    let target = request.uri().path_and_query().map_or("*", |target| target.as_str());
    let entry = state
        .as_ref()
        .and_then(|state| state.access_log.begin(&record, state.clock.now(), method.as_str(), target));
    let response = record.within(next.call(request).instrument(span(&record))).await?;
    let route = response.request().match_pattern();
    if let Some(state) = state
        && !route.as_deref().is_some_and(|route| route.starts_with(SCRAPES))
    {
        state.metrics.http_request(
            route.as_deref(),
            method.as_str(),
            response.status().as_u16(),
            began.elapsed(),
        );
    }
    let status = response.status().as_u16();
    Ok(response.map_body(|_, body| {
        let entry = entry.map(|entry| entry.answered(status));
        ObservedBody { body: body.boxed(), record, entry }
    }))
}

/// The body of an answer, which is made for its request and counted.
#[derive(Debug)]
pub struct ObservedBody {
    body: BoxBody,
    record: Arc<RequestRecord>,
    entry: Option<Entry>,
}

impl MessageBody for ObservedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        let body = Pin::new(&mut this.body);
        let polled = this.record.within_now(|| body.poll_next(context));
        if let (Poll::Ready(Some(Ok(bytes))), Some(entry)) = (&polled, &mut this.entry) {
            entry.bytes += bytes.len() as u64;
        }
        polled
    }
}
