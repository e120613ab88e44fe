//! A raw HTTP client: requests are sent byte for byte and answers parsed by hand, so that no client library corrects either.

use std::io::Read;
use std::net::SocketAddr;

use flate2::read::GzDecoder;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use super::patience::PATIENCE;

/// One connection, kept alive.
pub struct Wire {
    stream: BufReader<TcpStream>,
    pub host: String,
}

/// Sends a request and takes as little of the answer as it can: the kernel has room for next to nothing.
pub async fn unread(address: SocketAddr, request: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream
}

/// An answer as it came.
#[derive(Debug)]
pub struct WireAnswer {
    /// `HTTP/1.1 200 OK`
    pub status_line: String,
    pub headers: Vec<(String, String)>,
    /// Without the framing of chunks, still compressed.
    pub body: Vec<u8>,
    /// Whether the body ended as announced, and not with the connection.
    pub complete: bool,
}

impl Wire {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        Self { stream, host: address.to_string() }
    }

    /// Sends a request of lines and headers and reads its answer.
    pub async fn send(&mut self, request: &str) -> WireAnswer {
        self.send_bytes(request.as_bytes()).await
    }

    pub async fn send_bytes(&mut self, request: &[u8]) -> WireAnswer {
        // A server that refuses early may close before all is written.
        let _ = self.stream.write_all(request).await;
        let is_head = request.starts_with(b"HEAD ");
        tokio::time::timeout(PATIENCE, self.read(is_head)).await.expect("an answer in time")
    }

    /// A GET of a raw path and query.
    pub async fn get(&mut self, target: &str) -> WireAnswer {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.send(&request).await
    }

    /// A request over HTTP/1.0, with further header lines.
    pub async fn http10(address: SocketAddr, request_line: &str, headers: &str, body: &str) -> WireAnswer {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let request = format!("{request_line} HTTP/1.0\r\nHost: {address}\r\n{length}{headers}\r\n{body}");
        Self::open(address).await.send(&request).await
    }

    async fn read(&mut self, is_head: bool) -> WireAnswer {
        let status_line = self.line().await.unwrap_or_default();
        let mut headers = Vec::new();
        while let Some(line) = self.line().await.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let mut answer = WireAnswer { status_line, headers, body: Vec::new(), complete: true };
        let bodiless = is_head || ["204", "304"].contains(&answer.status().to_string().as_str());
        if !bodiless {
            self.body(&mut answer).await;
        }
        answer
    }

    async fn body(&mut self, answer: &mut WireAnswer) {
        if answer.header("Transfer-Encoding") == "chunked" {
            answer.complete = self.chunks(&mut answer.body).await.is_some();
        } else if let Ok(length) = answer.header("Content-Length").parse() {
            answer.body = vec![0; length];
            answer.complete = self.stream.read_exact(&mut answer.body).await.is_ok();
        } else {
            answer.complete = self.stream.read_to_end(&mut answer.body).await.is_ok();
        }
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> Option<()> {
        loop {
            let line = self.line().await?;
            let length = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; length];
            self.stream.read_exact(&mut chunk).await.ok()?;
            body.extend(chunk);
            self.line().await?;
            if length == 0 {
                return Some(());
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line).await.ok()?;
        (read > 0).then(|| String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl WireAnswer {
    /// The status; 0 if the connection was closed without an answer.
    pub fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The first value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    /// The body, unpacked.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match self.header("Content-Encoding") {
            "gzip" => GzDecoder::new(&*self.body).read_to_string(&mut text).map(|_| text).unwrap(),
            "" => String::from_utf8(self.body.clone()).unwrap(),
            other => panic!("{other} was not asked for"),
        }
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
