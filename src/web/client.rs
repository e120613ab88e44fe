//! Which client and which reader a request comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::http::header::X_FORWARDED_FOR;
use actix_web::{HttpMessage, HttpRequest};

use crate::budget::client::{Client, TrustedProxies};
use crate::sign_in::reader::{Identity, Reader};
use crate::web::respond::joined;
use crate::web::state::AppState;

/// The client that a request comes from: whoever connected, or whom trusted proxies name.
///
/// Only `X-Forwarded-For` is read. Proxies that do not know the newer `Forwarded` pass it on as the client invented it.
#[must_use]
pub fn of(request: &HttpRequest, proxies: &TrustedProxies) -> Client {
    let peer = peer(request.peer_addr());
    let forwarded_for = joined(request.headers(), &X_FORWARDED_FOR).unwrap_or_default();
    proxies.client(peer, &forwarded_for)
}

/// The address that connected.
pub fn peer(address: Option<SocketAddr>) -> IpAddr {
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// The state for a request, as its reader may see it, on the budgets of the user or else of the address. Before somebody is signed in,
/// nothing may be read.
#[must_use]
pub fn state(request: &HttpRequest, state: &AppState) -> AppState {
    let reader = reader(request);
    let client = reader.user.as_ref().map_or_else(|| of(request, &state.proxies), Identity::client);
    state.for_reader(reader, client)
}

/// Who a request comes from: nobody before somebody is signed in.
#[must_use]
pub fn reader(request: &HttpRequest) -> Reader {
    request.extensions().get::<Reader>().cloned().unwrap_or_else(Reader::nobody)
}
