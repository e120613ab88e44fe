//! Starts the HTTP server: sockets, timeouts, and the layers around all requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use tokio::net::{TcpSocket, TcpStream};

use super::connections::{Connections, Timeouts};
use super::links::OwnAddress;
use super::request_line::EncodedRequestLines;
use super::routes::routes;
use super::state::AppState;
use super::timed_stream::TimedStream;
use super::worded_refusals::WordedRefusals;
use super::{cors, departure, exchange, refusal, request_metrics, sign_in};

/// How long a connection is read on after an answer that left a part of the request unread, so that the client gets the answer.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections that may wait to be accepted: enough for many users who open the same workbook at once.
const BACKLOG: u32 = 1024;

/// A server on that address, with one worker per core unless given, and the address that it got.
///
/// # Errors
/// When the address is taken or does not belong to this machine.
pub fn listen(
    address: SocketAddr,
    workers: Option<usize>,
    timeouts: Timeouts,
    state: AppState,
) -> io::Result<(Server, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?.into_std()?;
    let address = listener.local_addr()?;
    let connections = Arc::clone(&state.connections);
    let (shared, limits) = (web::Data::new(state), web::Data::new(timeouts));
    let mut server = Server::build().shutdown_timeout(timeouts.stop.as_secs()).disable_signals();
    if let Some(workers) = workers {
        server = server.workers(workers);
    }
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("bridge", listener, move || {
        let app = App::new()
            .app_data(shared.clone())
            .app_data(limits.clone())
            .app_data(OwnAddress(address))
            .wrap(from_fn(sign_in::admit))
            .wrap(from_fn(exchange::frame))
            .wrap(from_fn(cors::allow))
            .wrap(from_fn(request_metrics::observe))
            .wrap(from_fn(departure::end_with_client))
            .wrap(from_fn(sign_in::take_credentials))
            .configure(routes);
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(timeouts.head)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .on_connect_ext(|io: &EncodedRequestLines<WordedRefusals<TimedStream>>, data| {
                data.insert(Arc::clone(io.stream().stream().connection()));
                data.insert(io.departure());
            })
            .keep_alive(KEEP_ALIVE)
            .local_addr(address)
            .finish(map_config(app, |()| AppConfig::default()));
        let connections = Arc::clone(&connections);
        fn_service(move |stream: TcpStream| accept(stream, Arc::clone(&connections), timeouts)).and_then(http)
    })?;
    Ok((server.run(), address))
}

type Accepted = (EncodedRequestLines<WordedRefusals<TimedStream>>, Protocol, Option<SocketAddr>);

/// Accepts a connection, or answers why it is refused.
async fn accept(
    stream: TcpStream,
    connections: Arc<Connections>,
    timeouts: Timeouts,
) -> Result<Accepted, DispatchError> {
    let peer = stream.peer_addr()?;
    // Without it the last piece of an answer waits until the client has acknowledged the one before.
    stream.set_nodelay(true)?;
    match connections.admit(peer.ip()) {
        Ok(open) => {
            let stream = WordedRefusals::new(TimedStream::new(stream, open, timeouts));
            let stream = EncodedRequestLines::new(stream);
            Ok((stream, Protocol::Http1, Some(peer)))
        }
        Err(exhausted) => {
            let _ = refusal::send(&stream, exhausted);
            Err(DispatchError::Io(io::ErrorKind::ConnectionRefused.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream as StdTcpStream;
    use std::os::fd::AsFd;

    use super::*;
    use crate::budget::client::TrustedProxies;
    use crate::web::connections::ConnectionLimits;

    #[actix_web::test]
    async fn an_accepted_connection_sends_each_piece_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let same = StdTcpStream::from(stream.as_fd().try_clone_to_owned().unwrap());
        let limits = ConnectionLimits { everybody: 1, per_client: 1, first_request: Duration::ZERO };
        let connections = Arc::new(Connections::new(limits, TrustedProxies::default()));
        let _accepted = accept(stream, connections, Timeouts::default()).await.expect("room for one");
        assert!(same.nodelay().unwrap());
    }
}
