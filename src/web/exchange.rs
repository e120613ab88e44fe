//! Middleware around each request: marks the connection as being answered, and limits the time for the request's body.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_http::Payload;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::Version;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use bytes::Bytes;
use futures_util::Stream;

use super::connections::{Answering, Connection, Timeouts};
use super::timed_stream::Patience;
use crate::answer::error::BridgeError;

/// The most bytes that are handed to a connection at a time. It buffers what it is handed, so that a large body would be held twice.
const PIECE_BYTES: usize = 64 * 1024;

/// Answers a request within its frame.
pub async fn frame<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<AnswerBody>, Error> {
    let connection = request.request().conn_data::<Arc<Connection>>().cloned();
    let answering = connection.as_ref().map(Connection::begin);
    let timeouts = request.app_data::<web::Data<Timeouts>>().map_or_else(Timeouts::default, |it| ***it);
    let version = request.version();
    match request.take_payload() {
        Payload::None => {}
        payload => {
            let patience = Patience::new(timeouts.body);
            let body = TimedBody { payload, connection: connection.clone(), patience };
            request.set_payload(Payload::Stream { payload: Box::pin(body) });
        }
    }
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| {
        if let Some(connection) =
            connection.filter(|_| version < Version::HTTP_11 && body.size() == BodySize::Stream)
        {
            connection.end_with_connection();
        }
        AnswerBody { body: body.boxed(), rest: Bytes::new(), _answering: answering }
    }))
}

/// The whole body of a request.
///
/// # Errors
/// When it is larger than the limit, breaks off or comes too slowly.
pub async fn body(payload: web::Payload, limit: usize) -> Result<Bytes, BridgeError> {
    match payload.to_bytes_limited(limit).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) if is_late(&error) => Err(BridgeError::BodySlow),
        Ok(Err(_)) => Err(BridgeError::BodyBroken),
        Err(_) => Err(BridgeError::BodyTooLarge { limit }),
    }
}

/// Whether a body could not be read because its client took too long.
fn is_late(error: &Error) -> bool {
    let io = error.as_error::<PayloadError>().and_then(|error| match error {
        PayloadError::Io(error) => Some(error.kind()),
        _ => None,
    });
    io == Some(io::ErrorKind::TimedOut)
}

/// The body of an answer; the request is answered when this is dropped.
#[derive(Debug)]
pub struct AnswerBody {
    body: BoxBody,
    /// What is left of a large piece.
    rest: Bytes,
    _answering: Option<Answering>,
}

impl MessageBody for AnswerBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(context)) {
                Some(Ok(piece)) => self.rest = piece,
                end => return Poll::Ready(end),
            }
        }
        let size = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(self.rest.split_to(size))))
    }
}

/// The body of a request, awaited for a limited time.
struct TimedBody {
    payload: Payload,
    connection: Option<Arc<Connection>>,
    patience: Patience,
}

impl TimedBody {
    fn await_body(&self, awaits: bool) {
        if let Some(connection) = &self.connection {
            connection.await_body(awaits);
        }
    }
}

impl Stream for TimedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.payload).poll_next(context);
        this.await_body(polled.is_pending());
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => this.patience.moved(bytes.len()),
            Poll::Pending if this.patience.poll_exhausted(context).is_ready() => {
                return Poll::Ready(Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))));
            }
            _ => {}
        }
        polled
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        self.await_body(false);
    }
}
