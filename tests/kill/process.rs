//! Starts the built program as a process, on its own simulator or on one that survives it, without the closed hour.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;

use crate::support::patience::{PATIENCE, until};
use crate::support::wire::unread;

/// A running process; killed when it is dropped.
pub struct Bridge {
    child: Child,
    url: String,
    client: reqwest::Client,
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_jobindsats-bridge");

fn command(folder: &Path) -> Command {
    command_of(PROGRAM, folder)
}

fn command_of(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let ours = std::env::vars().map(|(name, _)| name);
    ours.filter(|name| name.starts_with("BRIDGE_") || name.starts_with("JOBINDSATS_")).for_each(|name| {
        command.env_remove(name);
    });
    command.env("BRIDGE_DATA_DIR", folder).env("BRIDGE_LISTEN", "127.0.0.1:0").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Bridge {
    /// Starts the service on its built-in simulator and waits until it is ready: until it knows which tables there are.
    pub async fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[]).await
    }

    /// The same with settings.
    pub async fn start_with(folder: &Path, settings: &[(&str, &str)]) -> Self {
        Self::ready(command(folder).envs(settings.iter().copied())).await
    }

    /// As [`Bridge::start`], on a simulator that runs already, with these indicators.
    pub async fn start_on(simulator: &str, folder: &Path, indicators: &Path) -> Self {
        let mut command = command(folder);
        Self::ready(command.args(["serve", "--simulator", simulator]).env("BRIDGE_INDICATORS", indicators))
            .await
    }

    /// As [`Bridge::start`], where no file can grow beyond four kilobytes.
    pub async fn start_on_full_disk(folder: &Path) -> Self {
        Self::start_limited(folder, "trap '' XFSZ; ulimit -f 8", &[]).await
    }

    /// As [`Bridge::start_with`], under limits that a shell sets first.
    pub async fn start_limited(folder: &Path, limits: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = command_of("sh", folder);
        command.args(["-c", &format!("{limits}; exec \"$0\""), PROGRAM]);
        Self::ready(command.envs(settings.iter().copied())).await
    }

    async fn ready(command: &mut Command) -> Self {
        Self::ready_logging(command, std::io::sink()).await
    }

    /// As [`Bridge::start_logging`], with what it says on standard error in another file.
    pub async fn start_tracing(folder: &Path, settings: &[(&str, &str)], log: &Path, lines: &Path) -> Self {
        let mut command = command(folder);
        let command = command.envs(settings.iter().copied()).stdout(File::create(lines).unwrap());
        Self::ready_logging(command, File::create(log).unwrap()).await
    }

    async fn ready_logging(command: &mut Command, mut said: impl Write + Send + 'static) -> Self {
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        let url = loop {
            let begins = seen.len();
            assert!(log.read_line(&mut seen).unwrap() > 0, "the process ended: {seen}");
            let address =
                seen[begins..].split_once("paste ").and_then(|(_, rest)| rest.split_once("/odata/"));
            if let Some((url, _)) = address {
                break url.to_owned();
            }
        };
        // The output is read to its end, because a full pipe would block the process.
        said.write_all(seen.as_bytes()).unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut said));
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let bridge = Self { child, url, client };
        until("the program is ready", async || bridge.get("/readyz").await.unwrap().0 == 200).await;
        bridge
    }

    /// As [`Bridge::start_with`], with standard output in a file.
    pub async fn start_logging(folder: &Path, settings: &[(&str, &str)], log: &Path) -> Self {
        let mut command = command(folder);
        Self::ready(command.envs(settings.iter().copied()).stdout(File::create(log).unwrap())).await
    }

    /// As [`Bridge::start_with`], on a simulator that runs already and with its log in a file.
    pub async fn start_on_logging(
        simulator: &str,
        folder: &Path,
        settings: &[(&str, &str)],
        log: &Path,
    ) -> Self {
        let mut command = command(folder);
        command.args(["serve", "--simulator", simulator]).envs(settings.iter().copied());
        Self::ready_logging(&mut command, File::create(log).unwrap()).await
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for the process to end by itself; whether it ended well.
    pub async fn ends(&mut self) -> bool {
        let mut ended = None;
        until("the program ends", async || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        ended.unwrap().success()
    }

    /// The error output of a process that does not start.
    pub fn refusal(folder: &Path) -> String {
        let mut child = command(folder).spawn().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!child.wait().unwrap().success(), "{said}");
        said
    }

    /// Asks for something, and takes nothing of the answer.
    pub async fn ask_unread(&self, request: &[u8]) -> TcpStream {
        unread(self.url.strip_prefix("http://").unwrap().parse().unwrap(), request).await
    }

    /// The status and the body of an answer.
    pub async fn get(&self, path: &str) -> Result<(u16, String), reqwest::Error> {
        let response = self.client.get(format!("{}{path}", self.url)).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// The status and the body of an answer to a request with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let request = self.client.get(format!("{}{path}", self.url));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Status, headers and body of an answer to a request with that `Authorization`, if there is one.
    pub async fn whole_answer(&self, path: &str, authorization: &str) -> String {
        let mut request = self.client.get(format!("{}{path}", self.url));
        if !authorization.is_empty() {
            request = request.header("Authorization", authorization);
        }
        let response = request.send().await.unwrap();
        let head = format!("{} {:?}\n", response.status(), response.headers());
        head + &String::from_utf8_lossy(&response.bytes().await.unwrap())
    }

    /// The most memory that the process has had so far, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Ends the process with SIGKILL.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a command to its end: whether it succeeded, and all that it said.
pub fn run(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> (bool, String) {
    run_with_input(folder, arguments, settings, "")
}

/// The same with a text on standard input.
pub fn run_with_input(
    folder: &Path,
    arguments: &[&str],
    settings: &[(&str, &str)],
    input: &str,
) -> (bool, String) {
    let mut command = command(folder);
    command.args(arguments).envs(settings.iter().copied()).stdout(Stdio::piped()).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// The folder of the simulator's figures, which bears its edition; there is one.
pub fn origin_folder(folder: &Path) -> PathBuf {
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders =
        folders.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("simulator-"));
    let found = folders.next().unwrap();
    assert_eq!(folders.next(), None);
    found
}

/// How many stored files have that ending.
pub fn stored_files(folder: &Path, ending: &str) -> usize {
    let tables = std::fs::read_dir(origin_folder(folder).join("cells")).into_iter().flatten().flatten();
    let files = tables.flat_map(|table| std::fs::read_dir(table.path()).into_iter().flatten().flatten());
    files.filter(|file| file.path().extension().is_some_and(|it| it == ending)).count()
}

/// What all files of a folder have in them, and those of its folders.
pub fn everything_in(folder: &Path) -> Vec<u8> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { everything_in(&path) } else { std::fs::read(path).unwrap() })
        .collect()
}
