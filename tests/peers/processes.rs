//! Bridges that are processes of their own: one that is killed, and some with a Redis behind TLS.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jobindsats_bridge::simulator::{self, Control, Endpoint, Faults, LoggedRequest, SimulatorOptions};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::bridges::{Answer, ROWS, until};
use crate::day::indicator;
use crate::redis::{RedisServer, free_port};

/// A running program; killed when it is dropped.
struct Process {
    child: Child,
    root: String,
    _files: (TempDir, NamedTempFile),
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Process {
    /// A program that is with the others.
    async fn start(upstream: &str, redis: &str) -> Self {
        let process = Self::begin(upstream, redis, None).await;
        until("the program is with the others", async || process.is_together().await).await;
        process
    }

    /// A program that is ready; it trusts certificates of the file if there is one, else those of the system.
    async fn begin(upstream: &str, redis: &str, trusted: Option<&Path>) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobindsats-bridge"));
        let ours = std::env::vars().map(|(name, _)| name);
        ours.filter(|name| name.starts_with("BRIDGE_") || name.starts_with("JOBINDSATS_")).for_each(|name| {
            command.env_remove(name);
        });
        // Of the table of the test nothing is asked for in the background.
        let indicators = indicator();
        command.env("BRIDGE_INDICATORS", indicators.path());
        command.args(["serve", "--simulator", upstream]).env("BRIDGE_DATA_DIR", folder.path());
        command.env("BRIDGE_LISTEN", format!("127.0.0.1:{port}")).env("BRIDGE_REDIS_URL", redis);
        trusted.into_iter().for_each(|file| {
            command.env("SSL_CERT_FILE", file);
        });
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let process = Self { child, root: format!("http://127.0.0.1:{port}"), _files: (folder, indicators) };
        until("the program is ready", async || process.ready().await.is_some()).await;
        process
    }

    /// What it says of itself when it is ready.
    async fn ready(&self) -> Option<String> {
        let ready = reqwest::get(format!("{}/readyz", self.root)).await.ok()?;
        let is_ready = ready.status() == 200;
        ready.text().await.ok().filter(|_| is_ready)
    }

    async fn is_together(&self) -> bool {
        self.ready().await.is_some_and(|ready| !ready.contains("PeersAway"))
    }

    async fn rows(root: &str) -> reqwest::Result<Vec<Value>> {
        let response = reqwest::get(format!("{root}{ROWS}")).await?;
        Ok(Answer { status: response.status().as_u16(), body: response.text().await? }.rows())
    }
}

/// Requests for figures of the table of the test.
fn of_table(control: &Control) -> impl Iterator<Item = LoggedRequest> {
    control.requests().requests.into_iter().filter(|request| request.table == "y25i01")
}

#[actix_web::test]
async fn a_process_that_is_killed_while_it_fetches_is_not_waited_for() {
    let options = SimulatorOptions { closed_hour: false, ..SimulatorOptions::default() };
    let (simulator, redis) = (simulator::start(options).await.unwrap(), RedisServer::start());
    let control = simulator.control();
    let killed = Process::start(&simulator.url(), &redis.url()).await;
    let other = Process::start(&simulator.url(), &redis.url()).await;

    let described = reqwest::get(format!("{}/odata/jobindsats/y25i01/$metadata", killed.root)).await;
    assert_eq!(described.unwrap().status(), 200);

    let table = Some("y25i01".to_owned());
    control.set_faults(Faults { hang: 1, endpoint: Endpoint::Data, table, ..Faults::default() });
    let root = killed.root.clone();
    let asked = actix_web::rt::spawn(async move { Process::rows(&root).await });
    until("figures are asked for", async || of_table(&control).any(|request| request.answer.is_none())).await;
    drop(killed);
    assert!(asked.await.unwrap().is_err(), "who asked the killed one gets nothing");

    let began = Instant::now();
    let rows = Process::rows(&other.root).await.unwrap();
    let took = began.elapsed();
    assert!(took > Duration::from_millis(500) && took < Duration::from_secs(15), "{took:?}");
    assert!(rows.len() > 100, "{}", rows.len());
}

/// An authority of certificates, `ca.pem`, and a certificate of it for this machine.
fn certificates() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    let authority = format!("{new} -subj /CN=authority -keyout ca.key -out ca.pem");
    let names = "-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let server =
        format!("{new} -subj /CN=redis {names} -CA ca.pem -CAkey ca.key -keyout server.key -out server.pem");
    for arguments in [authority, server] {
        let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    folder
}

#[actix_web::test]
async fn a_redis_behind_tls_is_joined_if_its_certificate_is_trusted() {
    let options = SimulatorOptions { closed_hour: false, ..SimulatorOptions::default() };
    let (simulator, certificates) = (simulator::start(options).await.unwrap(), certificates());
    let redis = RedisServer::with_tls(certificates.path());
    let url = format!("rediss://127.0.0.1:{}", redis.port);
    let authority = certificates.path().join("ca.pem");
    let one = Process::begin(&simulator.url(), &url, Some(&authority)).await;
    let other = Process::begin(&simulator.url(), &url, Some(&authority)).await;
    until("both are together", async || one.is_together().await && other.is_together().await).await;
    let rows = Process::rows(&one.root).await.unwrap();
    let asked = of_table(&simulator.control()).count();
    assert_eq!(Process::rows(&other.root).await.unwrap(), rows);
    assert_eq!(of_table(&simulator.control()).count(), asked, "the other has its figures from Redis");

    let stranger = Process::begin(&simulator.url(), &url, None).await;
    until("its certificate is not trusted", async || {
        let status = reqwest::Client::new().get(format!("{}/status", stranger.root));
        let status = status.header("Accept", "text/html").send().await.unwrap().text().await.unwrap();
        !stranger.is_together().await && status.contains("certificate")
    })
    .await;
    assert_eq!(Process::rows(&stranger.root).await.unwrap(), rows);
}
