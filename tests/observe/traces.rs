//! Traces, as a collector receives them: a server of the test's that reads protobuf.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::{App as Server, HttpRequest, HttpResponse, HttpServer, web};
use jobindsats_bridge::observe::traces::Traces;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;

use crate::support::app::{App, AppOptions};

const ROWS: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A collector, and what it has received.
struct Collector {
    url: String,
    received: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    server: ServerHandle,
}

type Received = web::Data<Mutex<Vec<ExportTraceServiceRequest>>>;

async fn receive(request: HttpRequest, body: web::Bytes, received: Received) -> HttpResponse {
    assert_eq!(request.headers().get("content-type").unwrap(), "application/x-protobuf");
    received.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
    HttpResponse::Ok().content_type("application/x-protobuf").finish()
}

impl Collector {
    async fn start() -> Self {
        let received = web::Data::new(Mutex::new(Vec::new()));
        let kept = Received::clone(&received);
        let routes =
            move || Server::new().app_data(kept.clone()).route("/v1/traces", web::post().to(receive));
        let server = HttpServer::new(routes).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let (url, server) = (format!("http://{}", server.addrs()[0]), server.run());
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, received: received.into_inner(), server: handle }
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().unwrap();
        let resources = received.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }
}

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
    let resource = collector.received.lock().unwrap()[0].resource_spans[0].resource.clone().unwrap();
    assert_eq!(attributes(&resource.attributes)["service.name"], "jobindsats-bridge");
    collector.server.stop(false).await;
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
    collector.server.stop(false).await;
}

#[actix_web::test]
async fn a_collector_that_is_gone_or_never_answers_costs_requests_nothing() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Connections to it are accepted by the system, and nobody reads them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [gone, silent.local_addr().unwrap()] {
        let app = app(Traces::to(&format!("http://{address}")).unwrap(), "192.0.2.1").await;
        // Far more spans than wait for a collector.
        for _ in 0..300 {
            assert_eq!(app.get("/healthz").await.status, 200);
        }
        let began = Instant::now();
        app.service.stop().await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}
