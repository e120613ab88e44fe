//! Traces, by OpenTelemetry's conventions for HTTP: a span for each request that is answered and for each call to the upstream. They are
//! exported as OTLP (HTTP, protobuf) where `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector; elsewhere none is made. Spans wait for
//! the collector in a queue of limited length on a thread of their own, so that one that is slow or gone costs requests nothing.
//!
//! A trace is never continued at the upstream, which is somebody else's. No attribute has a secret or who asked.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use thiserror::Error;
use tokio::runtime::Handle;

use super::upstream_observer::{CallOutcome, UpstreamCall};
use crate::clock::Clock;
use crate::error::innermost;
use crate::settings::redact::redact;

/// The name of this service and of what makes its spans.
const NAME: &str = "jobindsats-bridge";
/// The attribute that names the service, and what OpenTelemetry has it begin with where nobody has named it.
const SERVICE_NAME: &str = "service.name";
const UNNAMED: &str = "unknown_service";
/// The header by which a request continues a trace.
const TRACEPARENT: &str = "traceparent";
/// How long the collector may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the end of the program waits for the collector.
const LAST_EXPORT: Duration = Duration::from_secs(2);
/// The most bytes that are read of the collector's answer.
const ANSWER_BYTES: usize = 64 * 1024;

/// Why traces cannot be exported.
#[derive(Debug, Error)]
#[error("OTEL_EXPORTER_OTLP_ENDPOINT: traces cannot be exported: {0}")]
pub enum TracesError {
    Exporter(#[from] ExporterBuildError),
    Client(#[from] reqwest::Error),
}

/// Where spans go; nowhere by default. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Arc<Exported>>);

#[derive(Debug)]
struct Exported {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// The request of another program that a request continues, as its `traceparent` says.
#[derive(Debug, Clone)]
pub struct Parent(SpanContext);

/// The span of a request that is answered. Clones share it.
#[derive(Debug, Clone)]
pub struct ServerSpan {
    context: Context,
    method: &'static str,
}

/// What is known of a request before it is answered.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// `_OTHER` if it is none of the usual ones.
    pub method: &'static str,
    pub path: &'a str,
    /// The options without secrets.
    pub query: &'a str,
    pub request_id: &'a str,
}

impl Traces {
    /// Traces for a collector, from within a tokio runtime.
    ///
    /// # Errors
    /// When the address or what else the environment says of the exporter cannot be used.
    pub fn to(endpoint: &str) -> Result<Self, TracesError> {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let collector = Collector {
            http: http.timeout(TIMEOUT).build()?,
            runtime: Handle::current(),
            is_away: AtomicBool::new(false),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()?;
        let resource = resource(&Resource::builder().build());
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        let tracer = provider.tracer(NAME);
        Ok(Self(Some(Arc::new(Exported { provider, tracer }))))
    }

    /// Whether there is a collector.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the span of a request.
    #[must_use]
    pub fn begin(&self, received: Received<'_>, parent: Option<&Parent>) -> Option<ServerSpan> {
        let tracer = &self.0.as_ref()?.tracer;
        let attributes = [
            KeyValue::new("http.request.method", received.method),
            KeyValue::new("url.path", received.path.to_owned()),
            KeyValue::new("url.scheme", "http"),
            KeyValue::new("jobindsats_bridge.request_id", received.request_id.to_owned()),
        ];
        let query =
            (!received.query.is_empty()).then(|| KeyValue::new("url.query", received.query.to_owned()));
        let root = Context::new();
        let parent =
            parent.map_or(root.clone(), |Parent(parent)| root.with_remote_span_context(parent.clone()));
        let span = tracer
            .span_builder(received.method)
            .with_kind(SpanKind::Server)
            .with_attributes(attributes.into_iter().chain(query));
        let context = parent.with_span(tracer.build_with_context(span, &parent));
        Some(ServerSpan { context, method: received.method })
    }

    /// Adds the span of a call to the upstream that has just ended, below that of the request that it was made for.
    pub fn called(&self, call: &UpstreamCall, made_for: Option<&ServerSpan>) {
        let Some(exported) = &self.0 else { return };
        let ended = Clock::default().now();
        let began = chrono::TimeDelta::from_std(call.duration).map_or(ended, |took| ended - took);
        let failed = match call.outcome {
            CallOutcome::Status(status) if status < 400 => None,
            CallOutcome::Status(_) | CallOutcome::Timeout | CallOutcome::Connect => {
                Some(KeyValue::new("error.type", call.outcome.code().into_owned()))
            }
        };
        let status = match call.outcome {
            CallOutcome::Status(status) => {
                Some(KeyValue::new("http.response.status_code", i64::from(status)))
            }
            CallOutcome::Timeout | CallOutcome::Connect => None,
        };
        let template = format!("/{}", call.endpoint);
        let name = format!("GET {template}");
        let attributes = [
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("url.full", call.address.clone()),
            KeyValue::new("url.template", template),
        ];
        let attributes = attributes.into_iter().chain(server(&call.address));
        let is_failed = failed.is_some();
        let span = exported
            .tracer
            .span_builder(name)
            .with_kind(SpanKind::Client)
            .with_start_time(began)
            .with_attributes(attributes.chain(status).chain(failed));
        let root = Context::new();
        let parent = made_for.map_or(&root, |request| &request.context);
        let mut span = exported.tracer.build_with_context(span, parent);
        if is_failed {
            span.set_status(Status::error(call.outcome.code().into_owned()));
        }
        span.end_with_timestamp(ended.into());
    }

    /// Sends what is left to the collector, if it takes it soon.
    pub async fn stop(&self) {
        let Some(exported) = self.0.clone() else { return };
        let stop = move || exported.provider.shutdown_with_timeout(LAST_EXPORT);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(stop).await {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

impl Parent {
    /// Reads a `traceparent` of the W3C; `None` if it is none.
    #[must_use]
    pub fn read(traceparent: &str) -> Option<Self> {
        let parts: Vec<_> = traceparent.split('-').map(str::len).collect();
        // The library reads a number of any length.
        if !parts.starts_with(&[2, 32, 16, 2]) {
            return None;
        }
        let context =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent));
        let span = context.span().span_context().clone();
        span.is_valid().then_some(Self(span))
    }

    /// The id of the trace.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }
}

/// The one header that is read of a request.
struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

impl ServerSpan {
    /// The request was answered. `route` is the pattern that matched.
    pub fn answered(&self, route: Option<&str>, status: u16) {
        let span = self.context.span();
        if let Some(route) = route {
            span.update_name(format!("{} {route}", self.method));
            span.set_attribute(KeyValue::new("http.route", route.to_owned()));
        }
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 500 {
            span.set_attribute(KeyValue::new("error.type", status.to_string()));
            span.set_status(Status::error(String::new()));
        }
    }

    /// The answer was sent, or its client has left.
    pub fn end(&self) {
        self.context.span().end();
    }
}

/// The machine that an address leads to, and the port.
fn server(address: &str) -> impl Iterator<Item = KeyValue> + use<> {
    let url = reqwest::Url::parse(address).ok();
    let host = url.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
    let port = url.as_ref().and_then(reqwest::Url::port_or_known_default).map(i64::from);
    let host = host.map(|host| KeyValue::new("server.address", host));
    host.into_iter().chain(port.map(|port| KeyValue::new("server.port", port)))
}

/// What the collector is told of this program: what was found out, which includes what the environment says, and its own name where that
/// has none.
fn resource(found: &Resource) -> Resource {
    let name = found.get(&SERVICE_NAME.into());
    let is_unnamed = name.is_none_or(|name| name.as_str().starts_with(UNNAMED));
    Resource::builder_empty()
        .with_attributes(found.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(is_unnamed.then(|| KeyValue::new(SERVICE_NAME, NAME)))
        .build()
}

/// Sends spans to the collector, on the threads of the service: the one that waits for the answer has no runtime.
struct Collector {
    http: reqwest::Client,
    runtime: Handle,
    /// Whether the last spans could not be sent; that is logged once.
    is_away: AtomicBool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collector")
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.runtime.spawn(send(self.http.clone(), request)).await?;
        let failure = match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(response.status().to_string()),
            Err(error) => Some(redact(&innermost(&**error)).into_owned()),
        };
        match (self.is_away.swap(failure.is_some(), Ordering::Relaxed), failure) {
            (false, Some(error)) => {
                tracing::warn!(error, "the collector does not take traces; they are dropped until it does")
            }
            (true, None) => tracing::info!("the collector takes traces again"),
            (true, Some(_)) | (false, None) => {}
        }
        sent
    }
}

async fn send(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let boxed = |error: reqwest::Error| -> Box<dyn Error + Send + Sync> { error.without_url().into() };
    let mut answer = http.execute(request.try_into().map_err(boxed)?).await.map_err(boxed)?;
    let (mut body, status) = (Vec::new(), answer.status());
    while let Some(piece) = answer.chunk().await.map_err(boxed)? {
        body.extend_from_slice(&piece);
        if body.len() > ANSWER_BYTES {
            return Err("its answer is too long".into());
        }
    }
    Ok(Response::builder().status(status).body(Bytes::from(body))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_continued_only_where_its_header_is_whole() {
        let parent = Parent::read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "4bf92f3577b34da6a3ce929d0e0e4736",
        ] {
            assert!(Parent::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_service_has_its_own_name_unless_it_was_given_one() {
        for (given, expected) in [
            (None, NAME),
            (Some("unknown_service"), NAME),
            (Some("unknown_service:jobindsats-bridge"), NAME),
            (Some("tal"), "tal"),
        ] {
            let given = given.map(|name| KeyValue::new(SERVICE_NAME, name));
            let place = KeyValue::new("deployment.environment.name", "prøve");
            let found = Resource::builder_empty().with_attribute(place).with_attributes(given).build();
            let said = resource(&found);
            let of = |key: &'static str| said.get(&key.into()).map(|value| value.to_string());
            assert_eq!(of(SERVICE_NAME).as_deref(), Some(expected));
            assert_eq!(of("deployment.environment.name").as_deref(), Some("prøve"));
            assert_eq!(of("service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn nothing_is_begun_where_no_collector_is_named() {
        let received = Received { method: "GET", path: "/", query: "", request_id: "1" };
        assert!(Traces::default().begin(received, None).is_none());
    }
}
