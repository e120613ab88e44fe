//! The routes of the service. They are in one place, so that metrics can name each by its pattern.

use actix_web::web::{self, ServiceConfig};

use super::{download, health, odata, pages, remote_read, scrape};

/// Adds every route.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/healthz", web::get().to(health::live))
        .route("/healthz", web::head().to(health::live))
        .route("/readyz", web::get().to(health::ready))
        .route("/readyz", web::head().to(health::ready))
        .route("/metrics", web::get().to(scrape::process))
        .route("/metrics/indicators", web::get().to(scrape::indicators))
        .route("/api/v1/read", web::post().to(remote_read::answer))
        .route("/", web::get().to(pages::front))
        .route("/status", web::get().to(pages::status))
        .service(web::resource("/odata").to(odata::answer))
        .service(web::resource("/odata/").to(odata::answer))
        .service(web::resource("/odata/{path:.*}").to(odata::answer))
        .service(web::resource("/export/{table}/{file:.*}").to(download::answer))
        .default_service(web::to(odata::nothing));
}
