//! All faults of the upstream, each with an empty store, with fresh figures and with old figures: the error that a client gets, and
//! the number of upstream calls. While figures are in store, a fault never fails a request.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Endpoint, Faults, RateLimited};

use crate::indicators::serving::history;
use crate::support::app::{Answer, App, AppOptions, SMALL_INDICATOR, one_indicator};

const PATH: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";
const MANY: u32 = 1000;
const A_DAY_AND_AN_HOUR: Duration = Duration::from_secs(25 * 3600);

/// The expected answer with an empty store: status, error code, `Retry-After`, upstream calls. With old figures in store the calls
/// are the same.
struct Case {
    name: &'static str,
    faults: Faults,
    cold: (u16, &'static str, &'static str, u64),
}

fn case(name: &'static str, faults: Faults, cold: (u16, &'static str, &'static str, u64)) -> Case {
    Case { name, faults, cold }
}

fn cases() -> Vec<Case> {
    let none = Faults::default;
    let away = (503, "UpstreamAway", "60", 3);
    let nonsense = (502, "UpstreamAnswer", "", 1);
    let limited = |retry_after| RateLimited { count: MANY, retry_after };
    vec![
        case("closed", Faults { closed: Some(true), ..none() }, away),
        case("slow, but in time", Faults { delay_ms: 50, ..none() }, (200, "", "", 1)),
        case("too slow", Faults { delay_ms: 1500, ..none() }, (503, "UpstreamAway", "60", 2)),
        case("hang", Faults { hang: MANY, ..none() }, (503, "UpstreamAway", "60", 2)),
        case("forbidden", Faults { forbidden: MANY, ..none() }, away),
        case("forbidden twice", Faults { forbidden: 2, ..none() }, (200, "", "", 3)),
        case("unauthorized", Faults { unauthorized: MANY, ..none() }, (502, "UpstreamKeyRefused", "", 1)),
        case("server error", Faults { server_error: MANY, ..none() }, away),
        case("server error once", Faults { server_error: 1, ..none() }, (200, "", "", 2)),
        case("rate limited", Faults { rate_limited: limited(None), ..none() }, away),
        case(
            "rate limited for an hour",
            Faults { rate_limited: limited(Some(3600)), ..none() },
            (503, "UpstreamAway", "3600", 1),
        ),
        case("drop", Faults { drop: MANY, ..none() }, away),
        case("truncate", Faults { truncate: MANY, ..none() }, nonsense),
        case("html", Faults { html: MANY, ..none() }, nonsense),
        case("wrong columns", Faults { wrong_columns: MANY, ..none() }, nonsense),
        case("wrong types", Faults { wrong_types: MANY, ..none() }, nonsense),
        case(
            "updating",
            Faults { updating: ["y25i01".to_owned()].into(), ..none() },
            (503, "UpstreamUpdating", "1800", 3),
        ),
        case("an unknown label", Faults { unknown_label: 1, ..none() }, (200, "", "", 1)),
        case("unknown rows", Faults { unknown_rows: 1, ..none() }, (200, "", "", 1)),
        case("labels count as cells", Faults { count_all_columns: Some(true), ..none() }, (200, "", "", 1)),
        case(
            "cell limit below a row",
            Faults { cell_limit: Some(1), ..none() },
            (502, "UpstreamRefused", "", 1),
        ),
    ]
}

/// What a description of faults switches on.
fn switched(faults: &Faults) -> BTreeSet<String> {
    let fields = |faults: &Faults| serde_json::to_value(faults).unwrap().as_object().unwrap().clone();
    let (changed, none) = (fields(faults), fields(&Faults::default()));
    changed.into_iter().filter(|(name, value)| none[name] != *value).map(|(name, _)| name).collect()
}

#[test]
fn every_fault_of_the_simulator_is_among_the_cases() {
    // These fields select the calls that are hit; they are not faults.
    let mut known = BTreeSet::from(["endpoint".to_owned(), "table".to_owned()]);
    known.extend(cases().iter().flat_map(|case| switched(&case.faults)));
    let all = serde_json::to_value(Faults::default()).unwrap();
    let all: BTreeSet<String> = all.as_object().unwrap().keys().cloned().collect();
    assert_eq!(known, all);
}

async fn app() -> App {
    app_with(None).await
}

async fn app_with(indicators: Option<PathBuf>) -> App {
    let settings =
        BridgeSettings { upstream_timeout_seconds: 1, indicators, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    // The table's parts are known; its figures are not.
    assert_eq!(app.get("/odata/jobindsats/y25i01/").await.status, 200);
    app
}

fn shown(answer: &Answer) -> (u16, String, String) {
    let code = if answer.status == 200 { String::new() } else { answer.code() };
    (answer.status, code, answer.header("Retry-After").to_owned())
}

async fn cold(case: &Case) {
    let app = app().await;
    app.upstream().set_faults(case.faults.clone());
    let answer = app.get(PATH).await;
    let (status, code, retry_after, calls) = case.cold;
    let found = (shown(&answer), app.data_requests());
    assert_eq!(found, ((status, code.to_owned(), retry_after.to_owned()), calls), "{}, cold", case.name);
    if status == 200 {
        return;
    }
    let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.ends_with('.') && message.len() > 40, "{}: {message}", case.name);
    assert_eq!(app.service.state.store.size().blocks, 0, "{}: nothing is stored", case.name);
    app.upstream().reset_faults();
    app.clock.advance(Duration::from_secs(700));
    assert_eq!(app.get(PATH).await.status, 200, "{}: over, and forgotten", case.name);
}

async fn warm(case: &Case) {
    let app = app().await;
    let before = app.get(PATH).await.rows();
    app.upstream().clear_requests();
    app.upstream().set_faults(case.faults.clone());
    let answer = app.get(PATH).await;
    assert_eq!((answer.rows(), app.data_requests()), (before, 0), "{}, warm", case.name);
    assert_eq!(answer.header("Age"), "0", "{}, warm", case.name);
}

async fn stale(case: &Case) {
    let app = app().await;
    let before = app.get(PATH).await.rows();
    app.clock.advance(A_DAY_AND_AN_HOUR);
    app.upstream().clear_requests();
    app.upstream().set_faults(case.faults.clone());
    let answer = app.get(PATH).await;
    if case.faults.unknown_label + case.faults.unknown_rows == 0 {
        assert_eq!(answer.rows(), before, "{}, stale", case.name);
    }
    let (status, _, _, calls) = case.cold;
    let age = if status == 200 { 0 } else { A_DAY_AND_AN_HOUR.as_secs() };
    assert_eq!(answer.header("Age"), age.to_string(), "{}, stale", case.name);
    // The list of tables is asked for first; its failures may have opened the circuit.
    assert!(app.data_requests() <= calls, "{}, stale: {} calls", case.name, app.data_requests());
}

#[actix_web::test]
async fn with_an_empty_store_every_fault_has_its_own_answer() {
    for case in cases() {
        cold(&case).await;
    }
}

#[actix_web::test]
async fn fresh_figures_are_served_whatever_happens_and_nobody_is_asked() {
    for case in cases() {
        warm(&case).await;
    }
}

#[actix_web::test]
async fn figures_past_their_age_are_served_with_it_when_no_new_ones_are_to_be_had() {
    for case in cases() {
        stale(&case).await;
    }
}

/// Addresses that answer from what is in store or known: figures in every form, and what describes them.
const ADDRESSES: &[&str] = &[
    PATH,
    "/odata/jobindsats/y25i01/Landet/$count?$filter=Periode eq '2026M06'",
    "/odata/jobindsats/y25i01/Landet(Periode='2026M06',Område_id='T')",
    "/export/y25i01/Landet.csv?$filter=Periode eq '2026M06'",
    "/export/y25i01/Landet.parquet?$filter=Periode eq '2026M06'",
    "/metrics/indicators",
    "/metrics",
    "/odata/",
    "/odata/$metadata",
    "/odata/Datasets",
    "/odata/Revisions",
    "/odata/jobindsats/y25i01/",
    "/odata/jobindsats/y25i01/$metadata",
    "/odata/jobindsats/y25i01/MeasureCodes",
    "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'&explain=plan",
    "/",
    "/status",
    "/readyz",
];

/// Every call of the upstream is hit, the list of tables as well; figures are fresh, or past their age.
async fn elsewhere(case: Case) {
    let indicators = one_indicator();
    let app = app_with(Some(indicators.path().to_owned())).await;
    assert_eq!(app.get(PATH).await.status, 200);
    assert!(app.service.state.indicators.refresh(SMALL_INDICATOR).await);
    let figures = app.get("/metrics/indicators").await.text();
    let sample =
        figures.lines().find(|line| line.starts_with("jobindsats_country_full_time_persons{")).unwrap();
    for age in [Duration::ZERO, A_DAY_AND_AN_HOUR] {
        app.clock.advance(age);
        app.upstream().set_faults(Faults { endpoint: Endpoint::Any, ..case.faults.clone() });
        app.service.state.indicators.refresh(SMALL_INDICATOR).await;
        for address in ADDRESSES {
            let answer = app.get(address).await;
            assert_eq!(answer.status, 200, "{}, {age:?}: {address}: {}", case.name, answer.text());
        }
        let scraped = app.get("/metrics/indicators").await.text();
        assert!(scraped.contains(sample), "{}, {age:?}: {scraped}", case.name);
        let history = history(&app).await;
        assert!(history.status == 200 && history.body.len() > 100, "{}, {age:?}", case.name);
    }
}

#[actix_web::test]
async fn no_address_fails_whose_figures_are_in_store() {
    let cases = stream::iter(cases()).map(elsewhere);
    cases.buffer_unordered(6).collect::<Vec<()>>().await;
}

#[actix_web::test]
async fn too_much_is_asked_for_in_halves_until_it_is_little_enough() {
    let app = app().await;
    let path = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode ge '2026M03'";
    app.upstream().set_faults(Faults { cell_limit: Some(200), ..Faults::default() });
    let halved = app.get(path).await.rows();
    assert!(app.data_requests() > 5);
    app.upstream().reset_faults();
    let other = self::app().await;
    assert_eq!(other.get(path).await.rows(), halved);
    assert_eq!(other.data_requests(), 1);
}

#[actix_web::test]
async fn a_label_that_the_table_does_not_have_is_a_row_of_its_own_and_has_the_table_read_again() {
    let app = app().await;
    let path = "/odata/jobindsats/y25i01/Kommuner?$filter=Periode eq '2026M06'";
    let whole = app.get(path).await.rows();
    let app = self::app().await;
    let read_before = app.upstream().requests().table;
    app.upstream().set_faults(Faults { unknown_label: 1, ..Faults::default() });
    let rows = app.get(path).await.rows();
    // All members are asked for, so that it is the total's row, dropped before, which stands under the label.
    assert_eq!(rows.len(), whole.len() + 1);
    let last = rows.last().unwrap();
    assert_eq!(
        (&last["Område"], &last["Område_id"]),
        (&"Nyoprettet kategori".into(), &"?Nyoprettet kategori".into())
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.upstream().requests().table, read_before + 1);
}
