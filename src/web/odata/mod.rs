//! `/odata/`: the catalogue service and the services of the measurements.

mod call;
mod documents;
mod rows;
mod shown;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::error::BridgeError;
use crate::odata::version::{self, Version};
use crate::web::respond::{self, ALLOW, joined};
use crate::web::state::AppState;
use call::Call;

/// Answers any request below `/odata/`.
pub async fn answer(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let version = match negotiated_version(&request) {
        Ok(version) => version,
        Err(error) => return respond::refuse(Version::V4, &error),
    };
    if *request.method() == Method::OPTIONS {
        return HttpResponse::NoContent()
            .insert_header((header::ALLOW, ALLOW))
            .insert_header(("OData-Version", version.header()))
            .finish();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return respond::refuse(version, &BridgeError::Method(request.method().to_string()));
    }
    match Call::new(&request, &state, version).answer().await {
        Ok(Some(answer)) => respond::send(&request, version, answer).await,
        Ok(None) => respond::no_content(version),
        Err(error) => respond::refuse(version, &error),
    }
}

/// There is nothing at this address.
pub async fn nothing(request: HttpRequest) -> HttpResponse {
    respond::refuse(Version::V4, &BridgeError::UnknownPath(request.path().to_owned()))
}

fn negotiated_version(request: &HttpRequest) -> Result<Version, BridgeError> {
    let value = |name: &'static str| joined(request.headers(), &HeaderName::from_static(name));
    Ok(version::negotiate(value("odata-maxversion").as_deref(), value("odata-version").as_deref())?)
}
