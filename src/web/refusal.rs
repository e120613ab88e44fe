//! What a client is told whose connection is closed because there are too many. Everything is done at once on the socket: the system takes
//! so few bytes always, and on a busy worker a wait for it would take the connection's time.

use std::io::{self, Read};
use std::net::Shutdown;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::respond;
use crate::answer::error::BridgeError;
use crate::budget::Exhausted;

/// The most of a request that is read before its connection is closed: the head of any usual one.
const HEAD: usize = 8 * 1024;

/// Refuses what has come. Closing a connection with unread bytes could destroy the refusal, so they are thrown away.
///
/// # Errors
/// When the client is gone.
pub fn send(stream: &TcpStream, exhausted: Exhausted) -> io::Result<()> {
    throw_away(stream)?;
    let socket = SockRef::from(stream);
    socket.send(&respond::raw_refusal(&BridgeError::Budget(exhausted)))?;
    socket.shutdown(Shutdown::Write)
}

/// Refuses what has come, if anything has: a client that has asked for nothing is told nothing.
///
/// # Errors
/// When the client is gone.
pub fn of_what_has_come(stream: &TcpStream, exhausted: impl FnOnce() -> Exhausted) -> io::Result<()> {
    if throw_away(stream)? > 0 { send(stream, exhausted()) } else { Ok(()) }
}

/// Reads what has come, and says how much.
fn throw_away(stream: &TcpStream) -> io::Result<usize> {
    match (&*SockRef::from(stream)).read(&mut [0; HEAD]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::budget::client::TrustedProxies;
    use crate::web::connections::{ConnectionLimits, Connections, Timeouts};
    use crate::web::timed_stream::TimedStream;

    /// What a client is sent whose connection is closed for another one.
    async fn said(question: &str, everybody: usize, per_client: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        client.write_all(question.as_bytes()).await.unwrap();
        if !question.is_empty() {
            stream.peek(&mut [0]).await.unwrap();
        }
        let limits = ConnectionLimits { everybody, per_client, first_request: Duration::ZERO };
        let connections = Arc::new(Connections::new(limits, TrustedProxies::default()));
        let mut stream = TimedStream::new(stream, connections.admit(peer.ip()).unwrap(), Timeouts::default());
        let _other = connections.admit(peer.ip()).unwrap();
        assert!(stream.read(&mut [0; 64]).await.is_err(), "it is closed");
        drop(stream);
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        said
    }

    #[actix_web::test]
    async fn who_has_asked_meanwhile_is_told_and_who_has_not_is_told_nothing() {
        let question = "GET /odata/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for (everybody, per_client, status) in [(1, 9, 503), (9, 1, 429)] {
            let said = said(question, everybody, per_client).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
            assert!(said.contains("retry-after: 5") && said.contains("connection: close"), "{said}");
        }
        assert_eq!(said("", 1, 9).await, "");
    }
}
