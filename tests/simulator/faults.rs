//! The simulator's faults, which tests switch on.

use std::time::{Duration, Instant};

use chrono::{TimeZone, Utc};
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::simulator::{
    Endpoint, Fault, Faults, LoggedAnswer, Publish, RateLimited, RequestLog, SimulatorOptions,
};
use reqwest::Method;

use super::Upstream;
use crate::support::patience::PATIENCE;

const NEWEST: &str = "mgroup.*=*&period.M=latest:1&hierarchy._nykom=/";

/// A simulator with the faults, and its answer to two requests for figures.
async fn twice(faults: Faults) -> (Upstream, [super::Reply; 2]) {
    let upstream =
        Upstream::with(SimulatorOptions { faults, closed_hour: false, ..SimulatorOptions::default() }).await;
    let replies = [upstream.data("y25i01", NEWEST).await, upstream.data("y25i01", NEWEST).await];
    (upstream, replies)
}

#[tokio::test]
async fn the_gateway_refuses_with_a_text_page() {
    let (_, [refused, served]) = twice(Faults { forbidden: 1, ..Faults::default() }).await;
    assert_eq!((refused.status, served.status), (403, 200));
    assert_eq!(refused.body, "You do not have permission to view this directory or page.");
    assert!(refused.content_type.starts_with("text/plain"));
}

#[tokio::test]
async fn statuses_come_as_often_as_told() {
    for (faults, status) in [
        (Faults { unauthorized: 1, ..Faults::default() }, 401),
        (Faults { server_error: 1, ..Faults::default() }, 500),
        (Faults { rate_limited: RateLimited { count: 1, retry_after: Some(7) }, ..Faults::default() }, 429),
        (Faults { html: 1, ..Faults::default() }, 200),
    ] {
        let (_, [hit, served]) = twice(faults).await;
        assert_eq!((hit.status, served.status), (status, 200));
        assert_eq!(hit.retry_after.as_deref(), (status == 429).then_some("7"));
        assert_eq!(hit.content_type.starts_with("text/html"), hit.body.starts_with("<!DOCTYPE"));
    }
}

#[tokio::test]
async fn bodies_can_be_nonsense() {
    let (_, [truncated, served]) = twice(Faults { truncate: 1, ..Faults::default() }).await;
    assert!(served.body.starts_with(&truncated.body) && truncated.body.len() < served.body.len());
    let (_, [wrong, served]) = twice(Faults { wrong_columns: 1, ..Faults::default() }).await;
    assert_ne!(wrong.columns(), served.columns());
    let (_, [wrong, served]) = twice(Faults { wrong_types: 1, ..Faults::default() }).await;
    assert!(wrong.rows()[0][2].is_array() && served.rows()[0][2].is_number());
    let (_, [wrong, served]) = twice(Faults { unknown_label: 1, ..Faults::default() }).await;
    assert_eq!(
        (wrong.rows()[0][1].as_str(), served.rows()[0][1].as_str()),
        (Some("Nyoprettet kategori"), Some("Hele landet"))
    );
}

#[tokio::test]
async fn a_connection_can_break_and_an_answer_never_come() {
    let upstream = Upstream::open().await;
    let path = format!("/data/y25i01?{NEWEST}&format=json");
    upstream.simulator.control().set_faults(Faults { drop: 1, ..Faults::default() });
    assert!(upstream.try_get(&path, Some("Bearer x")).await.is_err());
    upstream.simulator.control().set_faults(Faults { hang: 1, ..Faults::default() });
    let waited = tokio::time::timeout(Duration::from_millis(200), upstream.get(&path)).await;
    assert!(waited.is_err());
    assert_eq!(upstream.get(&path).await.status, 200);
    tokio::time::timeout(PATIENCE, upstream.simulator.stop()).await.expect("it stops");
}

#[tokio::test]
async fn answers_can_be_slow() {
    let upstream = Upstream::open().await;
    upstream.simulator.control().set_faults(Faults { delay_ms: 150, ..Faults::default() });
    let start = Instant::now();
    assert_eq!(upstream.get("/subjects?format=json").await.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn a_fault_can_be_kept_to_a_table_or_a_call() {
    let upstream = Upstream::open().await;
    let control = upstream.simulator.control();
    control.set_faults(Faults { server_error: 9, table: Some("y01a02".into()), ..Faults::default() });
    assert_eq!(upstream.data("y25i01", NEWEST).await.status, 200);
    assert_eq!(upstream.data("y01a02", NEWEST).await.status, 500);
    control.set_faults(Faults { server_error: 9, endpoint: Endpoint::Tables, ..Faults::default() });
    assert_eq!(upstream.data("y25i01", NEWEST).await.status, 200);
    assert_eq!(upstream.get("/tables?format=json").await.status, 500);
}

#[tokio::test]
async fn a_table_in_mid_update_knows_no_period_type() {
    let upstream = Upstream::open().await;
    let reply = upstream.control(Method::POST, "/control/faults", r#"{"updating":["y25i01"]}"#).await;
    assert_eq!(reply.status, 200);
    assert_eq!(upstream.data("y25i01", NEWEST).await.cause(), "Unknown period type: M");
    assert_eq!(
        upstream.data("y25i01", "mgroup.*=*&period.M=latest:9999").await.cause(),
        "Unknown period type: M"
    );
    let unknown = upstream.data("y25i01", "mgroup.*=*&period.M=latest:1&hierarchy._x=*").await;
    assert_eq!(unknown.cause(), "Unknown hierarchies: ['_x']");
    assert_eq!(upstream.data("y01a02", NEWEST).await.status, 200);
    assert_eq!(upstream.control(Method::DELETE, "/control/faults", "").await.status, 204);
    assert_eq!(upstream.data("y25i01", NEWEST).await.status, 200);
}

#[tokio::test]
async fn it_is_closed_from_22_to_23_in_copenhagen_on_both_sides_of_summer_time() {
    let clock = Clock::fixed(Utc::now());
    let upstream =
        Upstream::with(SimulatorOptions { clock: clock.clone(), ..SimulatorOptions::default() }).await;
    let at = |month, hour, minute| Utc.with_ymd_and_hms(2026, month, 5, hour, minute, 0).unwrap();
    for (instant, status) in [
        (at(7, 19, 59), 200),
        (at(7, 20, 0), 503),
        (at(7, 20, 59), 503),
        (at(7, 21, 0), 200),
        (at(12, 20, 59), 200),
        (at(12, 21, 0), 503),
        (at(12, 22, 0), 200),
    ] {
        clock.set(instant);
        assert_eq!(upstream.data("y25i01", NEWEST).await.status, status, "{instant}");
    }
    clock.set(at(12, 21, 30));
    upstream.simulator.control().set_faults(Faults { closed: Some(false), ..Faults::default() });
    assert_eq!(upstream.get("/tables?format=json").await.status, 200);
}

#[tokio::test]
async fn it_can_be_closed_at_any_time() {
    let (_, replies) = twice(Faults { closed: Some(true), ..Faults::default() }).await;
    assert!(replies.iter().all(|reply| reply.status == 503));
}

#[tokio::test]
async fn requests_are_counted_and_data_requests_kept_with_what_became_of_them() {
    let upstream = Upstream::open().await;
    upstream.get("/tables?format=json").await;
    upstream.get("/table/y25i01?format=json").await;
    upstream.data("y25i01", NEWEST).await;
    let log = upstream.simulator.control().requests();
    assert_eq!((log.subjects, log.tables, log.table, log.data), (0, 1, 1, 1));
    assert_eq!(log.requests[0].target, format!("/v3/data/y25i01?{NEWEST}&format=json"));
    let reply = upstream.control(Method::GET, "/control/requests", "").await.json();
    assert_eq!((&reply["data"], &reply["requests"][0]["table"]), (&1.into(), &"y25i01".into()));
    let became = |log: &RequestLog| (log.requests.back().unwrap().fault, log.requests.back().unwrap().answer);
    assert_eq!(became(&log), (None, Some(LoggedAnswer { status: 200, edition: 0 })));
    let faults = Faults { truncate: 1, server_error: 1, ..Faults::default() };
    upstream.simulator.control().set_faults(faults);
    for (fault, status) in [(Fault::ServerError, 500), (Fault::Truncate, 200)] {
        upstream
            .simulator
            .control()
            .publish(&Publish { table: "y25i01".into(), ..Publish::default() })
            .unwrap();
        upstream.data("y25i01", NEWEST).await;
        let log = upstream.simulator.control().requests();
        let edition = i32::try_from(log.data).unwrap() - 1;
        assert_eq!(became(&log), (Some(fault), Some(LoggedAnswer { status, edition })));
    }
    let spoilt = Faults { truncate: 1, endpoint: Endpoint::Tables, ..Faults::default() };
    upstream.simulator.control().set_faults(spoilt);
    for listed in [1, 2] {
        upstream.get("/tables?format=json").await;
        let log = upstream.simulator.control().requests();
        assert_eq!((log.listed, log.listings.len() as u64), (listed, listed), "a spoilt list says nothing");
    }
    upstream.control(Method::DELETE, "/control/requests", "").await;
    assert_eq!(upstream.simulator.control().requests().data, 0);
}

#[tokio::test]
async fn faults_that_do_not_exist_are_refused() {
    let upstream = Upstream::open().await;
    for body in [r#"{"hangs":1}"#, "[]", "1", "{", r#"{"hang":-1}"#] {
        assert_eq!(upstream.control(Method::POST, "/control/faults", body).await.status, 400, "{body}");
    }
    let faults = upstream.control(Method::GET, "/control/faults", "").await.json();
    assert_eq!((&faults["hang"], &faults["endpoint"]), (&0.into(), &"data".into()));
}
