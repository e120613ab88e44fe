//! A data folder that an earlier build wrote is read by this one: its names, its figures, its revisions and its gauges are there, and
//! nothing that is stored is asked of the upstream again.
//!
//! `tests/store/earlier/` has a folder for each such build, named by its commit, with the answers that it gave. `UPDATE_EARLIER=NAME`
//! has this build write one; it is done once, before a stored form changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jobindsats_bridge::disk;
use jobindsats_bridge::probe::{self, CallerOptions};
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::simulator::{SimulatorOptions, Variant};
use serde_json::{Map, Value};

use crate::support::app::{App, AppOptions, SMALL_INDICATOR, one_indicator};
use crate::support::log::listen;

/// What the earlier build was asked, and this one is asked again.
const QUESTIONS: [&str; 6] = [
    "/odata/Datasets?$filter=Identifier in ('y25i01','y25i03')&$select=Identifier,Title,Modified",
    "/odata/Revisions?$top=20",
    "/odata/jobindsats/y25i01/Kommuner?$filter=Periode eq '2026M06'&$top=5",
    "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2026M01'",
    "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M03'",
    "/odata/jobindsats/y25i03/Landet?$filter=Periode ge '2026M01'",
];
/// Where a bridge stores what it has of this simulator.
const ORIGIN: &str = "simulator";
/// From the clock's start until the folder was left: after a figure had been revised, and within the hour of what was read last.
const LEFT_AFTER: Duration = Duration::from_secs(25 * 3600);

/// What is not read where the list of tables is not.
const UNREAD: [&str; 2] = ["catalogue/subjects.json", "catalogue/table/"];

fn earlier() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/store/earlier")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => fs::copy(&path, to.join(name)).map(|_| ()).unwrap(),
        }
    }
}

/// A bridge on an upstream that leaves a total unlisted, so that its answers teach something.
async fn bridge(indicators: &Path) -> App {
    let options = AppOptions::default();
    let settings = jobindsats_bridge::settings::BridgeSettings {
        indicators: Some(indicators.to_owned()),
        ..options.settings
    };
    let dialect = [Variant::TotalUnlisted].into_iter().collect();
    let simulator = SimulatorOptions { dialect, ..options.simulator };
    App::with(AppOptions { settings, simulator, ..options }).await
}

async fn answers(app: &App) -> Value {
    let mut answers = Map::new();
    for question in QUESTIONS {
        answers.insert(question.to_owned(), app.get(question).await.rows().into());
    }
    let gauges = app.get("/metrics/indicators").await.text();
    let figures = gauges.lines().filter(|line| line.starts_with("jobindsats_country_"));
    answers.insert("gauges".to_owned(), figures.map(Value::from).collect());
    Value::Object(answers)
}

/// Has this build write a folder with something of everything that is stored, and the answers that it gave.
async fn write(into: &Path) {
    let indicators = one_indicator();
    let app = bridge(indicators.path()).await;
    answers(&app).await;
    app.upstream().set_edition(Some("y25i01"), 1).unwrap();
    app.clock.advance(LEFT_AFTER);
    app.service.state.catalogue.refresh_list().await.unwrap();
    assert!(app.service.state.indicators.refresh(SMALL_INDICATOR).await);
    app.service.state.indicators.save();
    answers(&app).await;
    app.service.state.answerer.uses.save();
    // Once more, now that it is known what was revised.
    let answers = answers(&app).await;
    let options = CallerOptions {
        base_url: app.simulator.url(),
        key: Some(ApiKey::new("noegle-0123456789").unwrap()),
        closed_hour: true,
        clock: app.clock.clone(),
        pause: Duration::ZERO,
    };
    let findings = probe::run(options, |_, _| {}).await.unwrap();
    findings.write(&app.folder.path().join(ORIGIN), ORIGIN).unwrap();
    app.stopped(|folder| copy(&folder.join(ORIGIN), &into.join(ORIGIN))).await;
    fs::remove_file(into.join(ORIGIN).join("lock")).unwrap();
    fs::write(into.join("answers.json"), serde_json::to_string_pretty(&answers).unwrap()).unwrap();
}

/// The names of what is stored, without what is made anew.
fn stored(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| !["lock", "files"].contains(&name.as_str())).collect();
    names.sort();
    names
}

#[actix_web::test]
async fn a_folder_of_an_earlier_build_is_read_and_nothing_is_asked_again() {
    if let Some(name) = std::env::var_os("UPDATE_EARLIER") {
        write(&earlier().join(name)).await;
    }
    let builds: Vec<PathBuf> = fs::read_dir(earlier()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!builds.is_empty());
    for build in builds {
        let indicators = one_indicator();
        let app = bridge(indicators.path()).await;
        app.upstream().set_edition(Some("y25i01"), 1).unwrap();
        app.clock.advance(LEFT_AFTER);
        let before = app.upstream().requests().arrivals.len();
        let app = app
            .stopped(|folder| {
                fs::remove_dir_all(folder.join(ORIGIN)).unwrap();
                copy(&build.join(ORIGIN), &folder.join(ORIGIN));
            })
            .await;
        let expected: Value = serde_json::from_slice(&fs::read(build.join("answers.json")).unwrap()).unwrap();
        let given = answers(&app).await;
        assert_eq!(given, expected, "{}", build.display());
        assert!(!given["gauges"].as_array().unwrap().is_empty(), "the gauges are there before any refresh");
        assert!(!given["/odata/Revisions?$top=20"].as_array().unwrap().is_empty());
        let asked = app.upstream().requests().arrivals.len() - before;
        assert_eq!(asked, 0, "{}: requests to the upstream", build.display());
        let folder = app.folder.path().join(ORIGIN);
        assert_eq!(stored(&folder), stored(&build.join(ORIGIN)), "nothing is set aside");
    }
}

/// Every file with a saved value, with the number of its form.
fn forms(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(forms(&path));
        } else if path.extension().is_some_and(|ending| ending == "json") {
            let text = fs::read_to_string(&path).unwrap();
            let head: Value =
                serde_json::from_str(text.lines().next().unwrap()).or(serde_json::from_str(&text)).unwrap();
            found.push((
                path.clone(),
                head["version"].as_u64().unwrap_or_else(|| panic!("{}: no form", path.display())),
            ));
        }
    }
    found
}

#[actix_web::test]
async fn every_stored_file_says_its_form_and_a_later_one_is_named_as_such() {
    // Of this build: a form after that of an earlier build may be one that is known.
    let written = tempfile::tempdir().unwrap();
    write(written.path()).await;
    let indicators = one_indicator();
    let app = bridge(indicators.path()).await;
    let heard = listen();
    let mut later = Vec::new();
    let app = app
        .stopped(|folder| {
            let folder = folder.join(ORIGIN);
            fs::remove_dir_all(&folder).unwrap();
            copy(&written.path().join(ORIGIN), &folder);
            for (path, form) in forms(&folder) {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(&folder).unwrap().display().to_string();
                match name.as_str() {
                    // Without its names the service does not start; see below.
                    "names.json" => continue,
                    "dialect.json" => {
                        let (now, next) =
                            (format!("\"version\": {form}"), format!("\"version\": {}", form + 1));
                        fs::write(&path, text.replace(&now, &next)).unwrap();
                    }
                    _ => {
                        let value: Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
                        disk::keep(&path, u32::try_from(form).unwrap() + 1, &value).unwrap();
                    }
                }
                later.push(name);
            }
        })
        .await;
    for file in [
        "catalogue/tables.json",
        "revisions.json",
        "uses.json",
        "learnt.json",
        "indicators.json",
        "dialect.json",
    ] {
        assert!(later.iter().any(|name| name == file), "{file}: {later:?}");
    }
    let log = heard.text();
    for name in later.iter().filter(|name| !UNREAD.iter().any(|begin| name.starts_with(begin))) {
        let named = |line: &&str| {
            line.contains(name.as_str()) && line.contains("a newer version of the program wrote it")
        };
        assert!(log.lines().any(|line| named(&line)), "{name}: {log}");
    }
    let names = app.folder.path().join(ORIGIN).join("names.json");
    let value: Value =
        serde_json::from_str(fs::read_to_string(&names).unwrap().split_once('\n').unwrap().1).unwrap();
    disk::keep(&names, 2, &value).unwrap();
    let read: Result<Option<Value>, _> = disk::read(&names, 1);
    let error = read.unwrap_err().to_string();
    assert!(error.contains("a newer version of the program wrote it"), "{error}");
}
