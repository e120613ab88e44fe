//! Middleware around each request: marks the connection as being answered, limits the time for the request's body, and gives answers
//! over HTTP/1.0 a length.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_http::Payload;
use actix_web::body::{BodySize, BoxBody, MessageBody, SizedStream};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::Version;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::connections::{Answering, Connection, Timeouts};
use super::respond;
use super::state::AppState;
use super::timed_stream::Patience;
use crate::answer::error::BridgeError;
use crate::budget::answers::Held;
use crate::fetch::error::FetchError;
use crate::odata::version::Version as ODataVersion;

/// The most bytes that are handed to a connection at a time. It buffers what it is handed, so that a large body would be held twice.
const PIECE_BYTES: usize = 64 * 1024;

/// The most bytes by which the memory for an answer over HTTP/1.0 grows at a time; before that it doubles.
const ROOM_BYTES: u64 = 16 * 1024 * 1024;

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
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let mut response = next.call(request).await?.map_into_boxed_body();
    let mut held = Vec::new();
    if let Some(state) = state
        && version < Version::HTTP_11
        && response.response().body().size() == BodySize::Stream
    {
        (response, held) = with_length(response, &state).await;
    }
    Ok(response.map_body(|_, body| AnswerBody {
        body,
        rest: Bytes::new(),
        _answering: answering,
        _held: held,
    }))
}

/// An answer whose body is read to its end first. HTTP/1.0 has no chunks, and a proxy takes a connection that breaks for the end of an
/// answer.
async fn with_length(response: ServiceResponse, state: &AppState) -> (ServiceResponse, Vec<Held>) {
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let (response, held) = match whole(body, state).await {
        Ok((body, held)) => (response.set_body(body).map_into_boxed_body(), held),
        Err(error) => (respond::refuse(ODataVersion::V4, &error), Vec::new()),
    };
    (ServiceResponse::new(request, response), held)
}

/// A body as a whole, and the memory that is held for it.
async fn whole(
    body: BoxBody,
    state: &AppState,
) -> Result<(impl MessageBody + use<>, Vec<Held>), BridgeError> {
    let (mut body, mut pieces, mut held) = (pin!(body), Vec::new(), Vec::new());
    let (mut length, mut room) = (0, 0);
    while let Some(piece) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        let piece = piece.map_err(reason)?;
        length += piece.len() as u64;
        if length > state.files.largest_bytes {
            return Err(state.files.too_large_for_http10());
        }
        if length > room {
            let more = room.min(ROOM_BYTES).max(length - room);
            held.push(state.workers.hold(more)?);
            room += more;
        }
        pieces.push(Ok::<_, BridgeError>(piece));
    }
    Ok((SizedStream::new(length, stream::iter(pieces)), held))
}

/// Why a body could not be made.
fn reason(error: Box<dyn std::error::Error>) -> BridgeError {
    match error.downcast::<BridgeError>() {
        Ok(error) => *error,
        Err(error) => {
            tracing::error!(%error, "an answer could not be made");
            FetchError::Interrupted.into()
        }
    }
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
    /// The memory of a body that is in memory as a whole.
    _held: Vec<Held>,
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
