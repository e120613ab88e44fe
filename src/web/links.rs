//! Absolute addresses given out: from the setting, or as the client spoke to us.

use std::net::SocketAddr;

use actix_web::HttpRequest;

/// Where this service listens: its name for clients that give it none.
#[derive(Debug, Clone, Copy)]
pub struct OwnAddress(pub SocketAddr);

/// The scheme, host and path that clients reach this service under, without a slash at the end.
#[must_use]
pub fn base(request: &HttpRequest, public_url: Option<&str>) -> String {
    match public_url {
        Some(url) => url.to_owned(),
        None => format!("http://{}", host(request)),
    }
}

/// The host that the client named; a header that could not be a host is answered with our own address.
fn host(request: &HttpRequest) -> String {
    let named = request.headers().get("host").and_then(|host| host.to_str().ok());
    let named = named.filter(|host| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
    });
    let own = || request.app_data().map_or("localhost".to_owned(), |OwnAddress(own)| own.to_string());
    named.map_or_else(own, str::to_owned)
}
