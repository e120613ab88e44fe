//! Traces, as a collector receives them. How the program bears one that fails is in `tests/run/traces.rs`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jobindsats_bridge::observe::traces::{Received, Traces};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::support::app::{App, AppOptions};
use crate::support::collector::{Collector, Manner};
use crate::support::patience::until;

const ROWS: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";
/// Spans that wait for a collector, and those that are sent to it at once, by OpenTelemetry's defaults.
const QUEUE: usize = 2_048;
const BATCH: usize = 512;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &KeyValue| match value.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}

async fn app(traces: Traces, proxies: &str) -> App {
    let options = AppOptions::default();
    let mut settings = options.settings;
    settings.trusted_proxies = proxies.parse().unwrap();
    App::with(AppOptions { settings, traces, ..options }).await
}

#[actix_web::test]
async fn a_request_and_its_calls_are_spans_of_the_trace_that_it_continues() {
    let collector = Collector::start().await;
    let app = app(Traces::to(&collector.url).unwrap(), "127.0.0.1").await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let secret = "&api_key=jb_very-secret";
    assert_eq!(app.get_with(&format!("{ROWS}{secret}"), &[("traceparent", &parent)]).await.status, 200);
    let refused = app.get_with("/odata/jobindsats/y25i01/Nowhere", &[("traceparent", &parent)]).await;
    assert!(refused.text().contains(TRACE), "the trace's id is the request's: {}", refused.text());
    app.service.stop().await;

    let spans = collector.spans();
    let named = |name: &str| {
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"))
    };
    let server = spans
        .iter()
        .find(|span| {
            span.name == "GET /odata/{path:.*}"
                && attributes(&span.attributes)["http.response.status_code"] == "200"
        })
        .unwrap();
    assert_eq!(server.kind(), SpanKind::Server);
    assert_eq!(
        (hex(&server.trace_id), hex(&server.parent_span_id)),
        (TRACE.to_owned(), "00f067aa0ba902b7".to_owned())
    );
    let said = attributes(&server.attributes);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/odata/{path:.*}"),
        ("url.path", "/odata/jobindsats/y25i01/Landet"),
        ("url.scheme", "http"),
        ("jobindsats_bridge.request_id", TRACE),
    ] {
        assert_eq!(said.get(name).map(String::as_str), Some(value), "{said:?}");
    }
    assert!(server.end_time_unix_nano > server.start_time_unix_nano);
    let call = spans
        .iter()
        .find(|span| span.kind() == SpanKind::Client && span.trace_id == server.trace_id)
        .unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!(call.parent_span_id, server.span_id, "the call is below its request");
    let said = attributes(&call.attributes);
    assert!(said["url.full"].contains("/v3/"), "{said:?}");
    let upstream = reqwest::Url::parse(&app.simulator.url()).unwrap();
    for (name, value) in [
        ("server.address", "127.0.0.1"),
        ("server.port", &upstream.port().unwrap().to_string()),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(said.get(name).map(String::as_str), Some(value), "{said:?}");
    }
    for endpoint in ["/tables", "/data"] {
        let call = named(&format!("GET {endpoint}"));
        assert_eq!(call.kind(), SpanKind::Client);
        assert_eq!(attributes(&call.attributes)["url.template"], endpoint);
    }
    let all = format!("{spans:?}");
    assert!(
        !all.contains("very-secret") && !all.contains("noegle-0123456789"),
        "no secret leaves in a trace"
    );
    let resource = collector.received()[0].resource_spans[0].resource.clone().unwrap();
    assert_eq!(attributes(&resource.attributes)["service.name"], "jobindsats-bridge");
    collector.stop().await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[actix_web::test]
async fn what_a_stranger_says_of_traces_and_ids_is_not_believed() {
    let collector = Collector::start().await;
    let app = app(Traces::to(&collector.url).unwrap(), "192.0.2.1").await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("traceparent", parent.as_str()), ("X-Request-Id", "mine")];
    let refused = app.get_with("/odata/jobindsats/y25i01/Nowhere", &headers).await.text();
    assert!(!refused.contains(TRACE) && !refused.contains("mine"), "{refused}");
    app.service.stop().await;
    let spans = collector.spans();
    let server = spans.iter().find(|span| span.kind() == SpanKind::Server).unwrap();
    assert!(server.parent_span_id.is_empty() && hex(&server.trace_id) != TRACE);
    collector.stop().await;
}

#[actix_web::test]
async fn a_collector_that_is_gone_or_never_answers_holds_up_neither_requests_nor_the_end() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Connections to it are accepted by the system, and nobody reads them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [gone, silent.local_addr().unwrap()] {
        let app = app(Traces::to(&format!("http://{address}")).unwrap(), "192.0.2.1").await;
        for _ in 0..50 {
            assert_eq!(app.get("/healthz").await.status, 200);
        }
        let began = Instant::now();
        app.service.stop().await;
        // A call to the collector may take ten seconds.
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    }
}

#[actix_web::test]
async fn spans_that_find_the_queue_full_are_dropped_and_nothing_waits_for_room() {
    let collector = Collector::start().await;
    collector.behave(Manner::KeepsSilent);
    let traces = Traces::to(&collector.url).unwrap();
    let app = app(traces.clone(), "192.0.2.1").await;
    let began = Instant::now();
    let end_spans = |count: usize| {
        for _ in 0..count {
            let received = Received { method: "GET", path: "/", query: "", request_id: "1" };
            traces.begin(received, None).unwrap().end();
        }
    };
    end_spans(BATCH);
    until("an export waits for the collector", async || collector.arrived() == 1).await;
    end_spans(2 * QUEUE);
    assert_eq!(app.get("/healthz").await.status, 200);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "something waited for the collector, which has ten seconds"
    );
    collector.behave(Manner::Takes);
    until("the queue is sent", async || collector.spans().len() >= QUEUE).await;
    app.service.stop().await;
    let taken = collector.spans().len();
    assert!((QUEUE..=QUEUE + BATCH).contains(&taken), "{taken}");
    collector.stop().await;
}
