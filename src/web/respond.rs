//! From a finished answer to an HTTP response: the headers that every OData answer carries, and errors as OData writes them.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

use crate::error::BridgeError;
use crate::odata::etag;
use crate::odata::payload::{ErrorBody, ErrorDetail, write_error};
use crate::odata::version::Version;
use crate::web::compress;
use crate::web::error::tell;

/// What an answer depends on besides its address.
const VARY: &str = "Accept, Accept-Encoding, OData-MaxVersion, Prefer";

/// An answer before it is sent.
#[derive(Debug, Default)]
pub struct Answered {
    pub content_type: String,
    pub body: Vec<u8>,
    /// Seconds since the oldest figure was fetched.
    pub age_seconds: Option<i64>,
    pub preference_applied: Option<String>,
}

/// Sends an answer: 304 if the client already holds it, gzip if it takes that.
pub async fn send(request: &HttpRequest, version: Version, answer: Answered) -> HttpResponse {
    let Answered { content_type, body, age_seconds, preference_applied } = answer;
    let wants_gzip = compress::accepts_gzip(joined(request.headers(), &header::ACCEPT_ENCODING).as_deref());
    let made = actix_web::web::block(move || {
        let digest = Sha256::digest(&body);
        let tag: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let zipped = wants_gzip.then(|| compress::gzip(&body)).flatten();
        (etag::weak(&tag), zipped, body)
    });
    let Ok((tag, zipped, body)) = made.await else {
        return HttpResponse::InternalServerError().finish();
    };
    let mut response = HttpResponse::Ok();
    response.insert_header(("OData-Version", version.header()));
    response.insert_header((header::VARY, VARY)).insert_header((header::ETAG, tag.as_str()));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if let Some(age) = age_seconds {
        response.insert_header((header::AGE, age.max(0).to_string()));
    }
    if let Some(applied) = preference_applied {
        response.insert_header(("Preference-Applied", applied));
    }
    if joined(request.headers(), &header::IF_NONE_MATCH).is_some_and(|held| etag::matches(&held, &tag)) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    response.insert_header((header::CONTENT_TYPE, content_type));
    match zipped {
        Some(zipped) => response.insert_header((header::CONTENT_ENCODING, "gzip")).body(zipped),
        None => response.body(body),
    }
}

/// An answer without a body: a value that is null.
#[must_use]
pub fn no_content(version: Version) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header(("OData-Version", version.header()))
        .insert_header((header::VARY, VARY))
        .finish()
}

/// An error as OData writes it.
#[must_use]
pub fn refuse(version: Version, error: &BridgeError) -> HttpResponse {
    let told = tell(error);
    if told.status.is_server_error() {
        tracing::warn!(code = told.code, detail = told.detail, "request failed");
    } else {
        tracing::debug!(code = told.code, detail = told.detail, "request refused");
    }
    let target = told.target.as_deref();
    let details = [ErrorDetail { code: told.code, message: &told.detail, target }];
    let mut body = Vec::new();
    write_error(&mut body, &ErrorBody { code: told.code, message: &told.message, target, details: &details });
    let mut response = HttpResponse::build(told.status);
    response.insert_header(("OData-Version", version.header())).insert_header((header::VARY, VARY));
    response.insert_header((header::CONTENT_TYPE, "application/json"));
    if let Some(seconds) = told.retry_after_seconds {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if told.status == StatusCode::METHOD_NOT_ALLOWED {
        response.insert_header((header::ALLOW, ALLOW));
    }
    response.body(body)
}

/// The methods of every address.
pub const ALLOW: &str = "GET, HEAD, OPTIONS";

/// A header that may stand several times, as one.
#[must_use]
pub fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> =
        headers.get_all(name).filter_map(|value: &HeaderValue| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}
