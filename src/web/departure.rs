//! Ends the work for a request when its client has left; the HTTP library alone would notice only when it writes the answer. A
//! client that closes its sending side counts as having left, as with other servers.

use std::sync::Arc;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorBadRequest;
use actix_web::middleware::Next;
use tokio::sync::watch;

/// Whether the client of a connection has left. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Departure(Arc<watch::Sender<bool>>);

impl Departure {
    /// The client has left.
    pub fn note(&self) {
        self.0.send_replace(true);
    }

    async fn happened(&self) {
        // The sender is not dropped before this ends.
        let _ = self.0.subscribe().wait_for(|has_left| *has_left).await;
    }
}

/// Answers a request while its client is there.
pub async fn end_with_client<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let departure = request.request().conn_data::<Departure>().cloned().unwrap_or_default();
    tokio::select! {
        answered = next.call(request) => answered,
        () = departure.happened() => Err(ErrorBadRequest("the client has left")),
    }
}
