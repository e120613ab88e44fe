//! Percent-encodes characters in the request line that RFC 3986 does not allow there (`Område`, a quote), before actix-web parses
//! it, because the HTTP library would refuse such a line with an empty answer. All other bytes of the connection are unchanged.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::departure::Departure;

/// Bytes read at a time.
const READ: usize = 8 * 1024;
/// What is put behind the name of the header `Upgrade`, so that nobody knows it. The server offers no other protocol, and may then answer
/// as if it had not been asked; the HTTP library would wait for the other protocol's bytes without end.
const IGNORED: &[u8] = b"-Ignored";
/// Header lines are buffered up to this length; the two headers with the body's length are shorter.
const KEPT: usize = 64;

/// A connection whose request lines are encoded while they are read.
#[derive(Debug)]
pub struct EncodedRequestLines<S> {
    stream: S,
    position: LinePosition,
    encoded: BytesMut,
    departure: Departure,
}

impl<S> EncodedRequestLines<S> {
    pub fn new(stream: S) -> Self {
        let (position, encoded) = (LinePosition::request_line(), BytesMut::new());
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
        if this.encoded.is_empty() {
            let mut bytes = [0; READ];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                this.departure.note();
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
enum LinePosition {
    RequestLine {
        empty: bool,
    },
    Headers {
        line: Vec<u8>,
        body: u64,
    },
    Body {
        left: u64,
    },
    /// A body whose length is unknown: from here on all bytes are passed on unchanged.
    Untouched,
}

impl LinePosition {
    const fn request_line() -> Self {
        Self::RequestLine { empty: true }
    }

    /// Passes bytes on, and updates the position.
    fn pass(&mut self, mut read: &[u8], to: &mut BytesMut) {
        while let [first, behind @ ..] = read {
            match self {
                Self::Untouched => return to.extend_from_slice(read),
                Self::Body { left } => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                    to.extend_from_slice(&read[..length]);
                    *left -= length as u64;
                    read = &read[length..];
                    if *left == 0 {
                        *self = Self::request_line();
                    }
                    continue;
                }
                Self::RequestLine { .. } => encode(*first, to),
                Self::Headers { line, .. } => {
                    if *first == b':' && line.eq_ignore_ascii_case(b"upgrade") {
                        to.extend_from_slice(IGNORED);
                    }
                    to.extend_from_slice(&[*first]);
                }
            }
            self.step(*first);
            read = behind;
        }
    }

    /// Updates the position by one byte of a request's head.
    fn step(&mut self, byte: u8) {
        match self {
            // Empty lines before a request are ignored, as RFC 9112 says.
            Self::RequestLine { empty } if byte == b'\n' && !*empty => {
                *self = Self::Headers { line: Vec::new(), body: 0 };
            }
            Self::RequestLine { empty } => *empty &= matches!(byte, b'\r' | b'\n'),
            Self::Headers { line, body } if byte == b'\n' => {
                let (ended, read) = (line.is_empty(), read_header(line));
                line.clear();
                match (ended, read) {
                    (true, _) if *body == 0 => *self = Self::request_line(),
                    (true, _) => *self = Self::Body { left: *body },
                    (_, Header::Length(length)) => *body = length,
                    (_, Header::Unbounded) => *self = Self::Untouched,
                    (_, Header::Other) => {}
                }
            }
            Self::Headers { line, .. } if byte != b'\r' && line.len() < KEPT => line.push(byte),
            _ => {}
        }
    }
}

/// A header line, as far as it is about the body's length.
enum Header {
    Length(u64),
    Unbounded,
    Other,
}

fn read_header(line: &[u8]) -> Header {
    let text = std::str::from_utf8(line).unwrap_or_default();
    let Some((name, value)) = text.split_once(':') else { return Header::Other };
    if name.eq_ignore_ascii_case("content-length") {
        value.trim().parse().map_or(Header::Unbounded, Header::Length)
    } else if name.eq_ignore_ascii_case("transfer-encoding") {
        Header::Unbounded
    } else {
        Header::Other
    }
}

/// Percent-encodes a byte that RFC 3986 does not allow. Blanks and line ends separate the parts of the line and stay.
fn encode(byte: u8, to: &mut BytesMut) {
    if matches!(byte, 0x80..|b'"'| b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}') {
        to.extend_from_slice(percent_encoding::percent_encode_byte(byte).as_bytes());
    } else {
        to.extend_from_slice(&[byte]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn passed(pieces: &[&[u8]]) -> String {
        let (mut position, mut out) = (LinePosition::request_line(), BytesMut::new());
        for piece in pieces {
            position.pass(piece, &mut out);
        }
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
    fn nothing_is_touched_behind_a_body_of_unknown_length() {
        for header in ["Transfer-Encoding: chunked", "Content-Length: -1"] {
            let sent =
                format!("POST / HTTP/1.1\r\n{header}\r\n\r\n5\r\nGET ø\r\n0\r\n\r\nGET /ø HTTP/1.1\r\n\r\n");
            assert_eq!(passed(&[sent.as_bytes()]), sent);
        }
    }

    #[test]
    fn another_protocol_is_not_asked_for() {
        let sent = "GET /ø HTTP/1.1\r\nupGrade: websocket\r\nX-Upgrade: a\r\nUpgrade-Insecure-Requests: 1\r\n\r\nGET /ø HTTP/1.1\r\n\r\n";
        let read = "GET /%C3%B8 HTTP/1.1\r\nupGrade-Ignored: websocket\r\nX-Upgrade: a\r\nUpgrade-Insecure-Requests: 1\r\n\r\nGET /%C3%B8 HTTP/1.1\r\n\r\n";
        assert_eq!(passed(&[sent.as_bytes()]), read);
    }

    #[test]
    fn a_long_header_is_no_length() {
        let sent = format!("GET / HTTP/1.1\r\nX: {}content-length: 9\r\n\r\nGET /ø H\r\n", "x".repeat(200));
        assert!(passed(&[sent.as_bytes()]).ends_with("GET /%C3%B8 H\r\n"));
    }

    #[tokio::test]
    async fn a_connection_delivers_all_whatever_is_read_at_a_time() {
        let (mut client, server) = tokio::io::duplex(7);
        let line = format!("GET /{} HTTP/1.1\r\n\r\n", "æ".repeat(5000));
        let writing = tokio::spawn(async move { client.write_all(line.as_bytes()).await });
        let mut read = String::new();
        EncodedRequestLines::new(server).read_to_string(&mut read).await.unwrap();
        writing.await.unwrap().unwrap();
        assert_eq!(read, format!("GET /{} HTTP/1.1\r\n\r\n", "%C3%A6".repeat(5000)));
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_changes_nothing(
            requests in prop::collection::vec(("[a-zæøå\"{]{0,9}", "[a-zæøå\r\n]{0,9}"), 0..5),
            cut in 1_usize..20,
        ) {
            let sent: String = requests
                .iter()
                .map(|(path, body)| format!("\r\nPOST /{path} HTTP/1.1\r\nA: b\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
                .collect();
            let pieces: Vec<&[u8]> = sent.as_bytes().chunks(cut).collect();
            let expected: String = requests
                .iter()
                .map(|(path, body)| {
                    let path = path.replace('æ', "%C3%A6").replace('ø', "%C3%B8").replace('å', "%C3%A5");
                    let path = path.replace('"', "%22").replace('{', "%7B");
                    format!("\r\nPOST /{path} HTTP/1.1\r\nA: b\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                })
                .collect();
            prop_assert_eq!(passed(&pieces), expected);
        }

        #[test]
        fn addresses_that_are_encoded_already_pass_byte_by_byte(sent in "[ -!#-;=?-Z_a-z~\r\n:]{0,200}") {
            prop_assert_eq!(passed(&[sent.as_bytes()]), sent);
        }
    }
}
