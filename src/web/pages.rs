//! The addresses of the pages: which requests are a person's, and the headers of what they get.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::answer::error::BridgeError;
use crate::answer::stages::Stages;
use crate::observe::request::{inherited, inherited_now};
use crate::odata::etag;
use crate::odata::version::Version;
use crate::pages::visit::{Target, Visit};
use crate::pages::{File, Html, Sources, assets, builder, failure, find, measurement, news};
use crate::web::body::digest;
use crate::web::compress;
use crate::web::state::AppState;
use crate::web::{client, links, odata, respond};

/// Nothing but what this service itself serves, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const PAGE_TYPE: &str = "text/html; charset=utf-8";
/// What a page depends on.
const VARY: &str = "Accept, Accept-Encoding, Accept-Language";

/// `/`: the front page for people, the catalogue's service document for programs.
pub async fn front(request: HttpRequest, body: web::Payload, state: web::Data<AppState>) -> HttpResponse {
    if !wants_html(&request) || request.query_string().contains("format=") {
        let mut document = odata::answer(request, body, state).await;
        document.headers_mut().insert(header::VARY, header::HeaderValue::from_static(VARY));
        return document;
    }
    page(&request, &state, |sources, visit| async move { find::page(&sources, visit) }).await
}

/// `/maaling/{table}`: a measurement.
pub async fn measurement(
    request: HttpRequest,
    table: web::Path<String>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let table = table.into_inner();
    page(&request, &state, |sources, visit| measurement::page(sources, visit, table)).await
}

/// `/maaling/{table}/byg`: rows are chosen and taken along.
pub async fn builder(
    request: HttpRequest,
    table: web::Path<String>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let table = table.into_inner();
    page(&request, &state, |sources, visit| builder::page(sources, visit, table)).await
}

/// `/nyt`: what is new.
pub async fn news(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    page(&request, &state, |sources, visit| async move { news::page(&sources, visit) }).await
}

/// `/nyt.atom`: the same as a feed.
pub async fn news_feed(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    file(&request, &state, |sources, visit| async move { news::feed(&sources, visit) }).await
}

/// `/nyt.ics`: the coming days as a calendar.
pub async fn news_calendar(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    file(&request, &state, |sources, visit| async move { news::calendar(&sources, visit) }).await
}

/// `/nyt.csv`: what came and what was changed as a table.
pub async fn news_table(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    file(&request, &state, |sources, visit| async move { news::table(&sources, visit) }).await
}

/// A file of the pages. Its address changes with what is in it.
pub async fn asset(request: HttpRequest, file: web::Path<String>) -> HttpResponse {
    let Some(asset) = assets::find(&file) else {
        return respond::refuse(Version::V4, &BridgeError::UnknownPath(request.path().to_owned()));
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, asset.content_type))
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::VARY, "Accept-Encoding"));
    packed(&request, response, asset.content.to_vec()).await
}

/// The answer to a request for an address that does not exist.
pub async fn nothing(request: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let error = BridgeError::UnknownPath(request.path().to_owned());
    if !wants_html(&request) {
        return respond::refuse(Version::V4, &error);
    }
    page(&request, &state, |sources, visit| async move { failure::page(&sources, visit, &error) }).await
}

/// Whether a request is a browser's. A client that accepts any media type is not taken for one.
pub(super) fn wants_html(request: &HttpRequest) -> bool {
    let accept = respond::joined(request.headers(), &header::ACCEPT).unwrap_or_default();
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let names_html = parts.next().is_some_and(|media| {
            ["text/html", "application/xhtml+xml"].iter().any(|html| media.eq_ignore_ascii_case(html))
        });
        let is_refused =
            |part: &str| part.strip_prefix("q=").and_then(|weight| weight.parse().ok()) == Some(0.0);
        names_html && !parts.any(is_refused)
    })
}

/// Makes a page and sends it.
pub(super) async fn page<F, M>(request: &HttpRequest, state: &AppState, make: M) -> HttpResponse
where
    M: FnOnce(Sources, Visit) -> F,
    F: Future<Output = Html> + Send + 'static,
{
    match made(request, state, make).await {
        Some(html) => send(request, html).await,
        None => respond::refuse(Version::V4, &crate::fetch::error::FetchError::Interrupted.into()),
    }
}

/// Makes a file and sends it, or the page that says why there is none.
async fn file<F, M>(request: &HttpRequest, state: &AppState, make: M) -> HttpResponse
where
    M: FnOnce(Sources, Visit) -> F,
    F: Future<Output = Result<File, Html>> + Send + 'static,
{
    match made(request, state, make).await {
        Some(Ok(File { content_type, language, name, body })) => {
            let mut response = HttpResponse::Ok();
            response.insert_header((header::CONTENT_TYPE, content_type));
            response.insert_header((header::CONTENT_LANGUAGE, language.code()));
            if let Some(name) = name {
                response.insert_header(respond::attachment(&name));
            }
            unless_held(request, StatusCode::OK, response, body).await
        }
        Some(Err(html)) => send(request, html).await,
        None => respond::refuse(Version::V4, &crate::fetch::error::FetchError::Interrupted.into()),
    }
}

/// Makes something from the sources on the threads on which requests are answered; `None` if the service ends meanwhile.
async fn made<T, F, M>(request: &HttpRequest, state: &AppState, make: M) -> Option<T>
where
    T: Send + 'static,
    M: FnOnce(Sources, Visit) -> F,
    F: Future<Output = T> + Send + 'static,
{
    let accept_language = respond::joined(request.headers(), &header::ACCEPT_LANGUAGE);
    let visit = Visit::new(&Target {
        path: request.path(),
        query: request.query_string(),
        accept_language: accept_language.as_deref(),
        service: &links::base(request, state.public_url.as_deref()),
    });
    let state = client::state(request, state);
    let sources = Sources {
        feeds: state.feeds.clone(),
        answerer: state.answerer.clone(),
        stages: Stages::new(Arc::clone(&state.metrics)),
        now: state.clock.now(),
        has_open_metrics: state.sign_in.has_open_metrics(),
    };
    state.workers.run(&state.workers.work(), inherited(make(sources, visit))).await
}

async fn send(request: &HttpRequest, html: Html) -> HttpResponse {
    let status = StatusCode::from_u16(html.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, PAGE_TYPE))
        .insert_header((header::CONTENT_LANGUAGE, html.language.code()))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"));
    if let Some(seconds) = html.retry_after_seconds {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    unless_held(request, status, response, html.body.into_bytes()).await
}

/// Sends a body with its entity tag, or 304 if the client has it already.
async fn unless_held(
    request: &HttpRequest,
    status: StatusCode,
    mut response: actix_web::HttpResponseBuilder,
    body: Vec<u8>,
) -> HttpResponse {
    let tag = etag::weak(&digest(&body));
    response
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, VARY))
        .insert_header((header::ETAG, tag.as_str()));
    let held = respond::joined(request.headers(), &header::IF_NONE_MATCH);
    if status == StatusCode::OK && held.is_some_and(|held| etag::matches(&held, &tag)) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    packed(request, response, body).await
}

/// A body in the best coding that the client accepts, compressed on a blocking thread.
async fn packed(
    request: &HttpRequest,
    mut response: actix_web::HttpResponseBuilder,
    body: Vec<u8>,
) -> HttpResponse {
    let coding = respond::coding(request).of_body(body.len());
    let Some(name) = coding.header() else {
        return response.body(body);
    };
    match web::block(inherited_now(move || compress::packed_each_time(&body, coding))).await {
        Ok(packed) => response.insert_header((header::CONTENT_ENCODING, name)).body(packed),
        Err(_) => respond::refuse(Version::V4, &crate::fetch::error::FetchError::Interrupted.into()),
    }
}
