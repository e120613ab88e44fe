//! What many ask for at once is asked for once.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use jobindsats_bridge::answer::{Page, Wishes};
use jobindsats_bridge::frame::Frame;
use jobindsats_bridge::odata::uri::{Limits, parse_request};
use jobindsats_bridge::query::bind::bind;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::Faults;

use crate::support::app::{App, AppOptions, morning};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cold_requests_for_the_same_rows_ask_for_each_chunk_once() {
    let settings = BridgeSettings { cell_limit: 200, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let options = "$filter=Periode ge '2026M05' and Periode le '2026M06'";
    let plan = app.get(&format!("/odata/jobindsats/y25i01/Hovedtal?{options}&explain=plan")).await.json();
    let planned = plan["requests"].as_u64().unwrap();
    assert!(planned > 3, "{plan}");
    app.upstream().set_faults(Faults { delay_ms: 20, ..Faults::default() });
    // Below HTTP: a thousand connections would test the machine's patience with sockets.
    let state = &app.service.state;
    let feed = state.feeds.table("y25i01").await.unwrap();
    let syntax = parse_request("Hovedtal", options, &Limits::default()).unwrap();
    let query = bind(&feed, &syntax, morning()).unwrap();
    let wishes = Wishes::default();
    let pages = join_all((0..1000).map(|_| state.answerer.answer(&feed, &query, &wishes))).await;
    let rows = |page: &Page| page.frames.iter().map(Frame::row_count).sum::<usize>();
    assert!(pages.iter().all(|page| rows(page.as_ref().unwrap()) == 200));
    let log = app.upstream().requests();
    let different: HashSet<_> = log.requests.iter().map(|request| &request.target).collect();
    assert_eq!((log.data, different.len() as u64), (planned, planned));
}

#[actix_web::test]
async fn users_who_open_the_same_workbook_at_once_cause_one_request() {
    let app = App::start().await;
    let path = "/odata/jobindsats/y25i01/Kommuner?$filter=Periode eq '2026M06'";
    app.get(&format!("{path}&explain=plan")).await;
    app.upstream().set_faults(Faults { delay_ms: 100, ..Faults::default() });
    let answers = join_all((0..60).map(|_| app.get(path))).await;
    assert!(answers.iter().all(|answer| answer.rows().len() == 98));
    assert_eq!(app.data_requests(), 1);
}

#[actix_web::test]
async fn who_leaves_does_not_stop_what_others_wait_for() {
    let app = App::start().await;
    let path = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";
    app.get(&format!("{path}&explain=plan")).await;
    app.upstream().set_faults(Faults { delay_ms: 300, ..Faults::default() });
    let left = tokio::time::timeout(Duration::from_millis(100), app.get(path)).await;
    assert!(left.is_err(), "the upstream is not that fast");
    assert_eq!(app.get(path).await.status, 200);
    assert_eq!(app.data_requests(), 1);
}
