//! `/readyz` tells whether the service can do its work, and each reason that keeps it from a part of it.

use std::fs;
use std::time::Duration;

use jobindsats_bridge::observe::readiness::{self, Reason};
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Endpoint, Faults};
use jobindsats_bridge::upstream::dialect::{DIALECT_FILE, Dialect};
use jobindsats_bridge::upstream::forms::Form;
use serde_json::Value;

use crate::support::app::{App, AppOptions, one_indicator};

const ROWS: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";

/// The status, and the codes of the reasons.
async fn told(app: &App) -> (u16, Vec<String>) {
    let answer = app.get("/readyz").await;
    let body = answer.json();
    assert_eq!(body["ready"], answer.status == 200, "{body}");
    let reasons = body["reasons"].as_array().unwrap();
    let prevents = |reason: &Value| reason["prevents"] == true;
    assert_eq!(reasons.iter().any(prevents), answer.status == 503, "{body}");
    for reason in reasons {
        assert!(reason["message"].as_str().unwrap().ends_with('.'), "{body}");
        assert!(reason["detail"].as_str().unwrap().ends_with('.'), "{body}");
    }
    (answer.status, reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect())
}

fn is(status: u16, codes: &[&str]) -> (u16, Vec<String>) {
    (status, codes.iter().map(|code| (*code).to_owned()).collect())
}

/// A service that has never read the list of tables.
async fn without_list() -> App {
    App::start().await.stopped(|folder| fs::remove_dir_all(folder.join("simulator/catalogue")).unwrap()).await
}

#[actix_web::test]
async fn a_service_is_ready_once_it_has_a_list_of_tables_and_says_why_it_has_none() {
    let app = without_list().await;
    assert_eq!(told(&app).await, is(503, &["CatalogueNotRead"]));
    app.upstream().set_faults(Faults { server_error: 9, endpoint: Endpoint::Any, ..Faults::default() });
    assert!(app.service.state.catalogue.refresh_list().await.is_err());
    assert_eq!(told(&app).await, is(503, &["CatalogueNotRead", "UpstreamAway"]));
    app.upstream().set_faults(Faults { unauthorized: 9, endpoint: Endpoint::Any, ..Faults::default() });
    app.clock.advance(Duration::from_secs(3600));
    assert!(app.service.state.catalogue.refresh_list().await.is_err());
    assert_eq!(told(&app).await, is(503, &["CatalogueNotRead", "KeyRefused"]));
    app.upstream().set_faults(Faults::default());
    app.clock.advance(Duration::from_secs(3600));
    app.service.state.catalogue.refresh_list().await.unwrap();
    assert_eq!(told(&app).await, is(200, &[]));
}

#[actix_web::test]
async fn a_refused_key_leaves_a_service_ready_that_has_what_it_needs() {
    let app = App::start().await;
    app.upstream().set_faults(Faults { unauthorized: 1, ..Faults::default() });
    assert_eq!(app.get(ROWS).await.status, 502);
    assert_eq!(told(&app).await, is(200, &["KeyRefused"]));
    assert_eq!(app.get(ROWS).await.status, 200);
    assert_eq!(told(&app).await, is(200, &[]), "it is accepted again");
}

#[actix_web::test]
async fn calls_that_are_held_back_are_told_of() {
    let app = App::start().await;
    app.upstream().set_faults(Faults { server_error: 1000, endpoint: Endpoint::Any, ..Faults::default() });
    for table in ["y25i01", "y25i02", "y25i03", "y25i07", "y07a02"] {
        assert_eq!(app.get(&format!("/odata/jobindsats/{table}/Landet?$top=1")).await.status, 503, "{table}");
    }
    assert_eq!(told(&app).await, is(200, &["UpstreamAway"]));
}

#[actix_web::test]
async fn a_disk_that_takes_nothing_is_told_of() {
    let app = App::start().await;
    let app = app
        .stopped(|folder| {
            for file in ["cells", "names.json.new"] {
                let _ = fs::remove_dir_all(folder.join("simulator").join(file));
            }
            fs::write(folder.join("simulator/cells"), "a file in the folder's place").unwrap();
        })
        .await;
    assert_eq!(told(&app).await, is(200, &["DiskNotWritable"]));
}

#[actix_web::test]
async fn names_that_cannot_be_saved_are_told_of_until_they_are() {
    let app = App::start().await;
    let new = app.folder.path().join("simulator/names.json.new");
    fs::create_dir_all(new.join("in the way")).unwrap();
    assert_eq!(app.get(ROWS).await.status, 200);
    assert_eq!(told(&app).await, is(200, &["NamesNotSaved"]));
    fs::remove_dir_all(&new).unwrap();
    assert_eq!(app.get("/odata/jobindsats/y25i02/Landet?$top=1").await.status, 200);
    assert_eq!(told(&app).await, is(200, &[]));
}

#[actix_web::test]
async fn a_file_that_cannot_be_read_again_is_told_of_until_it_can() {
    let indicators = one_indicator();
    let good = fs::read(indicators.path()).unwrap();
    let options = AppOptions::default();
    let settings = BridgeSettings { indicators: Some(indicators.path().to_owned()), ..options.settings };
    let app = App::with(AppOptions { settings, ..options }).await;
    fs::write(indicators.path(), "{").unwrap();
    assert_eq!(app.service.reload().len(), 1);
    assert_eq!(told(&app).await, is(200, &["SettingsNotRead"]));
    fs::write(indicators.path(), good).unwrap();
    assert!(app.service.reload().is_empty());
    assert_eq!(told(&app).await, is(200, &[]));
}

#[actix_web::test]
async fn a_dialect_that_cannot_be_read_again_is_told_of_and_the_earlier_one_is_followed() {
    let app = App::start().await;
    let dialect = app.folder.path().join("simulator").join(DIALECT_FILE);
    let two =
        "/odata/jobindsats/y25i01/Kommuner?$filter=Periode eq '2026M06' and Område in ('Aarhus','Odense')";
    let plan = async || app.get(&format!("{two}&explain=plan")).await.json()["plan"].clone();
    let as_described = plan().await;
    let mut found = Dialect::default();
    found.forms.refused.insert(Form::List);
    fs::write(&dialect, found.text().unwrap()).unwrap();
    assert!(app.service.reload().is_empty());
    let without_lists = plan().await;
    assert_ne!(without_lists, as_described);
    let later = found.text().unwrap().replace("\"version\": 2", "\"version\": 3");
    for broken in ["{", &later] {
        fs::write(&dialect, broken).unwrap();
        let faults = app.service.reload();
        assert!(faults.len() == 1 && faults[0].to_string().contains(DIALECT_FILE), "{faults:?}");
        assert_eq!(told(&app).await, is(200, &["SettingsNotRead"]));
        assert_eq!(plan().await, without_lists);
    }
    fs::remove_file(&dialect).unwrap();
    assert!(app.service.reload().is_empty());
    assert_eq!((told(&app).await, plan().await), (is(200, &[]), as_described));
}

#[actix_web::test]
async fn a_service_that_stops_is_not_ready() {
    let app = App::start().await;
    app.service.state.tasks.begin_stop();
    assert_eq!(told(&app).await, is(503, &["Stopping"]));
}

#[test]
fn a_reason_has_a_code_of_its_own_and_one_line_says_them_all() {
    let codes: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.told().code).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
    assert_eq!(readiness::summary(&[]), "Ready.");
    let line = readiness::summary(&[Reason::CatalogueNotRead, Reason::KeyRefused]);
    assert!(line.starts_with("Not ready. The list of tables has not been read"), "{line}");
    assert!(!line.contains('\n') && line.contains("refuses the key"), "{line}");
}
