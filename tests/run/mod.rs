//! Commands of the program, run as processes.

mod logs;
#[cfg(target_os = "linux")]
mod service_manager;
mod settings;
mod traces;
mod users;

use std::fs;
use std::path::Path;

use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::disk;
use jobindsats_bridge::feed::origin::Origin;
use jobindsats_bridge::run::check::{Report, check};
use jobindsats_bridge::service::{ServiceOptions, UpstreamChoice};
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::simulator::{self, SimulatorOptions};
use jobindsats_bridge::upstream::retry::Retry;
use serde_json::Value;

use crate::kill::process::{Bridge, origin_folder, run};
use crate::support::app::morning;

const QUERY: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2026M01'";

/// Every file below a folder with its content.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

/// Changes one byte near the end of a file.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - 9;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn check_reads_every_stored_file_beside_a_running_service_and_changes_none() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = Bridge::start(folder.path()).await;
    assert_eq!(bridge.get(QUERY).await.unwrap().0, 200);
    let (is_well, said) = run(folder.path(), &["check"], &[]);
    assert!(is_well, "{said}");
    for line in ["settings: ok", "stored files: ", " are as they were written", "indicators: ok"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    bridge.kill();
    let (is_well, said) = run(folder.path(), &["sync", "--tables", "y25i01"], &[]);
    assert!(is_well, "{said}");

    let origin = origin_folder(folder.path());
    let cells = fs::read_dir(origin.join("cells/y25i01")).unwrap().next().unwrap().unwrap().path();
    let damaged = [cells, origin.join("catalogue/table/y25i02.json"), origin.join("names.json")];
    damaged.iter().for_each(|path| damage(path));
    let before = files(folder.path());
    let (is_well, said) = run(folder.path(), &["check"], &[("BRIDGE_READY_TABLES", "y25i01,y99x99")]);
    assert!(!is_well, "{said}");
    for path in &damaged {
        assert!(said.contains(&path.display().to_string()), "{}: {said}", path.display());
    }
    assert!(said.contains("BRIDGE_READY_TABLES: the upstream lists no table y99x99"), "{said}");
    assert!(files(folder.path()) == before, "nothing is written, renamed or removed");
}

#[tokio::test]
async fn check_names_every_file_whose_form_a_later_program_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = Bridge::start(folder.path()).await;
    assert_eq!(bridge.get(QUERY).await.unwrap().0, 200);
    bridge.kill();
    let origin = origin_folder(folder.path());
    let files = [
        "names.json",
        "revisions.json",
        "uses.json",
        "learnt.json",
        "indicators.json",
        "catalogue/tables.json",
        "catalogue/subjects.json",
        "catalogue/table/y25i01.json",
    ];
    for stored in self::files(&origin).iter().filter(|(path, _)| path.ends_with(".json")) {
        let is_table =
            |file: &str| file.starts_with("catalogue/table/") && stored.0.contains("/catalogue/table/");
        let is_named = files.iter().any(|file| stored.0.ends_with(file) || is_table(file));
        assert!(is_named, "{} is of no kind that is tried here", stored.0);
    }
    for file in files {
        disk::keep(&origin.join(file), 1, &Value::Null).unwrap();
    }
    let (_, said) = run(folder.path(), &["check"], &[]);
    assert!(!said.contains("it has the form"), "{said}");
    for file in files {
        disk::keep(&origin.join(file), 2, &Value::Null).unwrap();
    }
    let (is_well, said) = run(folder.path(), &["check"], &[]);
    assert!(!is_well, "{said}");
    for file in files {
        let line = said.lines().find(|line| line.contains(&origin.join(file).display().to_string()));
        let line = line.unwrap_or_else(|| panic!("{file}: {said}"));
        assert!(line.contains("it has the form 2, expected 1: a newer version of the program"), "{line}");
    }
}

#[tokio::test]
async fn check_tries_the_key_with_one_call_if_it_is_asked_to() {
    let clock = Clock::fixed(morning());
    let simulator = simulator::start(SimulatorOptions {
        token: Some("right-key-0123".to_owned()),
        closed_hour: false,
        clock: clock.clone(),
        ..SimulatorOptions::default()
    })
    .await
    .unwrap();
    for (key, asks, is_right) in
        [("right-key-0123", true, true), ("wrong-key-0123", true, false), ("wrong-key-0123", false, true)]
    {
        let folder = tempfile::tempdir().unwrap();
        simulator.control().clear_requests();
        let options = options(folder.path(), &simulator.url(), key, &clock);
        let Report { found, wrong, .. } = check(&options, asks).await.unwrap();
        let calls = simulator.control().requests().arrivals.len();
        assert_eq!(calls, usize::from(asks), "{found:?} {wrong:?}");
        let unread = wrong.iter().find(|line| line.starts_with("the upstream cannot be read"));
        assert_eq!(unread.is_some(), !is_right, "{wrong:?}");
        assert!(unread.is_none_or(|line| line.contains("JOBINDSATS_API_KEY")), "{unread:?}");
        assert_eq!(found.contains(&"upstream: ok".to_owned()), asks && is_right, "{found:?}");
        assert!(!format!("{found:?} {wrong:?}").contains(key));
        assert!(files(folder.path()).is_empty(), "nothing is stored");
    }
}

/// The options of a service with a key.
fn options(folder: &Path, url: &str, key: &str, clock: &Clock) -> ServiceOptions {
    let settings = BridgeSettings { data_dir: folder.to_owned(), ..BridgeSettings::default() };
    let upstream = UpstreamChoice {
        origin: Origin { name: "upstream".to_owned(), is_simulator: false, description: None },
        folder: "upstream".to_owned(),
        url: url.to_owned(),
        key: Some(ApiKey::new(key).unwrap()),
        key_file: None,
        closed_hour: false,
        retry: Retry::default(),
    };
    let clock = clock.clone();
    ServiceOptions { clock, workers: Some(1), background: false, ..ServiceOptions::new(settings, upstream) }
}

#[tokio::test]
async fn wrong_settings_stop_the_start_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    for (variable, value, example) in [
        ("BRIDGE_LISTEN", "8080", "127.0.0.1:8080"),
        ("BRIDGE_LOG", "bogus==", "such as info"),
        ("BRIDGE_USER_HEADER", "X-Forwarded-User", "set BRIDGE_TRUSTED_PROXIES"),
        ("BRIDGE_CORS_ORIGINS", "*", "such as https://tal.kommune.example"),
        ("JOBINDSATS_API_KEY_FILE", empty.to_str().unwrap(), "expected the key on one line"),
    ] {
        for command in ["serve", "check"] {
            let (is_well, said) = run(folder.path(), &[command], &[(variable, value)]);
            assert!(!is_well && said.contains(variable) && said.contains(example), "{command}: {said}");
        }
    }
}

#[tokio::test]
async fn the_access_log_has_a_line_for_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let settings = [("BRIDGE_ACCESS_LOG", "json")];
    let bridge = Bridge::start_logging(&folder.path().join("data"), &settings, &log).await;
    let (_, answer) = bridge.get(&format!("{QUERY}&api_key=hemmelig&$top=x")).await.unwrap();
    let refused: Value = serde_json::from_str(&answer).unwrap();
    let (_, rows) = bridge.get(QUERY).await.unwrap();
    bridge.get(QUERY).await.unwrap();
    bridge.get("/export/y25i01/Landet.csv?$top=3").await.unwrap();
    bridge.kill();
    let text = fs::read_to_string(&log).unwrap();
    assert!(!text.contains("hemmelig"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut ours = lines.iter().filter(|line| line["path"].as_str().unwrap().contains("Landet"));
    let first = ours.next().unwrap();
    assert_eq!(
        (first["status"].as_u64(), &first["id"]),
        (Some(400), &refused["error"]["innererror"]["requestId"])
    );
    let second = ours.next().unwrap();
    let count = serde_json::from_str::<Value>(&rows).unwrap()["value"].as_array().unwrap().len();
    assert_eq!((second["status"].as_u64(), second["rows"].as_u64()), (Some(200), Some(count as u64)));
    // The body was packed.
    assert!((1..rows.len() as u64).contains(&second["bytes"].as_u64().unwrap()), "{second}");
    // Beside the figures it may have read the table's metadata and the list of tables, before it and behind them.
    let calls = second["upstream_calls"].as_u64();
    assert!(second["method"] == "GET" && calls.is_some_and(|calls| (1..=4).contains(&calls)), "{second}");
    assert!(second["milliseconds"].is_u64() && second["at"].is_string(), "{second}");
    assert_eq!(ours.next().unwrap()["upstream_calls"], 0, "the figures were stored");
    assert_eq!(ours.next().unwrap()["rows"], 3);
}

#[tokio::test]
async fn what_a_probe_found_is_checked_like_every_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let (is_well, said) = run(folder.path(), &["probe"], &[]);
    assert!(is_well, "{said}");
    let dialect = origin_folder(folder.path()).join("dialect.json");
    assert!(run(folder.path(), &["check"], &[]).0, "a sound one is no damage");
    fs::write(&dialect, "{\"version\": 99}").unwrap();
    let (is_well, said) = run(folder.path(), &["check"], &[]);
    assert!(!is_well && said.contains("dialect.json: the file cannot be used: it has the form 99"), "{said}");
}
