//! A connection whose requests are understood as they were typed: finds the heads of requests among the bytes and has
//! [`request_head`](super::request_head) rewrite each. All other bytes are unchanged.

use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::departure::Departure;
use super::request_head::{self, BodyEnd};

/// Bytes read at a time.
const READ: usize = 8 * 1024;
/// The longest head; the HTTP library refuses longer ones.
const HEAD: usize = 128 * 1024;
/// The longest line with the size of a chunk; the HTTP library reads on, and nothing is rewritten from there on.
const CHUNK_LINE: usize = 256;

/// A connection whose request lines are encoded while they are read.
#[derive(Debug)]
pub struct EncodedRequestLines<S> {
    stream: S,
    position: Position,
    encoded: BytesMut,
    departure: Departure,
}

impl<S> EncodedRequestLines<S> {
    pub fn new(stream: S) -> Self {
        let (position, encoded) = (Position::default(), BytesMut::new());
        Self { stream, position, encoded, departure: Departure::default() }
    }

    /// Whether the client has left.
    pub fn departure(&self) -> Departure {
        self.departure.clone()
    }

    /// The connection itself.
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for EncodedRequestLines<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Bytes of a head that is not complete are held back, and nothing read would mean the end.
        while this.encoded.is_empty() {
            let mut bytes = [0; READ];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                this.departure.note();
                this.position.end(&mut this.encoded);
                break;
            }
            this.position.pass(read.filled(), &mut this.encoded);
        }
        let length = this.encoded.len().min(buffer.remaining());
        buffer.put_slice(&this.encoded[..length]);
        this.encoded.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for EncodedRequestLines<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The part of the HTTP conversation that the next byte belongs to.
#[derive(Debug)]
enum Position {
    /// A head, held back until its empty line.
    Head(Vec<u8>),
    Body {
        left: u64,
    },
    /// The line with the size of a chunk.
    ChunkSize(Vec<u8>),
    /// A chunk and the line end behind it.
    Chunk {
        left: u64,
    },
    /// The headers behind the last chunk, up to an empty line.
    Trailers {
        is_line_empty: bool,
    },
    /// The HTTP library refuses what came, or the end of a body is unknown: from here on all bytes are passed on unchanged.
    Untouched,
}

impl Default for Position {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

impl Position {
    /// Passes bytes on, and updates the position.
    fn pass(&mut self, mut read: &[u8], to: &mut BytesMut) {
        while let [first, behind @ ..] = read {
            match self {
                Self::Untouched => return to.extend_from_slice(read),
                Self::Head(head) => {
                    head.push(*first);
                    read = behind;
                    if is_complete(head) {
                        let (head, end) = request_head::rewritten(head);
                        to.extend_from_slice(&head);
                        *self = Self::behind_head(end);
                    } else if head.len() > HEAD {
                        to.extend_from_slice(head);
                        *self = Self::Untouched;
                    }
                }
                Self::Body { left } | Self::Chunk { left } => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                    to.extend_from_slice(&read[..length]);
                    read = &read[length..];
                    *left -= length as u64;
                    self.end_of_body();
                }
                Self::ChunkSize(_) | Self::Trailers { .. } => {
                    to.extend_from_slice(&[*first]);
                    read = behind;
                    self.step(*first);
                }
            }
        }
    }

    /// The client sends no more: what was held back is passed on.
    fn end(&mut self, to: &mut BytesMut) {
        if let Self::Head(head) = self {
            to.extend_from_slice(&mem::take(head));
        }
    }

    fn behind_head(end: BodyEnd) -> Self {
        match end {
            BodyEnd::Length(0) => Self::default(),
            BodyEnd::Length(left) => Self::Body { left },
            BodyEnd::Chunked => Self::ChunkSize(Vec::new()),
            BodyEnd::Unknown => Self::Untouched,
        }
    }

    fn end_of_body(&mut self) {
        match self {
            Self::Body { left: 0 } => *self = Self::default(),
            Self::Chunk { left: 0 } => *self = Self::ChunkSize(Vec::new()),
            _ => {}
        }
    }

    /// Updates the position by one byte of a chunked body's lines.
    fn step(&mut self, byte: u8) {
        match self {
            Self::ChunkSize(line) if byte != b'\n' => {
                line.push(byte);
                if line.len() > CHUNK_LINE {
                    *self = Self::Untouched;
                }
            }
            Self::ChunkSize(line) => {
                *self = match chunk_size(line) {
                    Some(0) => Self::Trailers { is_line_empty: true },
                    // The line end behind a chunk belongs to it.
                    Some(size) => size.checked_add(2).map_or(Self::Untouched, |left| Self::Chunk { left }),
                    None => Self::Untouched,
                };
            }
            Self::Trailers { is_line_empty: true } if byte == b'\n' => *self = Self::default(),
            Self::Trailers { is_line_empty } => *is_line_empty = matches!(byte, b'\r' | b'\n'),
            _ => {}
        }
    }
}

/// Whether a head has its empty line. Empty lines before a request are ignored, as RFC 9112 says.
fn is_complete(head: &[u8]) -> bool {
    let ends = head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n");
    ends && head.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?;
    u64::from_str_radix(std::str::from_utf8(size).ok()?.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn passed(pieces: &[&[u8]]) -> String {
        let (mut position, mut out) = (Position::default(), BytesMut::new());
        for piece in pieces {
            position.pass(piece, &mut out);
        }
        position.end(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn only_the_request_line_is_encoded() {
        let sent = "GET /Område?$search=\"æ\" HTTP/1.1\r\nHost: æ\r\n\r\n";
        assert_eq!(
            passed(&[sent.as_bytes()]),
            "GET /Omr%C3%A5de?$search=%22%C3%A6%22 HTTP/1.1\r\nHost: æ\r\n\r\n"
        );
    }

    #[test]
    fn a_body_stays_as_it_is_and_the_request_behind_it_is_encoded() {
        let sent = "POST /ø HTTP/1.1\r\ncontent-LENGTH:  9\r\n\r\nGET /ø\r\n\r\n\r\nGET /å HTTP/1.1\r\n\r\n";
        assert_eq!(
            passed(&[sent.as_bytes()]),
            "POST /%C3%B8 HTTP/1.1\r\ncontent-LENGTH:  9\r\n\r\nGET /ø\r\n\r\n\r\nGET /%C3%A5 HTTP/1.1\r\n\r\n"
        );
    }

    #[test]
    fn chunks_stay_as_they_are_and_the_request_behind_them_is_encoded() {
        let body = "7;a=\"b\"\r\nGET /ø\r\nB\r\n\r\n\r\nGET /ø\r\n0\r\nTrailer: ø\r\n\r\n";
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let sent = format!("{head}{body}GET /ø b HTTP/1.1\r\n\r\n");
        assert_eq!(passed(&[sent.as_bytes()]), format!("{head}{body}GET /%C3%B8%20b HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn nothing_is_touched_behind_a_body_of_unknown_length() {
        for header in ["Transfer-Encoding: gzip", "Content-Length: -1"] {
            let sent =
                format!("POST / HTTP/1.1\r\n{header}\r\n\r\n5\r\nGET ø\r\n0\r\n\r\nGET /ø HTTP/1.1\r\n\r\n");
            assert_eq!(passed(&[sent.as_bytes()]), sent);
        }
        for chunk in ["x\r\n", "-1\r\n", "ffffffffffffffff\r\n", "ffffffffffffffff0\r\n", &"0".repeat(300)] {
            let sent = format!(
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}\r\n\r\nGET /ø HTTP/1.1\r\n\r\n"
            );
            assert_eq!(passed(&[sent.as_bytes()]), sent);
        }
    }

    #[test]
    fn a_long_header_is_no_length() {
        let sent = format!(
            "GET / HTTP/1.1\r\nX: {}content-length: 9\r\n\r\nGET /ø HTTP/1.1\r\n\r\n",
            "x".repeat(200)
        );
        assert!(passed(&[sent.as_bytes()]).ends_with("GET /%C3%B8 HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn a_head_without_end_is_passed_on_before_it_fills_the_memory() {
        let (mut position, mut out) = (Position::default(), BytesMut::new());
        position.pass(&vec![b'x'; HEAD + 10], &mut out);
        assert_eq!(out.len(), HEAD + 10);
    }

    #[tokio::test]
    async fn a_connection_delivers_all_whatever_is_read_at_a_time() {
        let (mut client, server) = tokio::io::duplex(7);
        let head = format!("GET /{} HTTP/1.1\r\n\r\n", "æ".repeat(5000));
        let sent = format!("{head}GET /half");
        let writing = tokio::spawn(async move { client.write_all(sent.as_bytes()).await });
        let mut read = String::new();
        EncodedRequestLines::new(server).read_to_string(&mut read).await.unwrap();
        writing.await.unwrap().unwrap();
        assert_eq!(read, format!("GET /{} HTTP/1.1\r\n\r\nGET /half", "%C3%A6".repeat(5000)));
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_changes_nothing(
            requests in prop::collection::vec(("[a-zæøå\"{]{0,9}", "[a-zæøå\r\n]{0,9}"), 0..5),
            cut in 1_usize..20,
        ) {
            let (mut sent, mut expected) = (String::new(), String::new());
            for (number, (path, body)) in requests.iter().enumerate() {
                let (headers, body) = match number % 2 {
                    0 => (format!("Content-Length: {}", body.len()), body.clone()),
                    _ if body.is_empty() => ("Transfer-Encoding: chunked".to_owned(), "0\r\n\r\n".to_owned()),
                    _ => (
                        "Transfer-Encoding: chunked".to_owned(),
                        format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
                    ),
                };
                sent.push_str(&format!("POST /{path} HTTP/1.1\r\nA: b\r\n{headers}\r\n\r\n{body}"));
                let path = path.replace('æ', "%C3%A6").replace('ø', "%C3%B8").replace('å', "%C3%A5");
                let path = path.replace('"', "%22").replace('{', "%7B");
                expected.push_str(&format!("POST /{path} HTTP/1.1\r\nA: b\r\n{headers}\r\n\r\n{body}"));
            }
            let pieces: Vec<&[u8]> = sent.as_bytes().chunks(cut).collect();
            prop_assert_eq!(passed(&pieces), expected);
        }

        #[test]
        fn addresses_that_are_encoded_already_pass_byte_by_byte(sent in "[!-#-;=?-Z_a-z~\n:]{0,200}") {
            prop_assert_eq!(passed(&[sent.as_bytes()]), sent);
        }
    }
}
