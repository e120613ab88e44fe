//! Metrics about this process, in a Prometheus registry: calls to the upstream, cells in store, requests answered. The gauges of
//! indicators are not here; they are rendered from a snapshot by `indicators/exposition.rs`.
//!
//! A label's value comes from a fixed list or from the route pattern, never from the text of a request, so that clients cannot
//! create series.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::{
    Counter, Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::budget::work::WorkStatistics;
use crate::budget::{Budget, Resource, Share, Spent};
use crate::observe::process::{PanicCollector, ProcessCollector};
use crate::observe::request::known_method;
use crate::observe::store_observer::StoreObserver;
use crate::observe::upstream_observer::{UpstreamCall, UpstreamObserver};

/// The media type of Prometheus' text format.
pub const EXPOSITION_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The value of the label `route` for requests that match no route.
pub const UNMATCHED_ROUTE: &str = "unmatched";

const UPSTREAM_SECONDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
const HTTP_SECONDS: [f64; 11] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 100.0];
const BUDGET_LABELS: &[&str] = &["resource", "share"];
const STAGE_SECONDS: [f64; 11] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The process' metrics. Counting never fails and never blocks.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    upstream_requests: IntCounterVec,
    upstream_duration: HistogramVec,
    upstream_in_flight: IntGauge,
    upstream_circuit_open: IntGauge,
    cache_requests: IntCounter,
    cache_hits: IntCounter,
    cache_stale_served: IntCounter,
    cache_evictions: IntCounter,
    cache_entries: IntGauge,
    cache_size_bytes: IntGauge,
    disk_entries: IntGauge,
    disk_size_bytes: IntGauge,
    disk_writable: IntGauge,
    disk_damaged_files: IntCounter,
    revised_figures: IntCounter,
    budget_limit: IntGaugeVec,
    budget_used: IntGaugeVec,
    budget_refusals: IntCounterVec,
    answers_processor_seconds: Counter,
    answers_too_much_work: IntCounter,
    peers_alive: IntGauge,
    peers_expected: IntGauge,
    peers_blocks: IntCounterVec,
    read_ahead: IntCounterVec,
    read_ahead_ready: IntGauge,
    read_ahead_left: IntGauge,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    stage_duration: HistogramVec,
    reload_successful: IntGauge,
    reload_success: Gauge,
}

/// A running call to the upstream. Dropping it, also when the call is cancelled, lowers the gauge again.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Makes metrics and registers each.
struct Builder(Registry);

impl Metrics {
    /// Registers every metric. Fails only if two had the same name.
    pub fn new(version: &str, revision: &str) -> Result<Self, prometheus::Error> {
        let make = Builder::with_process()?;
        make.build_info(version, revision)?;
        make.register(PanicCollector::new(
            "jobindsats_bridge_panics_total",
            "Defects of the program that ended a request or a part of the work in the background.",
        )?)?;
        Ok(Self {
            upstream_requests: make.counters(
                "upstream_requests_total",
                "Calls to Jobindsats.",
                &["endpoint", "code"],
            )?,
            upstream_duration: make.histograms(
                "upstream_request_duration_seconds",
                "How long calls to Jobindsats took.",
                "endpoint",
                &UPSTREAM_SECONDS,
            )?,
            upstream_in_flight: make
                .gauge("upstream_in_flight_requests", "Calls to Jobindsats that are under way.")?,
            upstream_circuit_open: make.gauge(
                "upstream_circuit_open",
                "Whether calls to Jobindsats are held back after failures (1) or not (0).",
            )?,
            cache_requests: make
                .counter("cache_requests_total", "Times that stored figures were looked for.")?,
            cache_hits: make.counter("cache_hits_total", "Times that fresh stored figures were found.")?,
            cache_stale_served: make.counter(
                "cache_stale_served_total",
                "Times that figures past their age were served because Jobindsats did not answer.",
            )?,
            cache_evictions: make.counter(
                "cache_evictions_total",
                "Blocks of figures that were let go from memory to make room.",
            )?,
            cache_entries: make.gauge("cache_entries", "Blocks of figures in memory.")?,
            cache_size_bytes: make.gauge("cache_size_bytes", "Bytes of figures in memory.")?,
            disk_entries: make.gauge("disk_entries", "Blocks of figures on disk.")?,
            disk_size_bytes: make.gauge("disk_size_bytes", "Bytes of figures on disk, and of files made of them.")?,
            disk_writable: make.gauge(
                "disk_writable",
                "Whether the last block of figures could be written to disk (1) or memory is all there is (0).",
            )?,
            disk_damaged_files: make.counter(
                "disk_damaged_files_total",
                "Stored files of figures, or of their revisions, that could not be used.",
            )?,
            revised_figures: make.counter(
                "revised_figures_total",
                "Published figures that were seen to change after they had been stored.",
            )?,
            answers_processor_seconds: make.register(Counter::with_opts(Builder::opts(
                "answers_processor_seconds_total",
                "Processor time spent on answers.",
            ))?)?,
            answers_too_much_work: make.counter(
                "answers_too_much_work_total",
                "Requests that were ended because they used too much processor time or wrote too much text.",
            )?,
            budget_limit: make.gauges("budget_limit", "How much there is of a budget.", BUDGET_LABELS)?,
            budget_used: make.gauges(
                "budget_used",
                "How much of a budget is used; where each client has its own, by the one that uses most, and of what several bridges share, by all.",
                BUDGET_LABELS,
            )?,
            budget_refusals: make.counters(
                "budget_refusals_total",
                "Times that something was refused because a budget did not suffice.",
                BUDGET_LABELS,
            )?,
            peers_alive: make.gauge(
                "peers_alive",
                "Bridges that share a Redis and are alive, as this one sees them; 1 while it cannot reach them.",
            )?,
            peers_expected: make.gauge(
                "peers_expected",
                "Bridges that share a Redis, by the settings; 0 where none is shared.",
            )?,
            peers_blocks: make.counters(
                "peers_blocks_total",
                "Blocks of figures that other bridges were told of, and that were taken over from them.",
                &["direction"],
            )?,
            read_ahead: make.counters(
                "read_ahead_total",
                "Blocks of figures that were read before people asked for them, and those that could not be.",
                &["outcome"],
            )?,
            read_ahead_ready: make.gauge(
                "read_ahead_ready",
                "Blocks of figures in frequent use that are fresh in store.",
            )?,
            read_ahead_left: make.gauge(
                "read_ahead_left",
                "Blocks of figures in frequent use that are not fresh and are yet to be read ahead.",
            )?,
            http_requests: make.counters(
                "http_requests_total",
                "Requests answered.",
                &["route", "method", "code"],
            )?,
            http_duration: make.histograms(
                "http_request_duration_seconds",
                "How long requests took to answer.",
                "route",
                &HTTP_SECONDS,
            )?,
            stage_duration: make.histograms(
                "stage_duration_seconds",
                "How long the stages of answering a request took, each summed over the request.",
                "stage",
                &STAGE_SECONDS,
            )?,
            reload_successful: make.gauge(
                "config_last_reload_successful",
                "Whether the last reading of the configuration succeeded (1) or the earlier one is still used (0).",
            )?,
            reload_success: make.decimal_gauge(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration was last read successfully.",
            )?,
            registry: make.0,
        })
    }

    /// A call to the upstream begins.
    #[must_use]
    pub fn upstream_started(&self) -> InFlight {
        self.upstream_in_flight.inc();
        InFlight(self.upstream_in_flight.clone())
    }

    /// A call to the upstream is over. The code is its HTTP status, or a word for why there is none.
    pub fn upstream_call(&self, endpoint: &'static str, code: &str, took: Duration) {
        self.upstream_requests.with_label_values(&[endpoint, code]).inc();
        self.upstream_duration.with_label_values(&[endpoint]).observe(took.as_secs_f64());
    }

    /// Whether calls are held back after failures.
    pub fn circuit(&self, open: bool) {
        self.upstream_circuit_open.set(i64::from(open));
    }

    /// Stored figures were looked for.
    pub fn cache_request(&self, hit: bool) {
        self.cache_requests.inc();
        if hit {
            self.cache_hits.inc();
        }
    }

    /// Figures older than their lifetime were served.
    pub fn cache_stale_served(&self) {
        self.cache_stale_served.inc();
    }

    /// How many blocks are in memory.
    pub fn cache_size(&self, entries: usize, bytes: usize) {
        self.cache_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.cache_size_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// How many blocks are on disk.
    pub fn disk_size(&self, entries: usize, bytes: u64) {
        self.disk_entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.disk_size_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// How budgets stand.
    pub fn budgets(&self, budgets: &[Arc<dyn Budget>]) {
        for budget in budgets {
            let labels = [budget.resource().as_str(), budget.share().as_str()];
            let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            self.budget_limit.with_label_values(&labels).set(gauge(budget.limit()));
            self.budget_used.with_label_values(&labels).set(gauge(budget.used()));
            let refusals = self.budget_refusals.with_label_values(&labels);
            refusals.inc_by(budget.refusals().saturating_sub(refusals.get()));
        }
    }

    /// What answers have used.
    pub fn work(&self, work: &WorkStatistics) {
        let more = work.seconds() - self.answers_processor_seconds.get();
        self.answers_processor_seconds.inc_by(more.max(0.0));
        self.answers_too_much_work.inc_by(work.refused().saturating_sub(self.answers_too_much_work.get()));
    }

    /// How this bridge stands to the others.
    pub fn peers(&self, alive: usize, expected: usize, told: u64, taken_over: u64) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.peers_alive.set(gauge(alive));
        self.peers_expected.set(gauge(expected));
        for (direction, count) in [("told", told), ("taken_over", taken_over)] {
            let blocks = self.peers_blocks.with_label_values(&[direction]);
            blocks.inc_by(count.saturating_sub(blocks.get()));
        }
    }

    /// What all bridges spent together of the budgets that they share.
    pub fn spent_by_all(&self, spent: Spent) {
        for (resource, spent) in Resource::OF_REQUESTS.iter().zip(spent) {
            let Some(spent) = spent else { continue };
            let labels = [resource.as_str(), Share::Everybody.as_str()];
            self.budget_used.with_label_values(&labels).set(i64::try_from(spent).unwrap_or(i64::MAX));
        }
    }

    /// A block was read ahead, or could not be.
    pub fn read_ahead(&self, succeeded: bool) {
        let outcome = if succeeded { "read" } else { "failed" };
        self.read_ahead.with_label_values(&[outcome]).inc();
    }

    /// How many of the blocks in frequent use are fresh, and how many are not yet.
    pub fn read_ahead_progress(&self, ready: usize, left: usize) {
        self.read_ahead_ready.set(i64::try_from(ready).unwrap_or(i64::MAX));
        self.read_ahead_left.set(i64::try_from(left).unwrap_or(i64::MAX));
    }

    /// A request was answered. `route` is the pattern that matched; scrapes of `/metrics` are not counted.
    pub fn http_request(&self, route: Option<&str>, method: &str, code: u16, took: Duration) {
        let route = route.unwrap_or(UNMATCHED_ROUTE);
        let method = known_method(method).unwrap_or("other");
        self.http_requests.with_label_values(&[route, method, &code.to_string()]).inc();
        self.http_duration.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// A request has spent that long in a stage.
    pub fn stage(&self, stage: &'static str, took: Duration) {
        self.stage_duration.with_label_values(&[stage]).observe(took.as_secs_f64());
    }

    /// Whether the configuration that is used is the one that was set last.
    #[must_use]
    pub fn configuration_is_current(&self) -> bool {
        self.reload_successful.get() == 1
    }

    /// The configuration was read, at the start or again; `None` if it could not be used.
    pub fn configuration_read(&self, succeeded_at: Option<DateTime<Utc>>) {
        self.reload_successful.set(i64::from(succeeded_at.is_some()));
        if let Some(instant) = succeeded_at {
            self.reload_success.set(instant.timestamp_millis() as f64 / 1000.0);
        }
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be rendered in full");
        }
        text
    }
}

impl Builder {
    /// With what the system tells of the process, whatever that is.
    fn with_process() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector))?;
        Ok(Self(registry))
    }

    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(name, help).namespace("jobindsats").subsystem("bridge")
    }

    fn register<M: prometheus::core::Collector + Clone + 'static>(
        &self,
        metric: M,
    ) -> Result<M, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::with_opts(Self::opts(name, help))?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Self::opts(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::with_opts(Self::opts(name, help))?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Self::opts(name, help), labels)?)
    }

    fn decimal_gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.register(Gauge::with_opts(Self::opts(name, help))?)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        label: &str,
        seconds: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        let opts = HistogramOpts::from(Self::opts(name, help)).buckets(seconds.to_vec());
        self.register(HistogramVec::new(opts, &[label])?)
    }

    fn build_info(&self, version: &str, revision: &str) -> Result<(), prometheus::Error> {
        let opts = Self::opts("build_info", "Which build this is; always 1.");
        let info = self.register(GaugeVec::new(opts, &["version", "revision"])?)?;
        info.with_label_values(&[version, revision]).set(1.0);
        Ok(())
    }
}

impl UpstreamObserver for Metrics {
    fn upstream_started(&self) -> Box<dyn Send> {
        Box::new(Metrics::upstream_started(self))
    }

    fn upstream_call(&self, call: &UpstreamCall) {
        Metrics::upstream_call(self, call.endpoint.as_str(), &call.outcome.code(), call.duration);
    }

    fn upstream_circuit(&self, open: bool) {
        self.circuit(open);
    }
}

impl StoreObserver for Metrics {
    fn store_request(&self, found: bool) {
        self.cache_request(found);
    }

    fn stale_served(&self) {
        self.cache_stale_served();
    }

    fn evicted(&self, blocks: usize) {
        self.cache_evictions.inc_by(blocks as u64);
    }

    fn damaged_file(&self) {
        self.disk_damaged_files.inc();
    }

    fn disk_writable(&self, writable: bool) {
        self.disk_writable.set(i64::from(writable));
    }

    fn figures_revised(&self, figures: usize) {
        self.revised_figures.inc_by(figures as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        String::from_utf8(metrics.render()).unwrap()
    }

    #[test]
    fn what_happens_is_counted_under_names_from_fixed_lists() {
        let metrics = Metrics::new("1.2.3", "abc").unwrap();
        metrics.upstream_call("data", "200", Duration::from_millis(300));
        metrics.http_request(Some("/odata/{table}"), "GET", 200, Duration::from_millis(3));
        metrics.http_request(None, "PROPFIND", 404, Duration::ZERO);
        metrics.cache_request(true);
        metrics.cache_request(false);
        let text = text(&metrics);
        for line in [
            r#"jobindsats_bridge_build_info{revision="abc",version="1.2.3"} 1"#,
            r#"jobindsats_bridge_upstream_requests_total{code="200",endpoint="data"} 1"#,
            r#"jobindsats_bridge_upstream_request_duration_seconds_bucket{endpoint="data",le="0.25"} 0"#,
            r#"jobindsats_bridge_upstream_request_duration_seconds_bucket{endpoint="data",le="0.5"} 1"#,
            r#"jobindsats_bridge_http_requests_total{code="200",method="GET",route="/odata/{table}"} 1"#,
            r#"jobindsats_bridge_http_requests_total{code="404",method="other",route="unmatched"} 1"#,
            "jobindsats_bridge_cache_requests_total 2",
            "jobindsats_bridge_cache_hits_total 1",
            "jobindsats_bridge_cache_stale_served_total 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_call_is_in_flight_until_it_is_let_go() {
        let metrics = Metrics::new("1", "a").unwrap();
        let call = metrics.upstream_started();
        assert!(text(&metrics).contains("\njobindsats_bridge_upstream_in_flight_requests 1\n"));
        drop(call);
        assert!(text(&metrics).contains("\njobindsats_bridge_upstream_in_flight_requests 0\n"));
    }

    #[test]
    fn a_failed_reload_keeps_the_time_of_the_last_good_one() {
        let metrics = Metrics::new("1", "a").unwrap();
        metrics.configuration_read(DateTime::from_timestamp(1_700_000_000, 500_000_000));
        metrics.configuration_read(None);
        let text = text(&metrics);
        assert!(text.contains("\njobindsats_bridge_config_last_reload_successful 0\n"));
        assert!(
            text.contains("\njobindsats_bridge_config_last_reload_success_timestamp_seconds 1700000000.5\n")
        );
    }
}
