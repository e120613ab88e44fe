//! The log of the program: its forms, and the request's id in every line that is written for a request.

use std::fs;

use jobindsats_bridge::simulator::{self, Endpoint, Faults, SimulatorOptions};
use serde_json::Value;

use crate::kill::process::Bridge;
use crate::support::patience::until;

const ROWS: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";

/// The ids of the requests that a line was written for.
fn ids(line: &Value) -> Vec<&str> {
    let spans = line["spans"].as_array().into_iter().flatten();
    spans.filter_map(|span| span["request_id"].as_str()).collect()
}

#[tokio::test]
async fn every_line_of_a_request_has_its_id_which_is_the_one_of_its_error() {
    let simulator = simulator::start(SimulatorOptions { closed_hour: false, ..SimulatorOptions::default() })
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (form, level) in [("json", "warn"), ("json", "jobindsats_bridge=debug"), ("text", "warn")] {
        let log = folder.path().join("log");
        let settings = [
            ("BRIDGE_LOG_FORMAT", form),
            // The line with the address, by which the program is known to run, is one of `info`.
            ("BRIDGE_LOG", &format!("{level},jobindsats_bridge::run=info")),
            ("BRIDGE_TRUSTED_PROXIES", "127.0.0.1"),
        ];
        let data = folder.path().join(format!("{form}-{}", level.len()));
        let bridge = Bridge::start_on_logging(&simulator.url(), &data, &settings, &log).await;
        assert_eq!(bridge.get(ROWS).await.unwrap().0, 200, "the table is read");
        simulator.control().set_faults(Faults {
            server_error: 99,
            endpoint: Endpoint::Data,
            ..Faults::default()
        });
        let other = ROWS.replace("06", "05");
        let (status, body) = bridge.get_with(&other, &[("X-Request-Id", "the-one-that-fails")]).await;
        assert!(status == 503 && body.contains("the-one-that-fails"), "{body}");
        simulator.control().set_faults(Faults::default());
        let text = || fs::read_to_string(&log).unwrap();
        until("the failure is logged", async || text().contains("request failed")).await;
        let said = |text: &str| ["trying again", "request failed"].map(|part| text.contains(part));
        let has_id = |text: &str| text.contains("the-one-that-fails");
        let mut seen = [false; 2];
        for line in text().lines() {
            if form == "json" {
                let line: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
                assert!(ids(&line).iter().all(|id| has_id(id)) || level.contains("debug"), "{line}");
            }
            // Work in the background fails too, and for no request.
            if has_id(line) {
                said(line).iter().zip(&mut seen).for_each(|(said, seen)| *seen |= said);
            } else {
                assert!(!said(line)[1], "{line}");
            }
        }
        assert_eq!(seen, [true, true], "{}", text());
    }
    simulator.stop().await;
}

#[tokio::test]
async fn an_id_that_nobody_vouches_for_or_that_is_none_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let unknown = "/odata/jobindsats/y25i01/Nowhere";
    let bridge =
        Bridge::start_with(&folder.path().join("a"), &[("BRIDGE_TRUSTED_PROXIES", "192.0.2.1")]).await;
    let (_, body) = bridge.get_with(unknown, &[("X-Request-Id", "a-stranger")]).await;
    assert!(body.contains("requestId") && !body.contains("a-stranger"), "{body}");
    let bridge =
        Bridge::start_with(&folder.path().join("b"), &[("BRIDGE_TRUSTED_PROXIES", "127.0.0.1")]).await;
    for id in
        ["with blanks", "<script>", "", &"x".repeat(65), "jb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
    {
        let (_, body) = bridge.get_with(unknown, &[("X-Request-Id", id)]).await;
        assert!(id.is_empty() || !body.contains(id), "{id}: {body}");
    }
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let (_, body) = bridge.get_with(unknown, &[("traceparent", &parent)]).await;
    assert!(body.contains(trace), "{body}");
}
