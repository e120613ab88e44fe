//! The closed hour from 22 to 23 in Copenhagen: no call is made then, nor just before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike, Utc, Weekday};
use chrono_tz::Europe::Copenhagen;
use jobindsats_bridge::clock::{Clock, CopenhagenTime};
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::SimulatorOptions;

use crate::support::app::{App, AppOptions, Background, one_indicator};

/// The longest that a try may take, and so the time before 22 in which none may start.
const TIMEOUT_SECONDS: u64 = 120;

async fn app_at(start: &str) -> App {
    let clock = Clock::fixed(start.parse().unwrap());
    let simulator =
        SimulatorOptions { closed_hour: true, clock: clock.clone(), ..SimulatorOptions::default() };
    let settings =
        BridgeSettings { upstream_timeout_seconds: TIMEOUT_SECONDS, ..AppOptions::default().settings };
    App::with(AppOptions { clock, simulator, settings, ..AppOptions::default() }).await
}

fn calls(app: &App) -> u64 {
    let log = app.upstream().requests();
    log.subjects + log.tables + log.table + log.data
}

/// Whether a try that starts now could still be running when the upstream closes.
fn is_shut(at: DateTime<Utc>) -> bool {
    let hour = |at: DateTime<Utc>| at.with_timezone(&Copenhagen).hour();
    hour(at) == 22 || hour(at + Duration::from_secs(TIMEOUT_SECONDS)) == 22
}

/// Clients' queries: mostly the same ones, sometimes a new one; in the closed hour always a new one.
async fn people(app: &App, number: usize) {
    let always = "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2026M01'".to_owned();
    let another = || {
        let (month, place) = (1 + number % 6, 1 + number % 90);
        format!(
            "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2026M0{month}' and Område_id eq '{place}'"
        )
    };
    let is_shut = is_shut(app.clock.now());
    let path = if is_shut || number.is_multiple_of(9) { another() } else { always };
    let status = app.get(&path).await.status;
    assert!(status == 200 || is_shut && status == 503, "{status} at {}", app.clock.now());
}

/// Runs the program with its loops and clients through three days of its clock; the simulator logs when it was called.
async fn three_days_without_a_call_in_the_closed_hour(start: &str) {
    let clock = Clock::fixed(start.parse().unwrap());
    let indicators = one_indicator();
    let simulator =
        SimulatorOptions { closed_hour: true, clock: clock.clone(), ..SimulatorOptions::default() };
    let settings = BridgeSettings {
        upstream_timeout_seconds: TIMEOUT_SECONDS,
        indicators: Some(indicators.path().to_owned()),
        ..AppOptions::default().settings
    };
    let background = Background::All;
    let options = AppOptions { clock, simulator, settings, background, ..AppOptions::default() };
    let app = App::with(options).await;
    let end = app.clock.now() + chrono::Duration::days(3);
    let (mut number, mut shut, mut hours, mut reads) = (0, 0, BTreeMap::<u32, usize>::new(), BTreeSet::new());
    while app.clock.now() < end {
        app.step(Duration::from_secs(7 * 60 + 11)).await;
        people(&app, number).await;
        number += 1;
        shut += usize::from(is_shut(app.clock.now()));
        let log = app.upstream().requests();
        app.upstream().clear_requests();
        for at in log.arrivals {
            assert!(!is_shut(at), "a call at {at}");
            *hours.entry(at.with_timezone(&Copenhagen).hour()).or_default() += 1;
        }
        reads.extend(log.requests.iter().map(|request| request.at.with_timezone(&Copenhagen)));
    }
    assert!(shut >= 3 * 8, "{shut} looks in the closed hour");
    assert_eq!(hours.len(), 23, "calls in every other hour: {hours:?}");
    let early = |at: &&CopenhagenTime| at.weekday() == Weekday::Mon && at.hour() == 5;
    assert!(reads.iter().any(|at| early(&at)), "what is used is read before people come: {reads:?}");
}

#[actix_web::test]
async fn nothing_is_asked_in_the_closed_hour_on_the_days_when_summer_time_begins() {
    three_days_without_a_call_in_the_closed_hour("2026-03-27T12:00:00Z").await;
}

#[actix_web::test]
async fn nothing_is_asked_in_the_closed_hour_on_the_days_when_summer_time_ends() {
    three_days_without_a_call_in_the_closed_hour("2026-10-23T12:00:00Z").await;
}

#[actix_web::test]
async fn in_the_closed_hour_the_answer_says_when_to_retry() {
    let app = app_at("2026-09-15T19:00:00Z").await;
    assert_eq!(app.get("/odata/jobindsats/y25i01/").await.status, 200);
    app.upstream().clear_requests();
    for (now, path) in [
        ("2026-09-15T19:58:30Z", "/odata/jobindsats/y25i01/Hovedtal?$top=1"),
        ("2026-09-15T20:30:00Z", "/odata/jobindsats/y25i01/Landet?$top=1"),
    ] {
        app.clock.set(now.parse().unwrap());
        let answer = app.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "UpstreamClosed"));
        let wait = Duration::from_secs(answer.header("Retry-After").parse().unwrap());
        assert!(!is_shut(app.clock.now() + wait), "{wait:?} after {now}");
    }
    assert_eq!(calls(&app), 0);
}
