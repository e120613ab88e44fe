//! The program as a process: the command `check`, and reloading indicators on SIGHUP.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const FILE: &str = r#"{"indicators": [{"id": "ledige", "title": "Ledige", "table": "y25i01",
    "measure": "Antal ledige personer", "period_type": "M", "quantity": "persons", "levels": ["country"]}]}"#;

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobindsats-bridge"));
    command.env_clear().env("BRIDGE_DATA_DIR", folder.join("data")).env("BRIDGE_LISTEN", "127.0.0.1:0");
    command.env("BRIDGE_INDICATORS", folder.join("indicators.json"));
    command
}

fn check(file: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("indicators.json"), file).unwrap();
    let Output { status, stdout, stderr } = program(folder.path()).arg("check").output().unwrap();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn a_check_says_what_is_wrong_with_what_was_probably_meant() {
    let (ok, said) = check(FILE);
    assert!(ok && said.contains("indicators: ok"), "{said}");
    let (ok, said) = check(&FILE.replace("\"levels\"", "\"level\""));
    assert!(!ok && said.contains("unknown field `level`"), "{said}");
    let cases = [
        ("y25i01", "y25i00", "no such table; did you mean `y25i0"),
        ("Antal ledige personer", "Antal ledige person", "did you mean `Antal ledige personer`?"),
        ("\"M\"", "\"Q\"", "no periods of type `Q`"),
        ("[\"country\"]", "[\"region\"]", "no areas of level `region`; the table has `country`"),
        ("\"levels\"", "\"members\": {\"_aeldr\": \"1\"}, \"levels\"", "no dimension has the id `_aeldr`"),
        ("persons", "percent", "which is not `percent`"),
    ];
    let mut file: serde_json::Value = serde_json::from_str(FILE).unwrap();
    let wrong = cases.iter().enumerate().map(|(number, (good, bad, _))| {
        let mut file: serde_json::Value = serde_json::from_str(&FILE.replace(good, bad)).unwrap();
        file["indicators"][0]["id"] = format!("nr_{number}").into();
        file["indicators"][0].take()
    });
    file["indicators"].as_array_mut().unwrap().extend(wrong);
    let (ok, said) = check(&file.to_string());
    assert!(!ok && said.contains("6 indicators do not fit"), "{said}");
    for (number, (_, _, message)) in cases.into_iter().enumerate() {
        let line = said.lines().find(|line| line.contains(&format!("`nr_{number}`"))).unwrap_or_default();
        assert!(line.contains(message), "{message}: {said}");
    }
}

/// A running program; killed when the test ends.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let mut child = program(folder).stderr(Stdio::piped()).env("BRIDGE_LOG", "info").spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("serving;")).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let url = line.split("paste ").nth(1).unwrap().split("/odata").next().unwrap().to_owned();
        Self { child, url }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    async fn until(&self, path: &str, line: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let text = client.get(format!("{}{path}", self.url)).send().await.unwrap().text().await.unwrap();
            if text.contains(line) {
                return text;
            }
            assert!(Instant::now() < patience, "{line} never came:\n{text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_hang_up_reads_the_indicators_again_and_loses_nothing() {
    const LEDIGE: &str = "jobindsats_country_persons{source=\"simulator\",indicator=\"ledige\"} ";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("indicators.json");
    std::fs::write(&file, FILE).unwrap();
    let mut running = Running::start(folder.path());
    let text = running.until("/metrics/indicators", LEDIGE).await;
    // Which figure is the newest depends on today.
    let figure = text.lines().find(|line| line.starts_with(LEDIGE)).unwrap().to_owned();

    std::fs::write(&file, "{}").unwrap();
    running.signal("-HUP");
    running.until("/metrics", "config_last_reload_successful 0\n").await;
    running.until("/metrics/indicators", &figure).await;

    std::fs::write(&file, FILE.replace("\"Ledige\"", "\"Ledige i alt\"")).unwrap();
    running.signal("-HUP");
    let text = running.until("/metrics/indicators", "title=\"Ledige i alt\"").await;
    assert!(text.contains(&figure), "the figures stay while the file is read");
    running.until("/metrics", "config_last_reload_successful 1\n").await;

    running.signal("-TERM");
    assert!(running.child.wait().unwrap().success(), "a stop that was asked for is no failure");
}
