//! A connection that adds a body to the HTTP library's own errors. The library answers requests that it cannot parse, that are too
//! long or that come too slowly with a status and an empty body; this replaces the answer by one with the service's error body
//! before it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::respond;
use crate::answer::error::BridgeError;

/// The library's refusals are shorter.
const LONGEST: usize = 256;
/// The headers that they have; answers of this service have others, too.
const HEADERS: [&str; 3] = ["content-length", "connection", "date"];

/// A connection on which every error has a body.
#[derive(Debug)]
pub struct WordedRefusals<S> {
    stream: S,
    worded: Option<Worded>,
}

/// A refusal that is being written.
#[derive(Debug)]
struct Worded {
    bytes: Vec<u8>,
    written: usize,
    /// How many of the library's bytes it stands for.
    replaced: usize,
}

impl<S> WordedRefusals<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, worded: None }
    }

    /// The connection itself.
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

/// Where the library's refusal begins that ends these bytes, and what it means.
fn refusal(bytes: &[u8]) -> Option<(usize, BridgeError)> {
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let from = bytes.len().saturating_sub(LONGEST);
    let tail = bytes.get(from..)?;
    let begin = tail.windows(7).rposition(|window| window == b"HTTP/1.")?;
    let mut lines = std::str::from_utf8(tail.get(begin..)?).ok()?.trim_end().split("\r\n");
    let error = match lines.next()?.split(' ').nth(1)? {
        "400" => BridgeError::MalformedHttp,
        "408" => BridgeError::BodySlow,
        "431" => BridgeError::HeadTooLarge,
        _ => return None,
    };
    let is_library = lines.clone().all(|line| HEADERS.contains(&line.split(':').next().unwrap_or_default()));
    (is_library && lines.any(|line| line == "content-length: 0")).then_some((from + begin, error))
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WordedRefusals<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.worded.is_none() {
            match refusal(bytes) {
                None => return Pin::new(&mut this.stream).poll_write(context, bytes),
                // Answers before it go first.
                Some((begin @ 1.., _)) => {
                    return Pin::new(&mut this.stream).poll_write(context, &bytes[..begin]);
                }
                Some((_, error)) => {
                    let replaced = bytes.len();
                    this.worded = Some(Worded { bytes: respond::raw_refusal(&error), written: 0, replaced });
                }
            }
        }
        while let Some(worded) = &mut this.worded {
            let left = worded.bytes.get(worded.written..).unwrap_or_default();
            if left.is_empty() {
                let replaced = worded.replaced;
                this.worded = None;
                return Poll::Ready(Ok(replaced));
            }
            match ready!(Pin::new(&mut this.stream).poll_write(context, left))? {
                0 => return Poll::Ready(Ok(0)),
                written => worded.written += written,
            }
        }
        Poll::Ready(Ok(0))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WordedRefusals<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const DATE: &str = "date: Tue, 15 Sep 2026 07:00:00 GMT\r\n\r\n";

    /// What a client reads, where the connection takes few bytes at a time.
    async fn sent(bytes: &str) -> String {
        let (server, mut client) = tokio::io::duplex(5);
        let bytes = bytes.to_owned();
        let writing = tokio::spawn(async move {
            let mut stream = WordedRefusals::new(server);
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        writing.await.unwrap();
        read
    }

    #[tokio::test]
    async fn an_empty_refusal_gets_words_behind_whole_answers() {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{DATE}");
        for (status, code) in [
            ("400 Bad Request", "MalformedHttp"),
            ("408 Request Timeout", "BodySlow"),
            ("431 Request Header Fields Too Large", "HeadTooLarge"),
        ] {
            let refusal = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n{DATE}");
            for before in ["", &answer] {
                let read = sent(&format!("{before}{refusal}")).await;
                assert!(read.starts_with(&format!("{before}HTTP/1.1 {status}\r\n")), "{read}");
                assert!(read.contains(code) && read.ends_with("}}"), "{read}");
            }
        }
    }

    #[tokio::test]
    async fn all_other_answers_stay_as_they_are() {
        for answer in [
            format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{DATE}"),
            format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n{DATE}"),
            format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nodata-version: 4.0\r\n{DATE}"),
            format!("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n{DATE}"),
            "HTTP/1.1 400 \r\n\r\n".to_owned(),
            "æ\r\n\r\n".to_owned(),
        ] {
            assert_eq!(sent(&answer).await, answer);
        }
    }
}
