//! Counts and times requests, each in a span of its own, by the pattern of their route and never by their raw path. Scrapes are
//! left to Prometheus.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, web};
use tracing::{Instrument, Span, field};
use uuid::Uuid;

use crate::web::state::AppState;

/// The paths that Prometheus reads.
const SCRAPES: &str = "/metrics";

/// The span of a request: its id, and how many seconds each stage of answering it took.
fn span() -> Span {
    let id = Uuid::new_v4();
    tracing::info_span!(
        "request",
        %id,
        parse = field::Empty,
        bind = field::Empty,
        plan = field::Empty,
        fetch = field::Empty,
        assemble = field::Empty,
        write = field::Empty,
    )
}

/// Passes a request on and tells the metrics how it went.
pub async fn observe<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let method = request.method().clone();
    let response = next.call(request).instrument(span()).await?;
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
    Ok(response)
}
