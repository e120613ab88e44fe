//! Liveness and readiness. Neither calls the upstream.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::web::state::AppState;

/// The process runs.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// The service is ready once it has a list of tables, read now or saved earlier.
pub async fn ready(state: web::Data<AppState>) -> HttpResponse {
    if state.catalogue.current().heads.is_empty() {
        let why = state.catalogue.why_empty();
        let reason = match why {
            Some(error) => format!("the list of tables cannot be read from the upstream: {error}"),
            None => "the list of tables has not been read from the upstream yet".to_owned(),
        };
        return HttpResponse::ServiceUnavailable().json(json!({"ready": false, "reason": reason}));
    }
    HttpResponse::Ok().json(json!({"ready": true}))
}
