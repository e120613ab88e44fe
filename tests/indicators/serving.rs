//! Indicators over HTTP: scrapes and remote reads of the whole service.

use std::time::Duration;

use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::Publish;
use prost::Message;

use crate::support::app::{Answer, App, AppOptions};

const PACKED: [(&str, &str); 2] =
    [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "snappy")];
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    queries: Vec<Query>,
    #[prost(int32, repeated, tag = "2")]
    accepted_response_types: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Query {
    #[prost(int64, tag = "1")]
    start: i64,
    #[prost(int64, tag = "2")]
    end: i64,
    #[prost(message, repeated, tag = "3")]
    matchers: Vec<Matcher>,
    #[prost(message, optional, tag = "4")]
    hints: Option<Hints>,
}

#[derive(Clone, PartialEq, Message)]
struct Matcher {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Hints {
    #[prost(int64, tag = "1")]
    step: i64,
    #[prost(int64, tag = "3")]
    start: i64,
    #[prost(int64, tag = "4")]
    end: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, repeated, tag = "1")]
    results: Vec<QueryResult>,
}

#[derive(Clone, PartialEq, Message)]
struct QueryResult {
    #[prost(message, repeated, tag = "1")]
    series: Vec<Series>,
}

#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    at: i64,
}

impl Series {
    /// The figure on a day.
    fn on(&self, day: &str) -> f64 {
        let at = noon(day);
        self.samples.iter().find(|sample| sample.at == at).unwrap_or_else(|| panic!("nothing on {day}")).value
    }
}

fn noon(day: &str) -> i64 {
    format!("{day}T12:00:00Z").parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis()
}

/// A query that evaluates at noon of every day, as Prometheus sends it.
fn daily(from: &str, to: &str, matchers: &[(i32, &str, &str)]) -> Query {
    let matcher =
        |&(kind, name, value): &(i32, &str, &str)| Matcher { kind, name: name.into(), value: value.into() };
    let (start, end) = (noon(from) - 300_000, noon(to));
    let hints = Some(Hints { step: DAY_MS, start, end });
    Query { start, end, matchers: matchers.iter().map(matcher).collect(), hints }
}

fn packed(queries: Vec<Query>) -> Vec<u8> {
    let request = Request { queries, accepted_response_types: vec![1, 0] };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}

/// A month of every series, by remote read.
pub async fn history(app: &App) -> Answer {
    read(app, daily("2026-06-01", "2026-06-30", &[])).await
}

async fn read(app: &App, query: Query) -> Answer {
    app.post("/api/v1/read", &PACKED, packed(vec![query])).await
}

async fn series(app: &App, query: Query) -> Vec<Series> {
    let answer = read(app, query).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        (answer.header("content-type"), answer.header("content-encoding")),
        (PACKED[0].1, PACKED[1].1)
    );
    let plain = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap();
    Response::decode(plain.as_slice()).unwrap().results.remove(0).series
}

async fn with_indicator() -> App {
    let app = App::start().await;
    assert!(app.service.state.indicators.refresh("ledige_personer").await);
    app
}

/// The country's figure of an indicator in a scrape.
fn figure_of(scrape: &str, indicator: &str) -> f64 {
    let start = format!("jobindsats_country_persons{{source=\"simulator\",indicator=\"{indicator}\"}} ");
    let figure = scrape.lines().find_map(|line| line.strip_prefix(&start));
    figure.unwrap_or_else(|| panic!("no figure of {indicator}: {scrape}")).parse().unwrap()
}

#[tokio::test]
async fn remote_read_answers_with_the_published_figures_of_every_month() {
    let app = with_indicator().await;
    let country = [(0, "__name__", "jobindsats_history_country_persons"), (0, "source", "simulator")];
    let found = series(&app, daily("2004-01-01", "2026-09-01", &country)).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].on("2026-06-15"), 110_854.0, "what Jobindsats published");
    let rows = app.all_rows("/odata/jobindsats/y25i01/Landet?$select=Fra,Antal_ledige_personer").await;
    assert!(rows.len() > 100, "{} months", rows.len());
    for row in rows {
        let published = row["Antal_ledige_personer"].as_f64().unwrap();
        assert_eq!(found[0].on(row["Fra"].as_str().unwrap()), published, "{row}");
    }
}

/// Answers of more than one block of snappy, and of several queries.
#[tokio::test]
async fn a_long_remote_read_is_written_in_pieces_and_read_whole() {
    let app = with_indicator().await;
    let wide = || daily("2025-01-01", "2026-09-01", &[]);
    let narrow = || daily("2026-06-01", "2026-06-30", &[(0, "area", "Læsø")]);
    let answer = app.post("/api/v1/read", &PACKED, packed(vec![narrow(), wide(), narrow()])).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let plain = snap::raw::Decoder::new().decompress_vec(&answer.body).unwrap();
    assert!(plain.len() > 1_000_000, "{}", plain.len());
    let results = Response::decode(plain.as_slice()).unwrap().results;
    let alone = [series(&app, narrow()).await, series(&app, wide()).await, series(&app, narrow()).await];
    assert_eq!(results.len(), 3);
    for (result, alone) in results.iter().zip(alone) {
        assert!(!alone.is_empty());
        // The markers that end a series are no numbers, and equal nothing.
        assert!(format!("{:?}", result.series) == format!("{alone:?}"), "the same series as alone");
    }
}

#[tokio::test]
async fn all_four_kinds_of_matchers_choose_series() {
    let app = with_indicator().await;
    let count = async |matchers: &[(i32, &str, &str)]| {
        let figures = [matchers, &[(0, "baseline", "")]].concat();
        series(&app, daily("2026-06-10", "2026-06-12", &figures)).await.len()
    };
    let name = "__name__";
    assert_eq!(count(&[(2, name, "jobindsats_history_(country|municipality)_persons")]).await, 99);
    assert_eq!(
        count(&[(2, name, "jobindsats_history_municipality")]).await,
        0,
        "a pattern matches whole names"
    );
    assert_eq!(count(&[(2, "area_code", "751|825")]).await, 2);
    assert_eq!(count(&[(0, "area", "Læsø")]).await, 1);
    assert_eq!(count(&[(0, "area_code", ""), (1, "indicator", "x")]).await, 1, "the country has no code");
    assert_eq!(count(&[(3, "area_code", ".+")]).await, 1);
    assert_eq!(count(&[(1, "source", "simulator")]).await, 0);
    assert_eq!(count(&[(0, "source", "jobindsats")]).await, 0);
}

#[tokio::test]
async fn a_pattern_means_what_it_means_to_go() {
    let app = with_indicator().await;
    let areas = async |pattern: &str| {
        let municipalities = "jobindsats_history_municipality_persons";
        let matchers = [(0, "__name__", municipalities), (0, "baseline", ""), (2, "area", pattern)];
        series(&app, daily("2026-06-10", "2026-06-12", &matchers)).await.len()
    };
    assert_eq!(areas(r"\w+").await, 66, "names of ASCII letters alone");
    assert_eq!(areas(r"\pL+").await, 93);
    assert_eq!(areas("{foo}").await, 0);
    assert_eq!(areas("[[]x|Aarhus").await, 1);
    assert_eq!(areas(r"\QAarhus\E|\QLyngby-Taarbæk\E").await, 2);
    assert_eq!(areas("[^a&&b]+").await, areas("[^&ab]+").await);
}

#[tokio::test]
async fn changes_are_series_of_their_own_beside_the_figures() {
    let app = with_indicator().await;
    let of = async |name: &str, baseline: &str| {
        let matchers = [(0, "__name__", name), (0, "baseline", baseline)];
        series(&app, daily("2025-01-01", "2026-07-31", &matchers)).await
    };
    let figures = of("jobindsats_history_country_persons", "").await;
    let changes = of("jobindsats_history_country_change_ratio", "year_before").await;
    let change = |day: &str, before: &str| figures[0].on(day) / figures[0].on(before) - 1.0;
    for (day, before) in
        [("2026-06-01", "2025-06-01"), ("2026-06-30", "2025-06-30"), ("2026-07-31", "2025-07-01")]
    {
        let expected = change(day, before);
        let found = changes[0].on(day);
        assert!((found - expected).abs() < 1e-12, "{day}: {found}, expected {expected}");
    }
    assert_eq!(of("jobindsats_history_municipality_change_ratio", "previous_period").await.len(), 98);
}

#[tokio::test]
async fn revised_figures_show_at_once() {
    let app = with_indicator().await;
    let country = [(0, "__name__", "jobindsats_history_country_persons")];
    let query = || daily("2026-05-01", "2026-07-31", &country);
    let before = series(&app, query()).await[0].on("2026-06-30");
    let publish = Publish { table: "y25i01".to_owned(), revise_published: true, after_data_requests: 0 };
    app.upstream().publish(&publish).unwrap();
    app.clock.advance(Duration::from_secs(25 * 3600));
    assert!(app.service.state.indicators.refresh("ledige_personer").await);
    assert_ne!(series(&app, query()).await[0].on("2026-06-30"), before);
    let revised = app.get("/odata/Revisions").await.rows();
    let count = format!("\njobindsats_bridge_revised_figures_total {}\n", revised.len());
    assert!(!revised.is_empty() && app.get("/metrics").await.text().contains(&count), "each is counted once");
}

#[tokio::test]
async fn a_body_that_is_no_remote_read_is_refused_with_a_sentence() {
    let app = App::start().await;
    let refused = async |headers: &[(&str, &str)], body: Vec<u8>, status: u16, word: &str| {
        let answer = app.post("/api/v1/read", headers, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(word) && answer.text().contains(". ("), "{}", answer.text());
    };
    let good = || packed(vec![daily("2026-06-10", "2026-06-12", &[])]);
    refused(&[("Content-Type", "application/json")], good(), 415, "content-type").await;
    refused(&PACKED[..1], good(), 415, "content-encoding").await;
    refused(&PACKED, b"not snappy".to_vec(), 400, "snappy").await;
    refused(&PACKED, Vec::new(), 400, "snappy").await;
    let cut = good().len() - 3;
    refused(&PACKED, good()[..cut].to_vec(), 400, "snappy").await;
    let garbage = snap::raw::Encoder::new().compress_vec(&[0xff; 64]).unwrap();
    refused(&PACKED, garbage, 400, "protobuf").await;
    refused(&PACKED, vec![0; 1024 * 1024 + 1], 413, "larger").await;
    let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 16 * 1024 * 1024]).unwrap();
    assert!(bomb.len() < 1024 * 1024);
    refused(&PACKED, bomb, 413, "larger").await;
    refused(&PACKED, vec![0xff, 0xff, 0xff, 0xff, 0x0f], 413, "larger").await;
    refused(&PACKED, packed(vec![daily("2026-06-10", "2026-06-12", &[]); 33]), 400, "33 queries").await;
    let patterns = daily("2026-06-10", "2026-06-12", &[(2, "area", r"\pL{20}"), (3, "area", "x")]);
    let more = Query {
        matchers: [patterns.matchers.clone(), patterns.matchers.clone()].concat(),
        ..patterns.clone()
    };
    let many = [vec![patterns; 31], vec![more]].concat();
    refused(&PACKED, packed(many), 400, "66 regular expressions").await;
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused_with_a_sentence() {
    let app = with_indicator().await;
    let day = "2026-06-10";
    let fine = Query {
        hints: Some(Hints { step: 1, ..daily("2004-01-01", day, &[]).hints.unwrap() }),
        ..daily("2004-01-01", day, &[])
    };
    let cases = [
        (daily("2026-06-12", day, &[]), "before its start"),
        (daily(day, day, &[(2, "area", "(")]), "`area`"),
        (daily(day, day, &[(3, "area", "(a{1000}){1000}")]), "`area`"),
        (daily(day, day, &[(2, "area", r"\C")]), "invalid escape sequence"),
        (daily(day, day, &[(2, "area", "(?=a)")]), "Perl syntax"),
        (daily(day, day, &[(7, "area", "x")]), "unknown kind 7"),
        (daily(day, day, &[(0, "area", ""); 65]), "65 matchers"),
        (fine, "samples"),
    ];
    for (query, word) in cases {
        let answer = read(&app, query).await;
        assert_eq!(answer.status, 400, "{word}: {}", answer.text());
        assert!(answer.text().contains(word) && answer.text().contains(". ("), "{}", answer.text());
    }
    assert_eq!(app.get("/api/v1/read").await.status, 405);
}

#[tokio::test]
async fn a_look_up_without_start_and_end_finds_every_series() {
    let app = with_indicator().await;
    let name = [(0, "__name__", "jobindsats_history_municipality_persons"), (0, "baseline", "")];
    let month = daily("2026-06-01", "2026-06-30", &name);
    // What Prometheus sends for /api/v1/series without a start.
    let ever = Query { start: -9_223_309_901_257_974_000, end: i64::MAX, ..month.clone() };
    let hints = Hints { start: i64::MIN, end: i64::MAX, step: 0 };
    assert_eq!(series(&app, Query { hints: Some(hints), ..ever.clone() }).await.len(), 98);
    assert_eq!(series(&app, Query { hints: None, ..ever }).await.len(), 98);
    let nothing = Hints { start: 0, end: 0, step: 0 };
    let without = series(&app, Query { hints: None, ..month.clone() }).await;
    assert!(!without.is_empty());
    assert_eq!(series(&app, Query { hints: Some(nothing), ..month }).await, without);
}

#[tokio::test]
async fn a_reader_that_takes_no_samples_is_told_so() {
    let app = App::start().await;
    for (accepted, status) in
        [(vec![], 200), (vec![0], 200), (vec![1, 0], 200), (vec![1], 400), (vec![7], 400)]
    {
        let request = Request {
            queries: vec![daily("2026-06-10", "2026-06-12", &[])],
            accepted_response_types: accepted,
        };
        let body = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
        let answer = app.post("/api/v1/read", &PACKED, body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(status == 200 || answer.text().contains("SAMPLES"), "{}", answer.text());
    }
}

#[tokio::test]
async fn stored_figures_past_their_age_are_no_refresh() {
    let app = with_indicator().await;
    let figure = figure_of(&app.get("/metrics/indicators").await.text(), "ledige_personer");
    let mut faults = app.upstream().faults();
    faults.server_error = 1_000;
    app.upstream().set_faults(faults);
    app.clock.advance(Duration::from_secs(25 * 3600));
    assert!(!app.service.state.indicators.refresh("ledige_personer").await, "nothing fresher was to be had");
    let scrape = app.get("/metrics/indicators").await.text();
    assert!(scrape.contains("jobindsats_indicator_up{indicator=\"ledige_personer\"} 0\n"));
    assert!(scrape.contains("indicator=\"ledige_personer\",reason=\"http_5xx\"} 1\n"));
    assert_eq!(figure_of(&scrape, "ledige_personer"), figure);
}

const TWO: &str = r#"{"indicators": [
    {"id": "ledige", "title": "Ledige", "table": "y25i01", "measure": "Antal ledige personer", "period_type": "M", "quantity": "persons"},
    {"id": "andre", "title": "A", "table": "y25i03", "measure": "Antal fuldtidsledige (sæsonkorrigeret)", "period_type": "M", "quantity": "full_time_persons", "levels": ["country"]}
]}"#;

#[tokio::test]
async fn a_reload_takes_other_indicators_into_use_and_a_broken_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("indicators.json");
    std::fs::write(&file, TWO).unwrap();
    let mut options = AppOptions::default();
    options.settings = BridgeSettings { indicators: Some(file.clone()), ..options.settings };
    let app = App::with(options).await;
    for id in ["ledige", "andre"] {
        assert!(app.service.state.indicators.refresh(id).await, "{id}");
    }
    let scrape = async || app.get("/metrics/indicators").await.text();
    let reloaded = async || {
        let text = app.get("/metrics").await.text();
        text.lines()
            .find_map(|line| line.strip_prefix("jobindsats_bridge_config_last_reload_successful "))
            .unwrap()
            == "1"
    };
    let before = scrape().await;
    let figure = figure_of(&before, "ledige");
    assert!(reloaded().await);

    std::fs::write(&file, TWO.replace("full_time_persons", "fuldtid")).unwrap();
    let faults = app.service.reload();
    assert!(faults.len() == 1 && faults[0].to_string().contains("fuldtid"), "{faults:?}");
    assert_eq!(scrape().await, before, "a broken file changes nothing");
    assert!(!reloaded().await);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(app.service.reload().len(), 1);

    let changed = TWO.replace("\"andre\"", "\"nye\"").replace("\"Ledige\"", "\"Ledige i alt\"");
    std::fs::write(&file, changed).unwrap();
    assert!(app.service.reload().is_empty());
    let after = scrape().await;
    assert_eq!(figure_of(&after, "ledige"), figure, "what stands stays served");
    assert!(after.contains("title=\"Ledige i alt\"") && reloaded().await);
    assert!(after.contains("jobindsats_indicator_up{indicator=\"nye\"} 0\n") && !after.contains("\"andre\""));
}

#[tokio::test]
async fn a_retired_table_and_a_renamed_measure_take_down_their_own_indicators_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("indicators.json");
    let mut indicators: serde_json::Value = serde_json::from_str(TWO).unwrap();
    let all = indicators["indicators"].as_array_mut().unwrap();
    let mut renamed = all[0].clone();
    (renamed["id"], renamed["measure"]) = ("omdoebt".into(), "Antal ledige mennesker".into());
    all[1]["table"] = "y99x99".into();
    all.push(renamed);
    std::fs::write(&file, indicators.to_string()).unwrap();
    let mut options = AppOptions::default();
    options.settings = BridgeSettings { indicators: Some(file), ..options.settings };
    let app = App::with(options).await;
    let indicators = &app.service.state.indicators;
    let mut up = Vec::new();
    for id in ["ledige", "andre", "omdoebt"] {
        up.push(indicators.refresh(id).await);
    }
    assert_eq!(up, [true, false, false]);
    let scrape = app.get("/metrics/indicators").await.text();
    figure_of(&scrape, "ledige");
    for id in ["andre", "omdoebt"] {
        assert!(scrape.contains(&format!("jobindsats_indicator_up{{indicator=\"{id}\"}} 0\n")));
        assert!(scrape.contains(&format!("indicator=\"{id}\",reason=\"validation\"}} 1\n")));
    }
    let snapshot = indicators.published().snapshot.clone();
    let reason = |id: &str| snapshot.indicator(id).unwrap().health.last_failure.clone().unwrap();
    assert!(reason("andre").contains("y99x99"), "{}", reason("andre"));
    assert!(reason("omdoebt").contains("did you mean `Antal ledige personer`"), "{}", reason("omdoebt"));
}
