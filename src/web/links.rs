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
        None => format!("http://{}", host(request)),
    }
}

/// The request's host, or our own address if the header is not a valid host.
fn host(request: &HttpRequest) -> String {
    let named = request.headers().get("host").and_then(|host| host.to_str().ok());
    let named = named.filter(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
    });
    let own = || request.app_data().map_or("localhost".to_owned(), |OwnAddress(own)| own.to_string());
    named.map_or_else(own, str::to_owned)
}
