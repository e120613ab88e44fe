//! Starts the HTTP server: sockets, timeouts, and the layers around all requests.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::{App, web};
use tokio::net::{TcpSocket, TcpStream};

use super::links::OwnAddress;
use super::request_line::EncodedRequestLines;
use super::request_metrics;
use super::routes::routes;
use super::state::AppState;

/// How long running requests may take at shutdown.
const SHUTDOWN_SECONDS: u64 = 10;
/// The longest wait for a request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
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
    state: AppState,
) -> io::Result<(Server, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?.into_std()?;
    let address = listener.local_addr()?;
    let shared = web::Data::new(state);
    let mut server = Server::build().shutdown_timeout(SHUTDOWN_SECONDS).disable_signals();
    if let Some(workers) = workers {
        server = server.workers(workers);
    }
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("bridge", listener, move || {
        let app = App::new()
            .app_data(shared.clone())
            .app_data(OwnAddress(address))
            .wrap(from_fn(request_metrics::observe))
            .configure(routes);
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(HEADER_TIMEOUT)
            .keep_alive(KEEP_ALIVE)
            .local_addr(address)
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(|connection: TcpStream| async {
            let peer = connection.peer_addr().ok();
            Ok((EncodedRequestLines::new(connection), Protocol::Http1, peer))
        })
        .and_then(http)
    })?;
    Ok((server.run(), address))
}
