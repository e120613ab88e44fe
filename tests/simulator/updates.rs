//! The simulator's updates of tables: periods are added, old figures change, update dates change.

use chrono::{TimeZone, Utc};
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::simulator::{Publish, SimulatorOptions};
use reqwest::Method;
use serde_json::Value;

use super::Upstream;

async fn on(year: i32, month: u32, day: u32) -> (Upstream, Clock) {
    let clock = Clock::fixed(Utc.with_ymd_and_hms(year, month, day, 9, 0, 0).unwrap());
    (Upstream::with(SimulatorOptions { clock: clock.clone(), ..SimulatorOptions::default() }).await, clock)
}

async fn head(upstream: &Upstream, table: &str) -> Value {
    let list = upstream.get("/tables?format=json").await.json();
    let heads =
        list.as_array().unwrap().iter().flat_map(|subject| subject["table_groups"].as_array().unwrap());
    let mut heads = heads.flat_map(|group| group["tables"].as_array().unwrap());
    heads.find(|head| head["table_id"] == *table).unwrap().clone()
}

#[tokio::test]
async fn the_next_update_is_the_first_scheduled_date_after_today() {
    let (upstream, clock) = on(2026, 8, 22).await;
    let smt02 = head(&upstream, "smt02").await;
    assert_eq!(
        (smt02["update_latest"].as_str(), smt02["update_next"].as_str()),
        (Some("2026-07-26"), Some("2026-08-27"))
    );
    clock.set(Utc.with_ymd_and_hms(2026, 11, 27, 9, 0, 0).unwrap());
    assert_eq!(head(&upstream, "smt02").await["update_next"], "2026-12-27");
    clock.set(Utc.with_ymd_and_hms(2026, 6, 1, 9, 0, 0).unwrap());
    assert_eq!(head(&upstream, "smt02").await["update_next"], "2026-06-27");
    assert_eq!(head(&upstream, "y36a02").await["update_next"], "", "a table that is no longer updated");
}

#[tokio::test]
async fn an_update_adds_a_period_moves_the_date_and_changes_old_figures() {
    let (upstream, _) = on(2026, 9, 20).await;
    let all = "mgroup.*=*&period.M=2025M01,2026M05,2026M06,2026M07&hierarchy._nykom=*";
    let before = upstream.data("y07a02", all).await.rows();
    upstream.simulator.control().publish(&Publish { table: "y07a02".into(), ..Publish::default() }).unwrap();
    let head = head(&upstream, "y07a02").await;
    assert_eq!(head["update_latest"], "2026-09-20");
    assert_eq!(head["periods"]["periodtypes"][0]["period_last"], "2026M08");
    let after = upstream.data("y07a02", all).await.rows();
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert!(changed > 100, "{changed} rows changed");
    let country = |rows: &[Vec<Value>]| rows[300][2].as_f64().unwrap();
    assert_eq!(before[300][..2], ["2026M07", "Hele landet"]);
    let ratio = country(&after) / country(&before);
    assert!(ratio != 1.0 && (0.99..1.01).contains(&ratio), "the newest month changes a little: {ratio}");
    assert_eq!(
        upstream.data("y07a02", "mgroup.*=*&period.M=2026M08&hierarchy._nykom=/").await.rows().len(),
        1
    );
}

#[tokio::test]
async fn an_update_leaves_published_figures_alone_unless_asked_to_revise_them() {
    let (upstream, _) = on(2026, 9, 20).await;
    let june = "mgroup.*=*&period.M=2026M06&hierarchy._nykom=/";
    let before = upstream.data("y25i01", june).await.rows();
    let control = upstream.simulator.control();
    control.publish(&Publish { table: "y25i01".into(), ..Publish::default() }).unwrap();
    assert_eq!(upstream.data("y25i01", june).await.rows(), before);
    control
        .publish(&Publish { table: "y25i01".into(), revise_published: true, ..Publish::default() })
        .unwrap();
    let after = upstream.data("y25i01", june).await.rows();
    assert!(after[0][3].as_i64() > before[0][3].as_i64(), "{after:?}");
    control.set_edition(Some("y25i01"), 0).unwrap();
    assert_eq!(upstream.data("y25i01", june).await.rows(), before);
}

#[tokio::test]
async fn in_a_demonstration_the_newest_periods_follow_the_clock() {
    let clock = Clock::fixed(Utc.with_ymd_and_hms(2026, 8, 12, 9, 0, 0).unwrap());
    let options =
        SimulatorOptions { clock: clock.clone(), follows_clock: true, ..SimulatorOptions::default() };
    let upstream = Upstream::with(options).await;
    let july = "mgroup.*=*&period.M=2026M07&hierarchy._nykom=*";
    let published = upstream.data("y25i01", july).await.rows();
    let last = |head: &Value, index: usize| head["periods"]["periodtypes"][index]["period_last"].clone();
    assert_eq!(last(&head(&upstream, "y25i01").await, 0), "2026M07");
    clock.set(Utc.with_ymd_and_hms(2027, 3, 20, 9, 0, 0).unwrap());
    let later = head(&upstream, "y25i01").await;
    assert!(later["update_latest"].as_str().unwrap().starts_with("2027-03"), "{later}");
    assert!(later["update_next"].as_str().unwrap().starts_with("2027-04"), "{later}");
    assert_eq!(last(&later, 0), "2027M02");
    let newest = upstream.data("y25i01", "mgroup.*=*&period.M=latest:1&hierarchy._nykom=/").await.rows();
    assert_eq!(newest[0][0], "2027M02");
    // Full-time persons and their share were published.
    let after = upstream.data("y25i01", july).await.rows();
    assert_eq!(after[0][3..], published[0][3..]);
    assert!(
        after[3][3].is_number()
            && after.iter().zip(&published).all(|(after, before)| after[3..5] == before[3..5])
    );
    let ended = head(&upstream, "y36a02").await;
    assert!(ended["update_latest"].as_str().unwrap() < "2026", "a table that is no longer updated: {ended}");
}

#[tokio::test]
async fn longer_periods_come_when_they_are_over() {
    let clock = Clock::fixed(Utc.with_ymd_and_hms(2027, 1, 5, 9, 0, 0).unwrap());
    let options =
        SimulatorOptions { clock: clock.clone(), follows_clock: true, ..SimulatorOptions::default() };
    let upstream = Upstream::with(options).await;
    let years = async || {
        let list = upstream.get("/tables?format=json").await.json().to_string();
        list.matches("2026Y01").count()
    };
    let before = years().await;
    clock.set(Utc.with_ymd_and_hms(2027, 4, 5, 9, 0, 0).unwrap());
    assert!(years().await > before, "{before}");
}

#[tokio::test]
async fn every_update_moves_the_date_even_twice_a_day() {
    let (upstream, _) = on(2026, 9, 20).await;
    for expected in ["2026-09-20", "2026-09-21"] {
        let reply = upstream.control(Method::POST, "/control/publish", r#"{"table":"y07a02"}"#).await;
        assert_eq!(reply.status, 204, "{}", reply.body);
        assert_eq!(head(&upstream, "y07a02").await["update_latest"], *expected);
    }
}

#[tokio::test]
async fn an_update_can_fall_into_the_middle_of_a_download() {
    let (upstream, _) = on(2026, 9, 20).await;
    let plan = r#"{"table":"y25i01","after_data_requests":2}"#;
    assert_eq!(upstream.control(Method::POST, "/control/publish", plan).await.status, 204);
    let latest = async || {
        let reply = upstream.data("y25i01", "mgroup.*=*&period.M=latest:1&hierarchy._nykom=/").await;
        reply.rows()[0][0].as_str().unwrap().to_owned()
    };
    upstream.data("y01a02", "mgroup.*=*&period.M=latest:1&hierarchy._nykom=/").await;
    assert_eq!([latest().await, latest().await, latest().await], ["2026M07", "2026M07", "2026M08"]);
}

#[tokio::test]
async fn an_unknown_table_cannot_be_updated() {
    let (upstream, _) = on(2026, 9, 20).await;
    assert_eq!(upstream.control(Method::POST, "/control/publish", r#"{"table":"y99a99"}"#).await.status, 404);
    assert_eq!(
        upstream.control(Method::POST, "/control/edition", r#"{"table":"y99a99","edition":0}"#).await.status,
        404
    );
}
