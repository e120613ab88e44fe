//! Signs requests in. What a request shows of who it is from is taken out of it before anything logs, keeps or repeats it; then
//! [`SignIn`](crate::sign_in::SignIn) says whose it is, and handlers see what that reader may read ([`client::state`]).

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};

use crate::answer::error::BridgeError;
use crate::odata::version::Version;
use crate::pages::failure;
use crate::sign_in::reader::Reader;
use crate::sign_in::{Credentials, SignIn, SignInError};
use crate::web::remote_read::{self, ReadError};
use crate::web::state::AppState;
use crate::web::{client, credentials, pages, respond, routes};

/// Makes Excel, Power BI and browsers ask for a name and a password, and send them as UTF-8.
const CHALLENGE: &str = "Basic realm=\"Jobindsats\", charset=\"UTF-8\"";
/// Of another realm, so that browsers do not send there what is for the pages.
const METRICS_CHALLENGE: &str = "Basic realm=\"Jobindsats metrics\", charset=\"UTF-8\"";

/// Who may ask for an address.
#[derive(Clone, Copy)]
enum Gate {
    Everybody,
    /// Who knows the password of metrics.
    Metrics,
    Users,
}

impl Gate {
    /// The gate of a request. What is named here is open to others than users; everything else is theirs.
    fn of(request: &HttpRequest) -> Self {
        let path = path(request);
        let is_below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        match path {
            routes::HEALTH | routes::READINESS => Self::Everybody,
            _ if is_below(routes::ASSETS_ROOT) => Self::Everybody,
            routes::SCRAPED | routes::REMOTE_READ => Self::Metrics,
            _ if is_below(routes::SCRAPED) => Self::Metrics,
            _ => Self::Users,
        }
    }
}

/// The path of a request as the router reads it, but for slashes at its end: those addresses lead on to the same without.
fn path(request: &HttpRequest) -> &str {
    request.match_info().as_str().trim_end_matches('/')
}

/// Takes out of a request what it shows of who it is from.
pub async fn take_credentials<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let credentials = credentials::take(&mut request, state.as_deref().map(AsRef::as_ref));
    request.extensions_mut().insert(credentials);
    next.call(request).await
}

/// Answers requests of those who may ask for what they ask for.
pub async fn admit<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<web::Data<AppState>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let gate = Gate::of(request.request());
    match signed_in(&request, &state, gate).await {
        Ok(reader) => {
            let needs_password = matches!(gate, Gate::Metrics) && !state.sign_in.has_open_metrics();
            let is_private = reader.user.is_some() || needs_password;
            request.extensions_mut().insert(reader);
            let mut response = next.call(request).await?.map_into_boxed_body();
            if is_private {
                keep_private(response.headers_mut());
            }
            Ok(response)
        }
        Err(error) => {
            let refusal = refusal(request.request(), &state, gate, error).await;
            Ok(request.into_response(refusal))
        }
    }
}

/// Signs a request in, whatever it shows.
async fn signed_in(request: &ServiceRequest, state: &AppState, gate: Gate) -> Result<Reader, SignInError> {
    let credentials = request.extensions().get::<Credentials>().cloned().unwrap_or_default();
    let client = client::of(request.request(), &state.proxies);
    match gate {
        Gate::Everybody => Ok(Reader::nobody()),
        Gate::Metrics => state.sign_in.admit_to_metrics(&credentials, client).map(|()| Reader::nobody()),
        Gate::Users => state.sign_in.reader(&credentials, client).await,
    }
}

/// What is for one user is kept by nobody else.
fn keep_private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.append(header::VARY, HeaderValue::from_static("Authorization"));
}

/// A refusal in the form of what was asked for.
async fn refusal(request: &HttpRequest, state: &AppState, gate: Gate, error: SignInError) -> HttpResponse {
    let error = BridgeError::from(error);
    let mut response = if pages::wants_html(request) {
        pages::page(request, state, |sources, visit| async move { failure::page(&sources, visit, &error) })
            .await
    } else if path(request) == routes::REMOTE_READ {
        remote_read::refuse(&ReadError::Body(error))
    } else {
        respond::refuse(Version::V4, &error)
    };
    if response.status() == StatusCode::UNAUTHORIZED {
        for challenge in challenges(request, gate, &state.sign_in) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
        }
    }
    response
}

/// What asks for credentials. Who sent a token, or `Bearer` alone, can send tokens, and is told nothing but where they are had; others are first
/// asked for a password, since all of them know that.
fn challenges(request: &HttpRequest, gate: Gate, sign_in: &SignIn) -> Vec<HeaderValue> {
    if matches!(gate, Gate::Metrics) {
        return vec![HeaderValue::from_static(METRICS_CHALLENGE)];
    }
    let address = sign_in.issuer().and_then(|issuer| issuer.authorization_endpoint());
    let bearer = address.and_then(|address| format!("Bearer authorization_uri={address}").parse().ok());
    let sends_tokens = matches!(request.extensions().get(), Some(Credentials::Token(_)));
    let basic = || HeaderValue::from_static(CHALLENGE);
    match bearer {
        None => vec![basic()],
        Some(bearer) if sends_tokens || !sign_in.takes_passwords() => vec![bearer],
        Some(bearer) => vec![basic(), bearer],
    }
}
