//! What `/status` tells of the service, collected from its parts.

use actix_web::{HttpRequest, HttpResponse, web};
use std::time::Duration;

use crate::pages::status::{self, ServiceState};
use crate::upstream::opening;
use crate::web::pages;
use crate::web::state::AppState;

/// `/status`: the state of the service.
pub async fn page(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let service = ServiceState {
        closed: opening::may_start(state.clock.now(), Duration::ZERO),
        store: state.store.size(),
        store_problem: state.store.problem(),
        stored: state.store.tables(),
        ahead: state.ahead.progress(),
        indicators: state.indicators.published().snapshot.clone(),
        failed: state.reports.newest_first(),
    };
    pages::page(&request, &state, |sources, visit| async move { status::page(&sources, visit, service) })
        .await
}
