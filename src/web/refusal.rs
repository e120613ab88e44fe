//! Tells a client that its connection is closed because there are too many. Nothing here waits: the bytes are few enough to fit into an
//! empty buffer of the system, and a busy worker has no time to come back to such a connection.

use std::io::{self, Read};
use std::net::Shutdown;
use std::time::Duration;

use actix_web::rt;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::respond;
use crate::answer::error::BridgeError;
use crate::budget::Exhausted;

/// The most that is read of what nobody will answer.
const LARGEST_DISCARDED: usize = 256 * 1024;
/// How long a refused connection is read on, and how many such at a time; more are closed at once.
const LINGERING: Duration = Duration::from_millis(500);
static LINGERERS: Semaphore = Semaphore::const_new(128);

/// Sends a refusal on a connection of which nothing else is being sent.
///
/// # Errors
/// When the client is gone.
pub fn send(stream: &TcpStream, exhausted: Exhausted) -> io::Result<()> {
    discard(stream)?;
    let socket = SockRef::from(stream);
    socket.send(&respond::raw_refusal(&BridgeError::Budget(exhausted)))?;
    socket.shutdown(Shutdown::Write)?;
    linger(&socket)
}

/// Reads what has come, and says how many bytes.
///
/// # Errors
/// When the client is gone.
pub fn discard(stream: &TcpStream) -> io::Result<usize> {
    let (mut bytes, mut length) = ([0; 8 * 1024], 0);
    while length < LARGEST_DISCARDED {
        match (&*SockRef::from(stream)).read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Reads what still comes for a moment. The system would answer it with a reset, and clients may throw away a refusal that lies unread then.
fn linger(socket: &SockRef<'_>) -> io::Result<()> {
    let Ok(permit) = LINGERERS.try_acquire() else { return Ok(()) };
    let mut stream = TcpStream::from_std(socket.try_clone()?.into())?;
    rt::spawn(async move {
        let _permit = permit;
        tokio::time::timeout(LINGERING, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Poll;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::budget::client::TrustedProxies;
    use crate::web::connections::{ConnectionLimits, Connections, OpenConnection, Timeouts};
    use crate::web::timed_stream::TimedStream;

    const QUESTION: &str = "GET /odata/ HTTP/1.1\r\nHost: localhost\r\n\r\n";

    /// Both ends of a connection whose client has asked this.
    struct Ends {
        client: TcpStream,
        server: TimedStream,
        connections: Arc<Connections>,
    }

    async fn asked(question: &str, everybody: usize, per_client: usize) -> Ends {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        client.write_all(question.as_bytes()).await.unwrap();
        if !question.is_empty() {
            stream.peek(&mut [0]).await.unwrap();
        }
        let limits = ConnectionLimits { everybody, per_client, first_request: Duration::ZERO };
        let connections = Arc::new(Connections::new(limits, TrustedProxies::default()));
        let open = connections.admit(peer.ip()).unwrap();
        Ends { client, server: TimedStream::new(stream, open, Timeouts::default()), connections }
    }

    impl Ends {
        /// Another connection of the same client.
        fn other(&self) -> OpenConnection {
            self.connections.admit(self.client.local_addr().unwrap().ip()).unwrap()
        }

        /// What the client is sent when the connection is closed.
        async fn said(mut self) -> String {
            assert!(self.server.read(&mut [0; 64]).await.is_err(), "it is closed");
            drop(self.server);
            let mut said = String::new();
            self.client.read_to_string(&mut said).await.unwrap();
            said
        }
    }

    #[actix_web::test]
    async fn who_has_asked_meanwhile_is_told_and_who_has_not_is_told_nothing() {
        let long = QUESTION.replace("odata/", &"a".repeat(60_000));
        for (question, everybody, per_client, status) in
            [(QUESTION, 1, 9, 503), (QUESTION, 9, 1, 429), (&long, 1, 9, 503)]
        {
            let ends = asked(question, everybody, per_client).await;
            let _other = ends.other();
            let said = ends.said().await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
            assert!(said.contains("retry-after: 5") && said.contains("connection: close"), "{said}");
        }
        let ends = asked("", 1, 9).await;
        let _other = ends.other();
        assert_eq!(ends.said().await, "");
    }

    #[actix_web::test]
    async fn what_was_read_of_a_question_is_asked_too() {
        for is_body in [false, true] {
            let question = &QUESTION[..if is_body { QUESTION.len() } else { 9 }];
            let mut ends = asked(question, 1, 9).await;
            assert_eq!(ends.server.read(&mut [0; 4096]).await.unwrap(), question.len());
            let answering = is_body.then(|| ends.server.connection().begin());
            ends.server.connection().await_body(is_body);
            let _other = ends.other();
            let said = ends.said().await;
            assert!(said.starts_with("HTTP/1.1 503"), "{said}");
            drop(answering);
        }
    }

    #[actix_web::test]
    async fn a_request_that_was_read_before_its_connection_is_closed_is_answered() {
        let mut ends = asked(QUESTION, 1, 9).await;
        assert_eq!(ends.server.read(&mut [0; 4096]).await.unwrap(), QUESTION.len());
        let _other = ends.other();
        let mut bytes = [0; 64];
        let once = futures_util::poll!(std::pin::pin!(ends.server.read(&mut bytes)));
        assert!(matches!(once, Poll::Pending), "it is begun first");
        let answering = ends.server.connection().begin();
        ends.server.write_all(b"answer").await.unwrap();
        drop(answering);
        drop(ends.server);
        let mut said = String::new();
        ends.client.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "answer");
    }

    #[actix_web::test]
    async fn an_answer_that_its_client_has_not_taken_is_not_cut() {
        let mut ends = asked(QUESTION, 1, 9).await;
        let peer = ends.client.local_addr().unwrap().ip();
        let (piece, wait) = (vec![0; 1 << 20], Duration::from_millis(100));
        while tokio::time::timeout(wait, ends.server.write(&piece)).await.is_ok() {}
        assert!(ends.connections.admit(peer).is_err(), "its client has asked again, but takes nothing");
        let mut client = ends.client;
        let taking = rt::spawn(async move { tokio::io::copy(&mut client, &mut tokio::io::sink()).await });
        ends.server.write_all(b"the rest").await.unwrap();
        ends.connections.admit(peer).expect("it may be closed now");
        assert!(ends.server.read(&mut [0; 64]).await.is_err());
        drop(ends.server);
        let _ = taking.await.unwrap();
    }
}
