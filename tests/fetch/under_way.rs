//! Requests that are on their way: nobody asks for their figures again, and nobody waits for figures that are there.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use jobindsats_bridge::feed::RowSource;
use jobindsats_bridge::plan::cut::cut;
use jobindsats_bridge::plan::selection::Selection;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Endpoint, Faults, Publish};

use crate::support::app::{App, AppOptions};
use crate::support::patience::{PATIENCE, until};

/// Longer than any test runs, in milliseconds: the upstream answers when the fault is taken back.
const NEVER: u64 = 3_600_000;
const TABLE: &str = "/odata/jobindsats/y25i01";

#[actix_web::test]
async fn a_part_of_what_is_on_its_way_is_waited_for_and_only_the_rest_is_asked_for() {
    let app = App::start().await;
    app.get(&format!("{TABLE}/Hovedtal?explain=plan")).await;
    app.upstream().set_faults(Faults { delay_ms: NEVER, ..Faults::default() });
    let wide = format!("{TABLE}/Hovedtal?$filter=Periode eq '2026M06'");
    let parts = [
        format!(
            "{TABLE}/Landet?$filter=Periode eq '2026M06'&$select=Periode,Område_id,Antal_ledige_personer"
        ),
        format!("{TABLE}/Kommuner?$filter=Periode eq '2026M06' and Område eq 'Aarhus'"),
        format!("{TABLE}/Hovedtal/$count?$filter=Periode eq '2026M06' and startswith(Område,'A')"),
        format!("{TABLE}/Hovedtal?$filter=Periode in ('2026M05','2026M06') and Område eq 'Odense'"),
    ];
    let later = async {
        until("the first request", async || app.data_requests() == 1).await;
        let others = join_all(parts.iter().map(|path| app.get(path)));
        let speak = async {
            until("the request for what is not on its way", async || app.data_requests() == 2).await;
            app.upstream().reset_faults();
        };
        tokio::join!(others, speak).0
    };
    let (first, others) = tokio::join!(app.get(&wide), later);
    assert_eq!(first.rows().len(), 100);
    assert!(others.iter().all(|answer| answer.status == 200), "{}", others[0].text());
    let log = app.upstream().requests().requests;
    let asked: Vec<_> = log.iter().map(|request| request.target.clone()).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(!asked[1].contains("2026M06") && asked[1].contains("2026M05"), "{}", asked[1]);
}

#[actix_web::test]
async fn what_others_read_after_a_request_began_is_not_asked_for_again() {
    let app = App::start().await;
    let state = &app.service.state;
    let feed = state.feeds.table("y25i01").await.unwrap();
    let RowSource::Cells(source) = &feed.sets[feed.set_index("Landet").unwrap()].rows else {
        panic!("a list")
    };
    let mut selection = Selection::of_set(source);
    selection.put_at_totals(&source.measurement);
    let chunk = cut(&source.measurement, &selection, 200_000).unwrap().get(0).unwrap();
    let (fetcher, began) = (&state.answerer.fetcher, app.clock.now() - TimeDelta::seconds(5));
    fetcher.fetch_ahead(&source.measurement, &chunk, app.clock.now()).await.unwrap();
    let asked = app.data_requests();
    fetcher.fetch_ahead(&source.measurement, &chunk, began).await.unwrap();
    assert_eq!((asked > 0, app.data_requests()), (true, asked));
}

#[actix_web::test]
async fn a_question_does_not_wait_for_figures_that_are_there() {
    let app = App::start().await;
    let stored = format!("{TABLE}/Hovedtal?$filter=Periode eq '2026M06'");
    app.get(&stored).await.rows();
    app.upstream().set_faults(Faults { delay_ms: NEVER, ..Faults::default() });
    let stuck = format!("{TABLE}/Hovedtal?$filter=Periode in ('2026M05','2026M06')");
    let questions = [
        stored.clone(),
        format!(
            "{TABLE}/Landet?$filter=Periode eq '2026M06'&$select=Periode,Område_id,Antal_ledige_personer"
        ),
        format!("{TABLE}/Kommuner?$filter=Periode eq '2026M06'&$orderby=Antal_ledige_personer desc&$top=3"),
    ];
    let answered = async {
        until("the request that is stuck", async || app.data_requests() == 2).await;
        for path in &questions {
            assert_eq!(app.get(path).await.status, 200, "{path}");
        }
    };
    tokio::select! {
        early = app.get(&stuck) => panic!("the upstream does not answer: {}", early.text()),
        done = tokio::time::timeout(PATIENCE, answered) => done.expect("what is stored is answered"),
    }
}

#[actix_web::test]
async fn who_waits_for_a_request_of_another_asks_again_where_the_others_budget_ends() {
    let settings = BridgeSettings {
        trusted_proxies: "127.0.0.1".parse().unwrap(),
        client_calls_per_hour: Some(2),
        ..AppOptions::default().settings
    };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    let path = format!("{TABLE}/Kommuner?$filter=Periode eq '2026M06'");
    let ask = async |client: &str| app.get_with(&path, &[("X-Forwarded-For", client)]).await;
    // The request is too large, and the call for its first half is the last that the client may make.
    let cells = app.get(&format!("{path}&explain=plan")).await.json()["cells"].as_u64().unwrap();
    let faults = |delay_ms| Faults {
        cell_limit: Some(cells * 3 / 4),
        count_all_columns: Some(true),
        delay_ms,
        ..Faults::default()
    };
    app.upstream().set_faults(faults(NEVER));
    let later = async {
        until("the first client's call is on its way", async || app.data_requests() == 1).await;
        let speak = async {
            until("the second client waits for it", async || {
                app.get("/metrics").await.text().contains("\njobindsats_bridge_cache_requests_total 2\n")
            })
            .await;
            app.upstream().set_faults(faults(0));
        };
        tokio::join!(ask("203.0.113.8"), speak).0
    };
    let (_, second) = tokio::join!(ask("203.0.113.7"), later);
    let refusals = r#"jobindsats_bridge_budget_refusals_total{resource="upstream_calls",share="client"} 1"#;
    assert!(app.get("/metrics").await.text().contains(refusals), "the first client's budget ended");
    assert_eq!(second.status, 200, "{}", second.text());
    assert_eq!(app.data_requests(), 3, "the second half is all that was left");
}

/// Requests wait for their turn while a table is updated: their answers would be dropped, so they are planned anew instead of being sent.
#[actix_web::test]
async fn what_waits_for_its_turn_when_its_table_is_updated_is_not_sent() {
    let settings = BridgeSettings { upstream_concurrency: 1, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    app.get(&format!("{TABLE}/Kommuner?explain=plan")).await;
    let (landet, faults) = (format!("{TABLE}/Landet?$top=1"), |delay_ms| Faults {
        delay_ms,
        endpoint: Endpoint::Data,
        ..Faults::default()
    });
    app.upstream().set_faults(faults(NEVER));
    let paths: Vec<_> =
        (1..=9).map(|month| format!("{TABLE}/Kommuner?$filter=Periode eq '2025M{month:02}'")).collect();
    let asking = join_all(paths.iter().map(|path| app.get(path)));
    let updating = async {
        until("one is under way and eight wait", async || {
            let waiting =
                app.get("/metrics").await.text().contains("\njobindsats_bridge_cache_requests_total 9\n");
            waiting && app.data_requests() == 1
        })
        .await;
        let update = Publish { table: "y25i01".to_owned(), revise_published: true, after_data_requests: 0 };
        app.upstream().publish(&update).unwrap();
        app.clock.advance(Duration::from_secs(16 * 60));
        let noticing = app.get(&landet);
        let going_on = async { app.upstream().set_faults(faults(200)) };
        tokio::join!(noticing, going_on)
    };
    let (answers, _) = tokio::join!(asking, updating);
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let asked = app.data_requests();
    assert!((10..=14).contains(&asked), "{asked} requests for ten answers");
}
