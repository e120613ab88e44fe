//! The key appears in no log, error, address or debug output.

use std::sync::Arc;

use base64::Engine;
use jobindsats_bridge::observe::request::{RequestCalls, RequestId, RequestRecord};
use jobindsats_bridge::observe::traces::{Received, Traces};
use jobindsats_bridge::settings::redact::redact;
use jobindsats_bridge::upstream::client::{ClientOptions, HttpUpstream, Upstream};
use serde_json::json;

use super::{KEY, ONE_CELL, one_cell, options};
use crate::support::canned::{Canned, CannedServer};
use crate::support::canned_app::CannedApp;
use crate::support::log::listen;

#[tokio::test]
async fn the_key_is_in_no_error_no_debug_text_and_no_log_line() {
    let heard = listen();
    let echo = format!("The token '{KEY}' is not welcome");
    let cell = ONE_CELL.replace("7]", &format!("\"{KEY}\"]"));
    let answers = [
        Canned::cause(401, &echo),
        Canned::cause(422, &echo),
        Canned::cause(422, &format!("{echo}: over the limit")),
        Canned::cause(422, &format!("Unknown period type: {KEY}")),
        Canned::new(403, echo.as_str()),
        Canned::new(500, echo.as_str()).header("X-Request-Id", KEY),
        Canned::cause(422, &echo.replace(KEY, &spelt(KEY, |byte| format!("%{byte:02x}")))),
        Canned::new(
            422,
            error_body(&echo.replace(KEY, &spelt(KEY, |byte| format!("\\u{:04X}", u32::from(byte))))),
        ),
        Canned::new(422, error_body(&spelt(KEY, |byte| format!("&#{byte};")))),
        Canned::cause(422, &base64::engine::general_purpose::STANDARD.encode(format!("Bearer {KEY}"))),
        Canned::new(422, format!(r#"{{"cause": "no", "request_id": "{}"}}"#, "r".repeat(5000))),
        Canned::ok(&cell),
        Canned::Drop,
    ];
    let mut shown = String::new();
    for answer in answers {
        let server = CannedServer::start([answer]).await;
        let options = options(&server);
        shown.push_str(&format!("{options:?}"));
        let client = HttpUpstream::new(options).unwrap();
        let error = client.data(&one_cell()).await.unwrap_err();
        shown.push_str(&format!("{client:?} {error:?} {error}\n"));
        assert!(server.requests()[0].contains(KEY), "the key is sent");
    }
    let log = heard.text();
    assert!(log.contains("trying again"), "the log is heard");
    assert!(!shown.contains(&"r".repeat(200)), "a request id has a length");
    for line in shown.lines().chain(log.lines()) {
        assert!(!line.contains(KEY), "{line}");
        assert_eq!(redact(line), line, "in no spelling");
    }
}

fn spelt(key: &str, form: impl Fn(u8) -> String) -> String {
    key.bytes().map(form).collect()
}

/// An error body whose cause is written as it stands, escapes included.
fn error_body(cause: &str) -> String {
    format!(r#"{{"code": 422, "cause": "{cause}", "request_id": "{cause}"}}"#)
}

/// What an upstream may say that repeats the key it was sent.
fn echoes() -> Vec<Canned> {
    let escaped = spelt(KEY, |byte| format!("\\u{:04x}", u32::from(byte)));
    let figures =
        |heading: &str| format!(r#"{{"columns": ["Periode", "Område", "{heading}", "x"], "rows": []}}"#);
    vec![
        Canned::cause(422, KEY),
        Canned::new(422, error_body(&escaped)),
        Canned::new(422, error_body(&spelt(KEY, |byte| format!("%{byte:02X}")))),
        Canned::new(500, "").header("X-Request-Id", &spelt(KEY, |byte| format!("%{byte:02x}"))),
        Canned::new(200, figures(KEY)),
        Canned::new(200, figures(&escaped)),
        Canned::new(200, format!(r#"{{"{escaped}": 1}}"#)),
        Canned::new(200, format!(r#""{escaped}""#)),
    ]
}

#[actix_web::test]
async fn an_anonymous_answer_and_the_page_of_the_state_never_hold_the_key() {
    for echo in echoes() {
        let described = format!("{echo:?}");
        let table = json!({
            "table_id": "y1", "table_name": "Antal",
            "mgroups": [{"mgroup_id": "g", "measures": [{"measure_id": "m", "measure_name": "Antal"}]}],
            "periods": [{"periodtype_id": "M", "values": [{"period_id": "2026M07"}]}],
            "dimensions": [{"dimension_id": "_omrade", "hierarchies": [{"hierarchy_id": "_nykom", "levels": []}]}]
        });
        let list = json!([{"table_groups": [{"tables": [{"table_id": "y1"}, {"table_id": "y2"}]}]}]);
        let app = CannedApp::with_key(
            vec![
                ("/subjects".to_owned(), Canned::ok("[]")),
                ("/tables".to_owned(), Canned::ok(list)),
                ("/table/y1".to_owned(), Canned::ok(table)),
                ("/table/y2".to_owned(), echo.clone()),
                ("/data/y1".to_owned(), echo),
            ],
            KEY,
        )
        .await;
        for path in [
            "/odata/jobindsats/y1/Landet",
            "/odata/jobindsats/y2/",
            "/status",
            "/metrics",
            "/export/y1/Landet.csv",
        ] {
            let answer = app.get(path).await.text();
            assert_eq!(redact(&answer), answer, "{path} after {described}");
        }
    }
}

/// A key that is part of names changes no figure and no metadata: it is looked for in text that is kept for people only.
#[actix_web::test]
async fn figures_and_metadata_are_never_searched() {
    let key = "Observations";
    let table = json!({
        "table_id": "y1", "table_name": key,
        "mgroups": [{"mgroup_id": "g", "measures": [{"measure_id": "m", "measure_name": key}]}],
        "periods": [{"periodtype_id": "M", "values": [{"period_id": "2026M07"}]}],
        "dimensions": [{"dimension_id": "_omrade", "dimension_name": "Område", "hierarchies": [{"hierarchy_id": "_nykom", "levels": []}]}]
    });
    let list = json!([{"table_groups": [{"tables": [{"table_id": "y1", "table_name": key}]}]}]);
    let figures = json!({"columns": ["Periode", "Område", key], "rows": [["2026M07", "Hele landet", 17]]});
    let app = CannedApp::with_key(
        vec![
            ("/subjects".to_owned(), Canned::ok("[]")),
            ("/tables".to_owned(), Canned::ok(list)),
            ("/table/y1".to_owned(), Canned::ok(table)),
            ("/data/y1".to_owned(), Canned::ok(figures)),
        ],
        key,
    )
    .await;
    let rows = app.get("/odata/jobindsats/y1/Landet").await.rows();
    assert_eq!(rows[0][key], 17, "{rows:?}");
    assert!(app.get("/odata/$metadata").await.text().contains(key));
}

#[tokio::test]
async fn the_upstream_is_not_told_which_request_a_call_is_made_for() {
    let server = CannedServer::start([Canned::ok(ONE_CELL)]).await;
    // Nothing listens there; the span is begun all the same.
    let traces = Traces::to("http://127.0.0.1:9").unwrap();
    let observer = Arc::new(RequestCalls(traces.clone()));
    let client = HttpUpstream::new(ClientOptions { observer, ..options(&server) }).unwrap();
    let received = Received { method: "GET", path: "/", query: "", request_id: "request-17" };
    let span = traces.begin(received, None);
    assert!(span.is_some());
    let record = RequestRecord::begin(RequestId::given("request-17").unwrap(), span);
    record.within(client.data(&one_cell())).await.unwrap();
    assert_eq!(record.upstream_calls(), 1);
    let sent = server.requests()[0].to_lowercase();
    assert!(!sent.contains("traceparent") && !sent.contains("request-17"), "{sent}");
}
