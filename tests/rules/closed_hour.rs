//! Closed between 22 and 23 in Copenhagen: nothing is asked then, nor just before what would run into it.

use std::time::Duration;

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Europe::Copenhagen;
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::refresh::catalogue::keeper::SyncScope;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::SimulatorOptions;

use crate::support::app::{App, AppOptions};

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

/// Whether a try that starts now could still be out while the upstream is closed.
fn is_shut(at: DateTime<Utc>) -> bool {
    let hour = |at: DateTime<Utc>| at.with_timezone(&Copenhagen).hour();
    hour(at) == 22 || hour(at + Duration::from_secs(TIMEOUT_SECONDS)) == 22
}

/// Everything that the service does by itself or is asked for: users, the catalogue's and the indicators' refreshes.
async fn everything(app: &App, number: usize) -> u16 {
    let place = 1 + number % 90;
    let path = format!(
        "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2026M0{}' and Område_id eq '{place}'",
        1 + number % 6
    );
    let status = app.get(&path).await.status;
    // A refusal is what is expected in the closed hour.
    let _ = app.service.state.catalogue.sync(SyncScope::Due, 2, |_| {}).await;
    let indicators = &app.service.state.indicators;
    let ids: Vec<String> =
        indicators.published().snapshot.indicators.iter().map(|it| it.definition.id.to_string()).collect();
    if number.is_multiple_of(4) {
        indicators.refresh(&ids[number / 4 % ids.len()]).await;
    }
    status
}

async fn days_without_a_call_in_the_closed_hour(start: &str, days: u32) {
    let app = app_at(start).await;
    let end = app.clock.now() + chrono::Duration::days(days.into());
    let (mut number, mut shut, mut open) = (0, 0, 0);
    while app.clock.now() < end {
        let (now, before) = (app.clock.now(), calls(&app));
        let status = everything(&app, number).await;
        let made = calls(&app) - before;
        if is_shut(now) {
            shut += 1;
            assert_eq!(made, 0, "at {now}");
            assert!([200, 503].contains(&status), "{status} at {now}");
        } else {
            open += made;
            assert_eq!(status, 200, "at {now}");
        }
        let minutes = if (21..23).contains(&now.with_timezone(&Copenhagen).hour()) { 9 } else { 57 };
        app.clock.advance(Duration::from_secs(minutes * 60 + 11));
        number += 1;
    }
    assert!(shut >= 6 * days && open > 20, "{shut} times shut, {open} calls while open");
}

#[actix_web::test]
async fn nothing_is_asked_in_the_closed_hour_on_the_days_when_summer_time_begins() {
    days_without_a_call_in_the_closed_hour("2026-03-28T15:00:00Z", 2).await;
}

#[actix_web::test]
async fn nothing_is_asked_in_the_closed_hour_on_the_days_when_summer_time_ends() {
    days_without_a_call_in_the_closed_hour("2026-10-24T15:00:00Z", 2).await;
}

#[actix_web::test]
async fn the_closed_hour_is_told_with_a_time_to_come_back_after_it() {
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
