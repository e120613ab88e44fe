//! The endpoints that Prometheus scrapes. The gauges of indicators were rendered when figures were refreshed.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::observe::metrics::EXPOSITION_TYPE;
use crate::peers::Peers;
use crate::web::compress::Coding;
use crate::web::respond::joined;
use crate::web::state::AppState;

/// `/metrics`: metrics of this process.
pub async fn process(state: web::Data<AppState>) -> HttpResponse {
    let size = state.store.size();
    state.metrics.cache_size(size.blocks, size.bytes);
    state.metrics.disk_size(size.disk_blocks, size.on_disk());
    state.metrics.budgets(&state.budgets);
    if let Some(peers) = state.peers.as_ref().map(Peers::report) {
        state.metrics.peers(peers.alive, peers.expected, peers.told, peers.taken_over);
        state.metrics.spent_by_all(peers.spent);
    }
    state.metrics.work(state.workers.statistics());
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, EXPOSITION_TYPE)).body(state.metrics.render())
}

/// `/metrics/indicators`: gauges of the indicators.
pub async fn indicators(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let published = state.indicators.published();
    let rendered = &published.rendered;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, EXPOSITION_TYPE))
        .insert_header((header::VARY, "Accept-Encoding"));
    if Coding::accepts_gzip(joined(request.headers(), &header::ACCEPT_ENCODING).as_deref()) {
        response.insert_header((header::CONTENT_ENCODING, "gzip")).body(rendered.gzip.clone())
    } else {
        response.body(rendered.text.clone())
    }
}
