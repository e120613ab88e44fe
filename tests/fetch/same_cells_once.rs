//! Concurrent requests for the same cells share one upstream request.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use jobindsats_bridge::answer::Request;
use jobindsats_bridge::answer::stages::Stages;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::Faults;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::app::{App, AppOptions};
use crate::support::open_files::allow_open_files;
use crate::support::patience::until;

/// How many clients open the same workbook at once.
const USERS: u64 = 1000;

/// Longer than any test runs, in milliseconds: the upstream answers when the fault is taken back.
const NEVER: u64 = 3_600_000;

/// The value of one of the process' own metrics.
async fn metric(app: &App, name: &str) -> u64 {
    let text = app.get("/metrics").await.text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("jobindsats_bridge_{name} ")));
    line.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().unwrap()
}

/// Asks for rows and leaves, without an answer, as soon as the condition holds.
async fn leave(app: &App, set: &str, options: &str, holds: impl AsyncFnMut() -> bool) {
    let state = &app.service.state;
    let feed = state.feeds.table("y25i01").await.unwrap();
    let request = Request {
        feed: &feed,
        root: "",
        path: set,
        options,
        max_page_size: None,
        all_pages: false,
        strict: false,
        skip_token: None,
        now: state.clock.now(),
        stages: &Stages::new(state.metrics.clone()),
    };
    tokio::select! {
        early = state.answerer.answer(&request, |_| Ok(())) => panic!("the upstream does not answer: {early:?}"),
        () = until("it is time to leave", holds) => {}
    }
}

#[actix_web::test]
async fn a_thousand_cold_requests_for_the_same_rows_ask_for_each_chunk_once() {
    // Two ends of each connection are files of this process, beside those of tests that run at the same time.
    allow_open_files(4 * USERS);
    // No client times out before all have sent their request, however slow the machine is.
    let settings = BridgeSettings {
        cell_limit: 200,
        upstream_concurrency: 8,
        upstream_timeout_seconds: 600,
        answer_seconds: 600,
        ..AppOptions::default().settings
    };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let path = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2026M05' or Periode eq '2026M06'&$select=Område";
    let plan = app.get(&format!("{path}&explain=plan")).await.json();
    let planned = plan["requests"].as_u64().unwrap();
    assert!((4..=8).contains(&planned), "{plan}");
    app.upstream().set_faults(Faults { delay_ms: NEVER, ..Faults::default() });
    let all = join_all((0..USERS).map(|_| app.get(path)));
    // The upstream does not answer until every request has missed in the store.
    let speak = async {
        until("all have looked into the store", async || {
            metric(&app, "cache_requests_total").await >= USERS * planned
        })
        .await;
        app.upstream().reset_faults();
    };
    let both = tokio::time::timeout(Duration::from_secs(300), async { tokio::join!(all, speak) });
    let (answers, ()) = both.await.expect("an answer for all");
    assert_eq!(metric(&app, "cache_hits_total").await, 0, "none of them found anything in store");
    assert_eq!(answers[0].rows().len(), 200);
    assert!(answers.iter().all(|answer| (answer.status, &answer.body) == (200, &answers[0].body)));
    let log = app.upstream().requests();
    let different: HashSet<_> = log.requests.iter().map(|request| &request.target).collect();
    assert_eq!((log.data, different.len() as u64), (planned, planned));
}

#[actix_web::test]
async fn who_leaves_does_not_stop_what_others_wait_for() {
    let app = App::start().await;
    let options = "$filter=Periode eq '2026M06'";
    let path = format!("/odata/jobindsats/y25i01/Landet?{options}");
    app.get(&format!("{path}&explain=plan")).await;
    app.upstream().set_faults(Faults { delay_ms: NEVER, ..Faults::default() });
    let stays = app.get(&path);
    let leaves = async {
        leave(&app, "Landet", options, async || metric(&app, "cache_requests_total").await == 2).await;
        app.upstream().reset_faults();
    };
    let (answer, ()) = tokio::join!(stays, leaves);
    assert_eq!(answer.status, 200);
    assert_eq!(app.data_requests(), 1);
}

#[actix_web::test]
async fn who_leaves_starts_no_more_calls_and_the_one_that_is_made_is_stored() {
    let settings =
        BridgeSettings { cell_limit: 200, upstream_concurrency: 1, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let options = "$filter=Periode eq '2026M05' or Periode eq '2026M06'&$select=Område";
    let path = format!("/odata/jobindsats/y25i01/Hovedtal?{options}");
    let planned = app.get(&format!("{path}&explain=plan")).await.json()["requests"].as_u64().unwrap();
    assert!(planned >= 4);
    app.upstream().set_faults(Faults { delay_ms: NEVER, ..Faults::default() });
    leave(&app, "Hovedtal", options, async || app.data_requests() == 1).await;
    app.upstream().reset_faults();
    until("the call that was being made ends", async || {
        metric(&app, "upstream_in_flight_requests").await == 0
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(app.data_requests(), 1, "the call that was being made");
    assert_eq!(app.get(&path).await.status, 200);
    assert_eq!(app.data_requests(), planned, "its figures were stored");
}

#[actix_web::test]
async fn a_client_that_is_told_to_come_back_finds_what_it_asked_for() {
    let settings = BridgeSettings {
        cell_limit: 200,
        upstream_concurrency: 1,
        answer_seconds: 1,
        ..AppOptions::default().settings
    };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let path = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2026M05' or Periode eq '2026M06'&$select=Område&$count=true";
    let planned = app.get(&format!("{path}&explain=plan")).await.json()["requests"].as_u64().unwrap();
    app.upstream().set_faults(Faults { delay_ms: 1_500, ..Faults::default() });
    assert_eq!(app.get(path).await.code(), "UpstreamSlow");
    tokio::time::sleep(Duration::from_secs(2)).await;
    app.upstream().reset_faults();
    assert_eq!(app.get(path).await.status, 200);
    assert_eq!(app.data_requests(), planned, "the fetch went on and was stored");
}

#[actix_web::test]
async fn a_client_that_closes_its_connection_has_left() {
    let settings =
        BridgeSettings { cell_limit: 200, upstream_concurrency: 1, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let path = "/odata/jobindsats/y25i01/Hovedtal?$count=true";
    let planned = app.get(&format!("{path}&explain=plan")).await.json()["requests"].as_u64().unwrap();
    assert!(planned > 20);
    app.upstream().set_faults(Faults { delay_ms: 200, ..Faults::default() });
    let mut connection = TcpStream::connect(app.service.address).await.unwrap();
    connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    until("the second call", async || app.data_requests() >= 2).await;
    drop(connection);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let made = app.data_requests();
    assert!(made < planned, "{made} of {planned}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(app.data_requests(), made, "a call began later than two seconds after its client had left");
}
