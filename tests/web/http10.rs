//! HTTP/1.0, which has no chunks: each answer has a length, and none ends with the connection.

use serde_json::json;

use crate::support::app::{App, AppOptions};
use crate::support::wire::{Wire, WireAnswer};
use jobindsats_bridge::settings::BridgeSettings;

const SERVICE: &str = "/odata/jobindsats/y25i01";

fn is_whole(answer: &WireAnswer, what: &str) {
    assert_eq!(answer.status(), 200, "{what}: {}", answer.status_line);
    assert_eq!(answer.header("Transfer-Encoding"), "", "{what}");
    assert_eq!(answer.header("Content-Length"), answer.body.len().to_string(), "{what}");
    assert!(answer.complete, "{what}");
}

#[actix_web::test]
async fn pages_documents_and_files_have_a_length() {
    let app = App::start().await;
    let mut http11 = Wire::open(app.service.address).await;
    let targets = [
        format!("{SERVICE}/Kommuner?$filter=Periode%20ge%20%272025M01%27"),
        format!("{SERVICE}/$metadata"),
        "/odata/".to_owned(),
        "/odata/Datasets".to_owned(),
        "/export/y25i01/Kommuner.parquet?$filter=Periode%20ge%20%272025M01%27".to_owned(),
        "/open/y25i01/Landet.xlsx".to_owned(),
        "/maaling/y25i01".to_owned(),
        "/".to_owned(),
    ];
    for target in targets {
        let new = http11.get(&target).await;
        let old = Wire::http10(app.service.address, &format!("GET {target}"), "", "").await;
        is_whole(&old, &target);
        assert!(old.body == new.body, "{target}");
        let head = Wire::http10(app.service.address, &format!("HEAD {target}"), "", "").await;
        assert_eq!(head.header("Content-Length"), old.header("Content-Length"), "HEAD {target}");
        let gzip = "Accept-Encoding: gzip\r\n";
        is_whole(&Wire::http10(app.service.address, &format!("GET {target}"), gzip, "").await, &target);
    }
}

#[actix_web::test]
async fn batches_have_a_length() {
    let app = App::start().await;
    let part = |id: &str| json!({"id": id, "method": "GET", "url": "Kommuner?$top=300"});
    let body = json!({"requests": [part("1"), part("2")]}).to_string();
    let json = "Content-Type: application/json\r\n";
    let answer = Wire::http10(app.service.address, &format!("POST {SERVICE}/$batch"), json, &body).await;
    is_whole(&answer, "batch");
    assert!(answer.body.len() > 64 * 1024);
    let answers = answer.json()["responses"].as_array().unwrap().clone();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[1]["body"]["value"].as_array().unwrap().len(), 300);
}

#[actix_web::test]
async fn a_connection_that_is_kept_alive_goes_on_behind_a_page() {
    let app = App::start().await;
    let mut wire = Wire::open(app.service.address).await;
    let request = format!(
        "GET {SERVICE}/Kommuner?$top=500 HTTP/1.0\r\nHost: {}\r\nConnection: keep-alive\r\n\r\n",
        wire.host
    );
    for _ in 0..2 {
        let answer = wire.send(&request).await;
        is_whole(&answer, "kept alive");
        assert_eq!(answer.json()["value"].as_array().unwrap().len(), 500);
    }
}

#[actix_web::test]
async fn what_is_larger_than_its_length_can_be_found_out_is_refused_with_what_to_do() {
    let settings = BridgeSettings { file_mb: 1, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let target = format!("{SERVICE}/Observations?$top=20000");
    let whole = app.get(&target).await;
    assert!(whole.body.len() > 1024 * 1024, "{}", whole.body.len());
    let refused = Wire::http10(app.service.address, &format!("GET {target}"), "", "").await;
    assert_eq!(refused.status(), 400);
    let error = refused.json()["error"].clone();
    assert_eq!(error["code"], "TooLargeForHttp10");
    assert!(error["message"].as_str().unwrap().contains("proxy_http_version 1.1"), "{error}");
    let parts: Vec<_> = (0..8)
        .map(|id| json!({"id": id.to_string(), "method": "GET", "url": "Observations?$top=2000"}))
        .collect();
    let (body, json) = (json!({"requests": parts}).to_string(), "Content-Type: application/json\r\n");
    let batch = Wire::http10(app.service.address, &format!("POST {SERVICE}/$batch"), json, &body).await;
    assert_eq!((batch.status(), &batch.json()["error"]["code"]), (400, &"TooLargeForHttp10".into()));
    let small = format!("{SERVICE}/Observations?$top=2000");
    is_whole(&Wire::http10(app.service.address, &format!("GET {small}"), "", "").await, &small);
}

#[actix_web::test]
async fn memory_for_the_length_is_that_of_answers_and_is_given_back() {
    let settings = BridgeSettings { answers_mb: 24, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let large = format!("{SERVICE}/Observations?$top=20000&$format=application/json;odata.metadata=full");
    assert_eq!(app.get(&large).await.status, 200);
    // Its rows leave room for its text, but not for twice as much.
    let fits = format!("{SERVICE}/Observations?$top=20000");
    for _ in 0..3 {
        let refused = Wire::http10(app.service.address, &format!("GET {large}"), "", "").await;
        assert_eq!((refused.status(), refused.header("Retry-After")), (503, "5"));
        is_whole(&Wire::http10(app.service.address, &format!("GET {fits}"), "", "").await, &fits);
    }
}
