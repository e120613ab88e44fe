//! A connection with time limits for its client. The HTTP library limits the head of the first request and the pause between two
//! requests; this limits the heads of all requests and the time in which the client takes an answer.

use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::connections::{Connection, OpenConnection, Timeouts};
use super::refusal;
use crate::budget::Share;

/// A client that moves so many bytes in a second is never too slow.
const BYTES_PER_SECOND: u64 = 4 * 1024;

/// A connection with limits of time.
#[derive(Debug)]
pub struct TimedStream {
    stream: TcpStream,
    open: OpenConnection,
    timeouts: Timeouts,
    /// The wait for the rest of a head, and how many requests there were when it began.
    head: Option<(u64, Pin<Box<Sleep>>)>,
    write: Patience,
    /// How many requests there were when `write` began.
    written_requests: u64,
    /// Whether it was seen before that the connection is to be closed.
    is_leaving: bool,
}

impl TimedStream {
    pub fn new(stream: TcpStream, open: OpenConnection, timeouts: Timeouts) -> Self {
        let write = Patience::new(timeouts.write);
        Self { stream, open, timeouts, head: None, write, written_requests: 0, is_leaving: false }
    }

    /// What others know of the connection.
    pub fn connection(&self) -> &Arc<Connection> {
        self.open.connection()
    }

    /// Ready once the client has taken too long to send the rest of a head. While an answer is being made, nothing is awaited.
    fn poll_head(&mut self, has_read: bool, context: &mut Context<'_>) -> Poll<()> {
        let (requests, is_answering) = self.connection().progress();
        self.head.take_if(|(begun, _)| *begun != requests || is_answering);
        if has_read && !is_answering && self.head.is_none() {
            self.head = Some((requests, Box::pin(sleep(self.timeouts.head))));
        }
        match &mut self.head {
            Some((_, timer)) if !has_read => timer.as_mut().poll(context),
            _ => Poll::Pending,
        }
    }

    /// Ready once a connection that is to be closed can be: a whole request may have been read last, which begins once this returns, and
    /// an answer goes to its end.
    fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !mem::replace(&mut self.is_leaving, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.write.is_waiting() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Refuses what the client has asked, if anything: a part of a head, a request whose body is awaited, or what lies unread.
    fn refuse_question(&mut self, share: Share) {
        let (requests, is_answering) = self.connection().progress();
        let has_head = self.head.as_ref().is_some_and(|(begun, _)| *begun == requests);
        if is_answering || has_head || refusal::discard(&self.stream).is_ok_and(|bytes| bytes > 0) {
            // Where that fails, the client has left.
            let _ = refusal::send(&self.stream, self.open.count_refusal(share));
        }
    }

    fn wrote(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.write.is_waiting() != written.is_pending() {
            self.connection().note_writing(written.is_pending());
            if self.is_leaving {
                context.waker().wake_by_ref();
            }
        }
        let (requests, _) = self.connection().progress();
        if mem::replace(&mut self.written_requests, requests) != requests {
            self.write = Patience::new(self.timeouts.write);
        }
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.write.moved(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(self.write.poll_exhausted(context));
                tracing::debug!("an answer was broken off: its reader is too slow");
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(share) = this.connection().closed_for(context) {
            ready!(this.poll_leave(context));
            this.refuse_question(share);
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        this.is_leaving = false;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let has_read = buffer.filled().len() > before;
        let is_late = this.poll_head(has_read, context).is_ready();
        if read.is_pending() && is_late {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How long a client may still keep the server waiting for the bytes of one transfer. Waiting uses it up, and bytes that move give it
/// back, but never more than there was at first: what lies in the kernel's buffers has not been taken yet.
#[derive(Debug)]
pub struct Patience {
    grace: Duration,
    left: Duration,
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Patience {
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        Self { grace, left: grace, wait: None }
    }

    /// Bytes have moved: a wait is over.
    pub fn moved(&mut self, bytes: usize) {
        if let Some((since, _)) = self.wait.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let earned = Duration::from_millis((bytes as u64).saturating_mul(1000) / BYTES_PER_SECOND);
        self.left = (self.left + earned).min(self.grace);
    }

    /// Whether bytes wait to move.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.wait.is_some()
    }

    /// Nothing moves: ready once the client has taken too long.
    pub fn poll_exhausted(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let left = self.left;
        let (_, timer) = self.wait.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
        timer.as_mut().poll(context)
    }
}
