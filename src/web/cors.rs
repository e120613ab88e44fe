//! Lets pages elsewhere read answers (CORS), where `BRIDGE_CORS_ORIGINS` lists their origins. A browser asks with `OPTIONS`, without
//! credentials, before it sends what a form could not; that is answered before anybody has to sign in.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use crate::web::respond::joined;
use crate::web::state::AppState;

const METHODS: &str = "GET, HEAD, POST";
/// What pages may send beyond what every page may.
const SENT: &str =
    "Authorization, Content-Type, If-None-Match, If-Range, OData-MaxVersion, OData-Version, Prefer, Range";
/// What pages may read beyond what every page may.
const EXPOSED: &str = "Accept-Ranges, Age, Content-Disposition, Content-Range, ETag, OData-Version, Preference-Applied, \
                       Retry-After";
/// How long a browser need not ask again: the most that browsers heed.
const SECONDS: &str = "7200";

/// Adds to every answer who may read it. Without origins nothing is added.
pub async fn allow<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let Some(state) = state.filter(|state| !state.cors_origins.is_empty()) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let origin = joined(request.headers(), &header::ORIGIN);
    let origin = origin.and_then(|origin| state.cors_origins.iter().find(|listed| **listed == origin));
    let asks_first = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match origin {
        Some(_) if asks_first => request.into_response(permission()).map_into_right_body(),
        _ => next.call(request).await?.map_into_left_body(),
    };
    let headers = response.headers_mut();
    // An answer without permission is another one, too.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    Ok(response)
}

/// What a page of a listed origin may send.
fn permission() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, SECONDS))
        .finish()
}
