//! Liveness and readiness. Neither calls the upstream.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::observe::readiness::{self, Reason, Told};
use crate::web::readiness::reasons;
use crate::web::state::AppState;

/// The process runs.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Whether the service can do its work, and what keeps it from a part of it.
pub async fn ready(state: web::Data<AppState>) -> HttpResponse {
    let reasons = reasons(&state);
    let is_ready = readiness::is_ready(&reasons);
    let told = |reason: &Reason| {
        let Told { code, prevents, danish, english } = reason.told();
        json!({"code": code, "prevents": prevents, "message": danish, "detail": english})
    };
    let body = json!({"ready": is_ready, "reasons": reasons.iter().map(told).collect::<Vec<_>>()});
    let mut response = if is_ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(body)
}
