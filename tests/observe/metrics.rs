//! `docs/metrics.md` is written by this test and held to it: a row for each metric that a scrape can have. `UPDATE_DOCS=1` writes the
//! page anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use jobindsats_bridge::budget::upstream::{HourlyLimits, UpstreamBudgets};
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::indicators::exposition;
use jobindsats_bridge::observe::metrics::Metrics;

use crate::support::app::App;

const HEAD: &str = "# Metrics

A test writes this page from the source and holds it to it. What they are for, and how to read them: [prometheus.md](prometheus.md).

## `/metrics`

The program itself. A label's value is one of a fixed list or a route's pattern, so that clients cannot make series.

| metric | type | labels | what it is |
|---|---|---|---|
";

const PROCESS: &str = "
On Linux also the usual metrics of a process:

| metric | type | what it is |
|---|---|---|
";

const INDICATORS: &str = "
## `/metrics/indicators`

The figures of indicators, by kind of area and unit: `source` says whether they are the databank's, `indicator` which indicator it is, and
below the country `area_code` and `area` which place; changes also have the `baseline` that they are measured from. All others have
`indicator`, and some a label that the last column names. A metric without figures has no sample.

| metric | type | what it is |
|---|---|---|
";

const HISTORY: &str = "
## `/api/v1/read`

Remote read has the history of each gauge of figures and of changes above, under `jobindsats_history_…` in place of `jobindsats_…`:
[history](prometheus.md#history).
";

/// The families of a scrape: name, type and help.
fn families(scrape: &str) -> Vec<(String, String, String)> {
    let lines = scrape.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let kind = |name: &str| {
        let begins = format!("# TYPE {name} ");
        scrape.lines().find_map(|line| line.strip_prefix(&begins)).unwrap().to_owned()
    };
    lines.map(|(name, help)| (name.to_owned(), kind(name), help.to_owned())).collect()
}

/// Metrics of which each has a sample.
fn with_samples() -> Metrics {
    let metrics = Metrics::new("0", "0").unwrap();
    metrics.upstream_call("data", "200", Duration::ZERO);
    metrics.read_ahead(true);
    metrics.http_request(None, "GET", 200, Duration::ZERO);
    metrics.stage("parse", Duration::ZERO);
    metrics.peers(2, 2, 1, 1);
    let limits = HourlyLimits { calls: Some(1), cells: Some(1) };
    metrics.budgets(&UpstreamBudgets::new(limits, limits, &Clock::default()).iter().collect::<Vec<_>>());
    metrics
}

/// How many metrics the source makes.
fn made() -> usize {
    let source = include_str!("../../src/observe/metrics.rs").replace(char::is_whitespace, "");
    ["counter", "counters", "gauge", "gauges", "decimal_gauge", "histograms", "register", "build_info"]
        .iter()
        .map(|kind| source.matches(&format!("make.{kind}(")).count())
        .sum()
}

/// The labels of a family's samples, but for the bounds of a histogram.
fn labels(scrape: &str, name: &str) -> String {
    let is_of = |line: &&str| ["{", "_bucket{"].iter().any(|mark| line.starts_with(&format!("{name}{mark}")));
    let labels = scrape.lines().find(is_of).and_then(|line| line.split_once('{')?.1.split_once('}'));
    let names = labels.map_or("", |(labels, _)| labels).split(',').filter_map(|label| label.split_once('='));
    let names = names.map(|(name, _)| name).filter(|name| *name != "le");
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[actix_web::test]
async fn the_page_of_metrics_has_a_row_for_each() {
    let mut page = HEAD.to_owned();
    let scrape = String::from_utf8(with_samples().render()).unwrap();
    let own: Vec<_> =
        families(&scrape).into_iter().filter(|(name, ..)| name.starts_with("jobindsats_bridge_")).collect();
    assert_eq!(own.len(), made(), "one of them has no sample in this test");
    for (name, kind, help) in &own {
        writeln!(page, "| `{name}` | {kind} | {} | {help} |", labels(&scrape, name)).unwrap();
    }
    page.push_str(PROCESS);
    let app = App::start().await;
    let scraped = families(&app.get("/metrics").await.text());
    let mut process: Vec<_> = scraped.iter().filter(|(name, ..)| name.starts_with("process_")).collect();
    process.sort();
    assert!(!process.is_empty());
    for (name, kind, help) in process {
        writeln!(page, "| `{name}` | {kind} | {help} |").unwrap();
    }
    page.push_str(INDICATORS);
    for (name, kind, help) in exposition::described() {
        writeln!(page, "| `{name}` | {kind} | {help} |").unwrap();
    }
    page.push_str(HISTORY);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it anew");
}

#[actix_web::test]
async fn a_scrape_has_no_metric_that_the_page_does_not_list() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let listed: BTreeSet<_> = page.split('`').skip(1).step_by(2).collect();
    let app = App::start().await;
    assert_eq!(app.get("/odata/jobindsats/y25i01/Landet?$top=1").await.status, 200);
    assert!(app.service.state.indicators.refresh("ledige_personer").await);
    let mut seen = 0;
    for path in ["/metrics", "/metrics/indicators"] {
        for (name, ..) in families(&app.get(path).await.text()) {
            assert!(listed.contains(name.as_str()), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} metrics");
}
