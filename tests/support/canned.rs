//! A server that sends canned answers one after the other, repeats the last one, and records its requests.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Canned {
    /// Answers after a while.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>, after: Duration },
    /// Never answers.
    Hang,
    /// Closes the connection without a word.
    Drop,
    /// Announces more than it sends, and closes.
    BreakOff(&'static str),
}

impl Canned {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into(), after: Duration::ZERO }
    }

    pub fn ok(body: impl ToString) -> Self {
        Self::new(200, body.to_string())
    }

    pub fn cause(status: u16, cause: &str) -> Self {
        let body = serde_json::json!({"code": status, "cause": cause, "request_id": "r-17"});
        Self::new(status, body.to_string())
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }

    pub fn slow(mut self, by: Duration) -> Self {
        if let Self::Answer { after, .. } = &mut self {
            *after = by;
        }
        self
    }
}

/// The server; it ends when it is dropped.
#[derive(Debug)]
pub struct CannedServer {
    pub url: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    answers: Mutex<VecDeque<(String, Canned)>>,
    requests: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl CannedServer {
    /// Answers every request with the next of these.
    pub async fn start(answers: impl IntoIterator<Item = Canned>) -> Self {
        Self::start_by_path(answers.into_iter().map(|answer| ("/", answer))).await
    }

    /// Answers a request with the next answer whose path it begins with.
    pub async fn start_by_path(answers: impl IntoIterator<Item = (impl ToString, Canned)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v3", listener.local_addr().unwrap());
        let answers =
            answers.into_iter().map(|(path, answer)| (format!("/v3{}", path.to_string()), answer)).collect();
        let shared = Arc::new(Shared {
            answers: Mutex::new(answers),
            requests: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(stream));
            }
        });
        Self { url, shared, accepting }
    }

    /// From now on, only these.
    pub fn instead(&self, answers: impl IntoIterator<Item = (&'static str, Canned)>) {
        let answers = answers.into_iter().map(|(path, answer)| (format!("/v3{path}"), answer)).collect();
        *self.shared.answers.lock().unwrap() = answers;
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.requests().len()
    }

    /// How many requests named that path.
    pub fn count_of(&self, path: &str) -> usize {
        let start = format!("GET /v3{path}?");
        self.requests().iter().filter(|request| request.starts_with(&start)).count()
    }

    pub fn most_at_once(&self) -> usize {
        self.shared.most_at_once.load(Ordering::SeqCst)
    }
}

impl Drop for CannedServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let Some(head) = read_head(&mut stream).await else {
            return;
        };
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.requests.lock().unwrap().push(head);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        let answer = self.next(&path);
        if let Canned::Answer { after, .. } = &answer {
            tokio::time::sleep(*after).await;
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        write(&mut stream, answer).await;
    }

    fn next(&self, path: &str) -> Canned {
        let mut answers = self.answers.lock().unwrap();
        let fits: Vec<_> = (0..answers.len()).filter(|&index| path.starts_with(&answers[index].0)).collect();
        match fits.as_slice() {
            [] => Canned::cause(404, "Not found"),
            [last] => answers[*last].1.clone(),
            [first, ..] => answers.remove(*first).unwrap().1,
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn write(stream: &mut TcpStream, answer: Canned) {
    let bytes = match answer {
        Canned::Hang => return std::future::pending().await,
        Canned::Drop => return,
        Canned::BreakOff(body) => {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len() + 100).into_bytes()
        }
        Canned::Answer { status, headers, body, .. } => {
            let mut head =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            [head.as_bytes(), b"\r\n", &body].concat()
        }
    };
    // Ignored if the client has closed the connection.
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}
