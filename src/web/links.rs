//! The base of absolute links: from the setting `BRIDGE_PUBLIC_URL`, or from the request's `Host`.

use std::net::SocketAddr;

use actix_web::HttpRequest;

/// The address that this service listens on; used in links if the client sent no host.
#[derive(Debug, Clone, Copy)]
pub struct OwnAddress(pub SocketAddr);

/// The scheme, host and path under which clients reach this service, without a slash at the end.
#[must_use]
pub fn base(request: &HttpRequest, public_url: Option<&str>) -> String {
    match public_url {
        Some(url) => url.to_owned(),
        None => format!("{}://{}", scheme(request), host(request)),
    }
}

fn scheme(request: &HttpRequest) -> &'static str {
    if request.uri().scheme_str() == Some("https") { "https" } else { "http" }
}

/// The request's host, or our own address if the header is not a valid host.
fn host(request: &HttpRequest) -> String {
    // Where the target of the request is a whole address, its host counts and the header does not: RFC 9112, 3.2.2.
    let target = request.uri().authority().map(|authority| authority.as_str());
    let named = target.or_else(|| request.headers().get("host").and_then(|host| host.to_str().ok()));
    let named = named.filter(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
    });
    let own = || request.app_data().map_or("localhost".to_owned(), |OwnAddress(own)| own.to_string());
    named.map_or_else(own, str::to_owned)
}
