//! A Redis server of a test, and a way to it that can be cut.

use std::net::TcpListener as StdListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A server that keeps nothing on disk.
pub struct RedisServer {
    process: Child,
    pub port: u16,
    arguments: Vec<String>,
    _folder: TempDir,
}

/// A port that was free just now.
pub fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with more settings.
    pub fn with(settings: &[&str]) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let number = port.to_string();
        Self::listening(port, folder, &[&["--port", &number], settings].concat())
    }

    /// A server that speaks TLS only, with the certificate and key of that folder.
    pub fn with_tls(certificates: &Path) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let [cert, key] = ["server.pem", "server.key"].map(|name| certificates.join(name));
        let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
        let files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"];
        let number = port.to_string();
        Self::listening(port, folder, &[&["--port", "0", "--tls-port", &number][..], &files].concat())
    }

    fn listening(port: u16, folder: TempDir, settings: &[&str]) -> Self {
        let own = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let folder_of = ["--dir", folder.path().to_str().unwrap()];
        let arguments: Vec<String> =
            own.iter().chain(&folder_of).chain(settings).map(|text| (*text).to_owned()).collect();
        Self { process: spawn(&arguments, port), port, arguments, _folder: folder }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends at once.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts again, empty.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.arguments, self.port);
    }

    /// A client of the test's own.
    pub async fn client(&self) -> ::redis::aio::MultiplexedConnection {
        ::redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// All keys.
    pub async fn keys(&self) -> Vec<String> {
        let mut client = self.client().await;
        ::redis::cmd("KEYS").arg("*").query_async(&mut client).await.unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(arguments: &[String], port: u16) -> Child {
    let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let process = Command::new(&program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let process = process.unwrap_or_else(|error| panic!("{program}: {error}"));
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "{program} does not answer");
        std::thread::sleep(Duration::from_millis(10));
    }
    process
}

/// How a way lets things through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    Open,
    /// Connections end, and new ones are closed at once.
    Cut,
    /// Connections are there, and nothing comes through.
    Silent,
}

/// A way to a server on this machine.
pub struct Way {
    pub port: u16,
    passage: Arc<watch::Sender<Passage>>,
}

impl Way {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let passage = Arc::new(watch::Sender::new(Passage::Open));
        let of_task = Arc::clone(&passage);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, port, of_task.subscribe()));
            }
        });
        Self { port: own_port, passage }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, passage: Passage) {
        self.passage.send_replace(passage);
    }
}

async fn carry(mut near: TcpStream, port: u16, mut passage: watch::Receiver<Passage>) {
    if *passage.borrow() == Passage::Cut {
        return;
    }
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    loop {
        let _ = passage.wait_for(|passage| *passage != Passage::Silent).await;
        if *passage.borrow() == Passage::Cut {
            return;
        }
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
            _ = passage.changed() => {}
        }
    }
}
