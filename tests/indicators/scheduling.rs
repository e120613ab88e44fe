//! When indicators are refreshed.

use std::sync::Arc;
use std::time::Duration;

use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::observe::upstream_observer::FailureReason;
use jobindsats_bridge::refresh::indicators::{Pace, run};
use serde_json::json;
use tokio::sync::watch;

use super::fake::{self, lines, sample};
use crate::support::patience::{PATIENCE, until};

const UP: &str = "jobindsats_indicator_up{indicator=\"personer\"}";

#[tokio::test]
async fn indicators_are_refreshed_until_the_program_stops_and_then_kept() {
    let folder = tempfile::tempdir().unwrap();
    let all = [fake::definition(json!({})), fake::definition(json!({ "id": "other" }))];
    let (source, clock, collector) = fake::collector(&all, folder.path());
    let collector = Arc::new(collector);
    source.change(|databank| databank.fault = Some(FailureReason::Timeout));
    let (stop, stopped) = watch::channel(false);
    let pace = Pace { interval: Duration::from_millis(200), retry: Duration::from_millis(10) };
    let background = tokio::spawn(run(Arc::clone(&collector), pace, Clock::System, stopped));

    let failed = "jobindsats_indicator_refresh_failures_total{indicator=\"personer\",reason=\"timeout\"}";
    until("failures are tried again soon", async || sample(&collector, failed) >= 2.0).await;
    source.change(|databank| databank.fault = None);
    until("both succeed", async || lines(&collector, "jobindsats_country_persons").len() == 2).await;
    clock.advance(Duration::from_secs(25 * 3600));
    until("they are refreshed again", async || source.change(|databank| databank.reads) >= 4).await;
    collector.redefine(&fake::definitions(&[fake::definition(json!({ "id": "later" }))]));
    until("a later definition has its turn", async || {
        lines(&collector, "jobindsats_country_persons").len() == 1
    })
    .await;

    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), background).await.expect("it stops").unwrap();
    let later = [fake::definition(json!({ "id": "later" }))];
    let restarted = fake::start(&source, &clock, &later, folder.path());
    assert_eq!(lines(&restarted, "jobindsats_country_persons").len(), 1, "what was known was kept");
}

#[tokio::test]
async fn what_was_refreshed_is_kept_while_others_are_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let all = [fake::definition(json!({})), fake::definition(json!({ "id": "other" }))];
    let (source, clock, collector) = fake::collector(&all, folder.path());
    source.change(|databank| databank.answers = 1);
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(run(Arc::new(collector), Pace::default(), Clock::System, stopped));
    until("the file of one that was refreshed", async || {
        let killed = fake::start(&source, &clock, &all, folder.path());
        lines(&killed, "jobindsats_country_persons").len() == 1
    })
    .await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_next_turn() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    let collector = Arc::new(collector);
    let (stop, stopped) = watch::channel(false);
    let background = tokio::spawn(run(Arc::clone(&collector), Pace::default(), Clock::System, stopped));
    until("the first refresh", async || sample(&collector, UP) == 1.0).await;
    drop(stop);
    tokio::time::timeout(PATIENCE, background).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn another_definition_under_the_same_id_does_not_wait_for_the_old_ones_turn() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    let collector = Arc::new(collector);
    let (_stop, stopped) = watch::channel(false);
    let pace = Pace { interval: Duration::from_secs(3600), retry: Duration::from_millis(20) };
    tokio::spawn(run(Arc::clone(&collector), pace, Clock::System, stopped));
    until("the first refresh", async || sample(&collector, UP) == 1.0).await;
    let share = json!({ "measure": "Personer i pct. af arbejdsstyrken", "quantity": "percent" });
    collector.redefine(&fake::definitions(&[fake::definition(share)]));
    until("the share is read", async || lines(&collector, "jobindsats_country_ratio").len() == 1).await;
}
