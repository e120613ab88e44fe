//! What `/status` tells of the service, collected from its parts.

use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;
use std::time::Duration;

use crate::pages::status::{self, ServiceState};
use crate::sign_in::reader::Tables;
use crate::upstream::opening;
use crate::web::client;
use crate::web::pages;
use crate::web::readiness::reasons;
use crate::web::state::AppState;

/// `/status`: the state of the service.
pub async fn page(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let state = client::state(&request, &state);
    let tables = state.feeds.tables();
    let mut indicators = (*state.indicators.published().snapshot).clone();
    indicators.indicators.retain(|indicator| tables.allow(indicator.definition.table.as_str()));
    let mut stored = state.store.tables();
    stored.retain(|(table, _)| tables.allow(table.as_str()));
    // What failed is told in the words of others, and may name any table.
    let reads_all = *tables == Tables::All;
    let failed = if reads_all { state.reports.newest_first() } else { Vec::new() };
    let service = ServiceState {
        reasons: reasons(&state),
        closed: opening::may_start(state.clock.now(), Duration::ZERO),
        store: state.store.size(),
        store_problem: state.store.problem().filter(|_| reads_all),
        stored,
        ahead: state.ahead.progress(),
        peers: state.peers.as_ref().map(|peers| peers.report().shown(reads_all)),
        indicators: Arc::new(indicators),
        failed,
    };
    pages::page(&request, &state, |sources, visit| async move { status::page(&sources, visit, service) })
        .await
}
