//! The chunks that are used most are read ahead before working hours.

use std::time::Duration;

use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::refresh::read_ahead::Budget;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Endpoint, Faults, Publish, SimulatorOptions};

use crate::support::app::{App, AppOptions, Background};

/// A Monday, a quarter past nine in Copenhagen.
const MONDAY: &str = "2026-09-14T07:15:00Z";
const DAY: Duration = Duration::from_secs(24 * 3600);
const TABLE: &str = "y25i01";

async fn app(start: &str, ahead: Budget) -> App {
    let clock = Clock::fixed(start.parse().unwrap());
    let simulator =
        SimulatorOptions { closed_hour: true, clock: clock.clone(), ..SimulatorOptions::default() };
    let settings =
        BridgeSettings { trusted_proxies: "127.0.0.1".parse().unwrap(), ..AppOptions::default().settings };
    App::with(AppOptions {
        settings,
        clock,
        simulator,
        ahead,
        background: Background::ReadAhead,
        ..AppOptions::default()
    })
    .await
}

/// An app that keeps tables ready.
async fn keeps_ready(start: &str, tables: &[&str]) -> App {
    let clock = Clock::fixed(start.parse().unwrap());
    let simulator = SimulatorOptions { clock: clock.clone(), ..SimulatorOptions::default() };
    let ready_tables = tables.iter().map(|&table| table.to_owned()).collect();
    let settings = BridgeSettings { ready_tables, ..AppOptions::default().settings };
    let background = Background::ReadAhead;
    App::with(AppOptions {
        settings,
        clock,
        simulator,
        background,
        closed_hour: false,
        ..AppOptions::default()
    })
    .await
}

/// What an analyst asks for first.
const MAIN: [&str; 3] = [
    "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M07'",
    "/odata/jobindsats/y25i01/Kommuner?$filter=Periode ge '2026M01'&$top=200",
    "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2025M07' and Område eq 'Aarhus'",
];

#[actix_web::test]
async fn chosen_tables_are_ready_though_nobody_asked_for_them() {
    // A Saturday at midnight: habits are not read ahead.
    let app = keeps_ready("2026-09-12T22:00:00Z", &["y25i01", "y99x99"]).await;
    app.pass(Duration::from_secs(600)).await;
    let read = app.data_requests();
    assert!((1..=8).contains(&read), "{read}");
    for path in MAIN {
        assert!(!app.get(path).await.rows().is_empty(), "{path}");
        assert_eq!(app.data_requests(), read, "{path}");
    }
    app.pass(Duration::from_secs(3600)).await;
    assert_eq!(app.data_requests(), read, "what is fresh is not read again");
    app.upstream().publish(&Publish { table: TABLE.to_owned(), ..Publish::default() }).unwrap();
    app.pass(Duration::from_secs(3600)).await;
    let renewed = app.data_requests();
    assert!(renewed > read, "an update is read before somebody asks");
    assert!(!app.get(MAIN[0]).await.rows().is_empty());
    assert_eq!(app.data_requests(), renewed);
}

#[actix_web::test]
async fn named_tables_are_read_at_once_within_the_budget() {
    let app = app("2026-09-12T10:00:00Z", Budget::default()).await;
    let tables = ["y25i01", "y30r21", "y99x99"].map(str::to_owned);
    let mut seen = Vec::new();
    let ahead = &app.service.state.ahead;
    let report =
        ahead.read_tables(&tables, |done, total, table| seen.push((done, total, table.to_owned()))).await;
    assert_eq!(report.failed.iter().map(|(table, _)| table.as_str()).collect::<Vec<_>>(), ["y99x99"]);
    assert!(report.failed[0].1.contains("y99x99"), "{:?}", report.failed);
    assert!(report.read >= 2 && report.stored == 0, "{report:?}");
    assert_eq!(seen.len(), report.read);
    assert!(
        seen.iter().enumerate().all(|(number, (done, total, _))| (number, seen.len()) == (*done, *total))
    );
    let read = app.data_requests();
    for path in MAIN {
        assert!(!app.get(path).await.rows().is_empty(), "{path}");
        assert_eq!(app.data_requests(), read, "{path}");
    }
    let again = ahead.read_tables(&tables[..2], |_, _, _| {}).await;
    assert_eq!((again.read, again.stored, again.failed.len()), (0, report.read, 0));

    let poor = self::app("2026-09-12T10:00:00Z", Budget { requests: 1, ..Budget::default() }).await;
    let report = poor.service.state.ahead.read_tables(&tables[..2], |_, _, _| {}).await;
    assert_eq!((report.read, poor.data_requests()), (1, 1));
    assert!(report.failed.iter().any(|(_, why)| why.contains("budget")), "{report:?}");
}

/// Rows of one month of a small set: one request.
fn month(month: u32) -> String {
    format!("/odata/jobindsats/{TABLE}/Landet?$filter=Periode eq '2025M{month:02}'")
}

/// The query for the newest rows that a workbook sends every day.
const NEWEST: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2026M01'";

/// So many clients ask for the same: one of them counts once a day.
async fn ask(app: &App, path: &str, clients: usize) {
    for client in 0..clients {
        let from = format!("192.0.2.{client}");
        assert_eq!(app.get_with(path, &[("X-Forwarded-For", &from)]).await.status, 200);
    }
}

/// How many data requests a query causes now.
async fn cost(app: &App, path: &str) -> u64 {
    let before = app.data_requests();
    ask(app, path, 1).await;
    app.data_requests() - before
}

/// The months that were read, in turn.
fn months_read(app: &App) -> Vec<u32> {
    let log = app.upstream().requests().requests;
    let months = log.iter().filter(|request| request.table == TABLE);
    months.filter_map(|request| Some(request.target.split_once("2025M")?.1[..2].parse().unwrap())).collect()
}

#[actix_web::test]
async fn after_a_night_with_an_update_the_first_request_for_what_is_used_costs_nothing() {
    let app = app(MONDAY, Budget::default()).await;
    ask(&app, NEWEST, 2).await;
    ask(&app, &month(3), 1).await;
    let before = app.get(NEWEST).await.rows().len();
    app.pass_until("2026-09-14T21:30:00Z").await;
    app.upstream().publish(&Publish { table: TABLE.to_owned(), ..Publish::default() }).unwrap();
    app.pass_until("2026-09-15T05:45:00Z").await;
    app.upstream().clear_requests();
    let answer = app.get(NEWEST).await;
    assert_eq!(answer.rows().len(), before + 1, "the new period is there");
    assert!(answer.header("Age").parse::<u64>().unwrap() < 4 * 3600, "{}", answer.header("Age"));
    let log = app.upstream().requests();
    assert_eq!((log.table, log.data), (0, 0), "nobody waited for the upstream");
    assert_eq!(cost(&app, &month(3)).await, 1, "what was asked for once is not read ahead");
}

#[actix_web::test]
async fn an_update_in_the_middle_of_the_day_is_read_before_somebody_asks() {
    let app = app(MONDAY, Budget::default()).await;
    ask(&app, NEWEST, 2).await;
    app.pass(Duration::from_secs(3600)).await;
    app.upstream().publish(&Publish { table: TABLE.to_owned(), ..Publish::default() }).unwrap();
    app.pass(Duration::from_secs(3600)).await;
    assert_eq!(cost(&app, NEWEST).await, 0);
}

#[actix_web::test]
async fn what_is_used_most_comes_first_and_the_days_budget_ends_it() {
    for budget in [Budget { requests: 2, ..Budget::default() }, Budget { cells: 12, ..Budget::default() }] {
        let app = app(MONDAY, budget).await;
        for (number, times) in [(1, 2), (2, 5), (3, 3), (4, 4)] {
            ask(&app, &month(number), times).await;
        }
        app.pass_until("2026-09-15T02:50:00Z").await;
        app.upstream().clear_requests();
        app.pass_until("2026-09-15T07:00:00Z").await;
        assert_eq!(months_read(&app), [2, 4], "{budget:?}");
        let status = app.get("/status").await.text();
        assert!(status.contains("2 er klar, 2 mangler; 2 hentet på forhånd i dag"), "{status}");
        let metrics = app.get("/metrics").await.text();
        for line in ["ready 2", "left 2", "total{outcome=\"read\"} 2"] {
            assert!(metrics.contains(&format!("\njobindsats_bridge_read_ahead_{line}\n")), "{metrics}");
        }
        app.pass(DAY).await;
        assert_eq!(months_read(&app), [2, 4, 2, 4], "the next day has a budget of its own");
    }
}

#[actix_web::test]
async fn nothing_is_read_ahead_at_night_or_at_weekends() {
    let app = app("2026-09-18T07:15:00Z", Budget::default()).await;
    ask(&app, &month(1), 3).await;
    app.upstream().clear_requests();
    app.pass_until("2026-09-21T02:55:00Z").await;
    assert_eq!(months_read(&app), [0; 0], "from Friday to Monday, five to five in the morning");
    app.pass_until("2026-09-21T03:10:00Z").await;
    assert_eq!(months_read(&app), [1]);
}

#[actix_web::test]
async fn use_counts_survive_a_restart_and_fade_when_the_use_ends() {
    let app = app(MONDAY, Budget::default()).await;
    ask(&app, &month(1), 3).await;
    let app = app.restart().await;
    app.upstream().clear_requests();
    app.pass(12 * DAY).await;
    let read = months_read(&app);
    assert!((7..=9).contains(&read.len()), "on every working day for a week and a half: {read:?}");
    app.upstream().clear_requests();
    app.pass(3 * DAY).await;
    assert_eq!(months_read(&app), [0; 0], "reading ahead is no use");
}

#[actix_web::test]
async fn a_damaged_record_is_set_aside_and_counting_begins_anew() {
    let app = app(MONDAY, Budget::default()).await;
    ask(&app, &month(1), 3).await;
    let app = app.stopped(|folder| {
        let file = folder.join("simulator/uses.json");
        let whole = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, whole.replace("3.0", "9.0")).unwrap();
    });
    let app = app.await;
    assert!(app.folder.path().join("simulator/uses.json.damaged").exists());
    app.upstream().clear_requests();
    app.pass(DAY).await;
    assert_eq!(months_read(&app), [0; 0]);
}

#[actix_web::test]
async fn what_cannot_be_read_rests_and_does_not_take_the_day() {
    let app = app(MONDAY, Budget::default()).await;
    ask(&app, &month(1), 3).await;
    ask(&app, &month(2), 3).await;
    app.pass_until("2026-09-15T02:50:00Z").await;
    app.upstream().clear_requests();
    app.upstream().set_faults(Faults { unauthorized: 10_000, endpoint: Endpoint::Data, ..Faults::default() });
    app.pass_until("2026-09-15T05:00:00Z").await;
    let tries = months_read(&app);
    assert!((4..=10).contains(&tries.len()), "two hours, two chunks, each half an hour apart: {tries:?}");
    assert!(tries.contains(&1) && tries.contains(&2), "one failure does not hide the other: {tries:?}");
    app.upstream().reset_faults();
    app.pass_until("2026-09-15T05:45:00Z").await;
    assert_eq!(cost(&app, &month(1)).await + cost(&app, &month(2)).await, 0);
}

#[actix_web::test]
async fn the_last_call_is_left_for_people() {
    let app = app(MONDAY, Budget::default()).await;
    ask(&app, &month(1), 3).await;
    app.pass_until("2026-09-15T02:50:00Z").await;
    app.upstream().clear_requests();
    app.upstream().set_faults(Faults { hang: 1, ..Faults::default() });
    let asked = month(12);
    let person = app.get(&asked);
    let background = async {
        while app.data_requests() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        app.pass_until("2026-09-15T04:00:00Z").await;
    };
    tokio::select! {
        _ = person => panic!("it hangs"),
        () = background => {}
    }
    assert_eq!(months_read(&app), [12], "one of two calls is out, and the other is not taken");
}

#[actix_web::test]
async fn whoever_reads_through_everything_alone_leaves_nothing_to_be_read_ahead() {
    let app = app(MONDAY, Budget::default()).await;
    for number in 1..=12 {
        for _ in 0..3 {
            ask(&app, &month(number), 1).await;
        }
    }
    app.pass_until("2026-09-15T02:50:00Z").await;
    app.upstream().clear_requests();
    app.pass_until("2026-09-15T07:00:00Z").await;
    assert_eq!(months_read(&app), [0; 0]);
    ask(&app, &month(4), 1).await;
    app.upstream().clear_requests();
    app.pass_until("2026-09-16T07:00:00Z").await;
    let read = months_read(&app);
    assert!(!read.is_empty() && read.iter().all(|month| *month == 4), "asked for on two days: {read:?}");
}
