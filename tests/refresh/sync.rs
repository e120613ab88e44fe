//! The catalogue is read once, survives restarts and failures, and is replaced as a whole.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jobindsats_bridge::catalogue::id::MeasurementId;
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::refresh::sync::files::CatalogueFiles;
use jobindsats_bridge::refresh::sync::keeper::{CatalogueError, CatalogueKeeper, SyncScope};
use jobindsats_bridge::refresh::sync::{self, EveryRound};
use jobindsats_bridge::upstream::TableHints;
use jobindsats_bridge::upstream::client::{ClientOptions, HttpUpstream};
use jobindsats_bridge::upstream::error::Failure;
use jobindsats_bridge::upstream::read::ReadError;
use jobindsats_bridge::upstream::retry::Urgency;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::support::canned::{Canned, CannedServer};
use crate::upstream::options;

fn tables(ids: &[&str], update_latest: &str) -> Canned {
    let tables: Vec<_> = ids
        .iter()
        .map(|id| json!({"table_id": id, "table_name": id, "update_latest": update_latest}))
        .collect();
    Canned::ok(
        json!([{"subject_name": "A-dagpenge", "table_groups": [{"table_group_name": "Antal", "tables": tables}]}]),
    )
}

fn table(id: &str, newest: &str) -> Value {
    json!({
        "table_id": id, "table_name": id,
        "mgroups": [{"mgroup_id": "g", "mgroup_name": "Antal", "measures": [{"measure_id": "m", "measure_name": "Antal"}]}],
        "periods": [{"periodtype_id": "M", "values": [{"period_id": newest}]}],
        "dimensions": [{"dimension_id": "_omrade", "hierarchies": [{"hierarchy_id": "_nykom"}]}]
    })
}

fn subjects() -> Canned {
    Canned::ok(
        json!([{"subject_group_name": "Ydelser", "subjects": [{"subject_id": 1, "subject_name": "A-dagpenge"}]}]),
    )
}

fn healthy() -> Vec<(&'static str, Canned)> {
    vec![
        ("/subjects", subjects()),
        ("/tables", tables(&["y1", "y2"], "2026-08-14")),
        ("/table/y1", Canned::ok(table("y1", "2026M07"))),
        ("/table/y2", Canned::ok(table("y2", "2026M07"))),
    ]
}

fn updated() -> Vec<(&'static str, Canned)> {
    vec![
        ("/subjects", subjects()),
        ("/tables", tables(&["y1", "y2"], "2026-09-14")),
        ("/table/y1", Canned::ok(table("y1", "2026M08"))),
        ("/table/y2", Canned::ok(table("y2", "2026M08"))),
    ]
}

struct Setting {
    server: CannedServer,
    clock: Clock,
    folder: TempDir,
    keeper: Arc<CatalogueKeeper>,
}

async fn setting(answers: Vec<(&'static str, Canned)>) -> Setting {
    let server = CannedServer::start_by_path(answers).await;
    let clock = Clock::fixed("2026-09-01T10:00:00Z".parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let keeper = open(&server, &clock, folder.path());
    Setting { server, clock, folder, keeper }
}

fn open(server: &CannedServer, clock: &Clock, folder: &Path) -> Arc<CatalogueKeeper> {
    let upstream = HttpUpstream::new(ClientOptions { clock: clock.clone(), ..options(server) }).unwrap();
    let files = CatalogueFiles::new(folder);
    Arc::new(CatalogueKeeper::open(files, Arc::new(upstream), clock.clone(), TableHints::built_in()))
}

impl Setting {
    fn newest(&self, id: &str) -> String {
        self.keeper.current().measurement(id).unwrap().periods[0].id.to_string()
    }
}

#[tokio::test]
async fn a_synchronisation_reads_everything_and_tells_of_each_table() {
    let setting = setting(healthy()).await;
    let keeper = Arc::clone(&setting.keeper);
    let (report, told) = tokio::spawn(async move {
        let mut told = Vec::new();
        let report = keeper
            .sync(SyncScope::All, 2, |step| told.push((step.done, step.total, step.table.to_string())))
            .await
            .unwrap();
        (report, told)
    })
    .await
    .unwrap();
    assert_eq!((report.read, report.failed.len()), (2, 0));
    assert_eq!(told.iter().map(|step| (step.0, step.1)).collect::<Vec<_>>(), [(1, 2), (2, 2)]);
    let current = setting.keeper.current();
    assert_eq!((current.heads.len(), current.measurements.len(), current.subjects.len()), (2, 2, 1));
}

#[tokio::test]
async fn what_was_read_is_there_at_once_after_a_restart_with_the_upstream_down() {
    let setting = setting(healthy()).await;
    setting.keeper.sync(SyncScope::All, 2, |_| ()).await.unwrap();
    setting.server.instead([("/", Canned::new(500, ""))]);
    let asked = setting.server.count();
    let again = open(&setting.server, &setting.clock, setting.folder.path());
    let (before, after) = (setting.keeper.current(), again.current());
    assert_eq!((&before.heads, &before.measurements), (&after.heads, &after.measurements));
    assert_eq!((&before.subjects, before.read_at), (&after.subjects, after.read_at));
    again.measurement("Y1").await.unwrap();
    assert_eq!(setting.server.count(), asked, "nothing is asked for it");
}

#[tokio::test]
async fn one_damaged_file_costs_only_its_table() {
    let setting = setting(healthy()).await;
    setting.keeper.sync(SyncScope::All, 2, |_| ()).await.unwrap();
    std::fs::write(setting.folder.path().join("table/y1.json"), "{\"read_at\": ").unwrap();
    let again = open(&setting.server, &setting.clock, setting.folder.path());
    assert_eq!(again.current().measurements.keys().map(MeasurementId::as_str).collect::<Vec<_>>(), ["y2"]);
    again.measurement("y1").await.unwrap();
    assert_eq!(again.current().measurements.len(), 2);
}

#[tokio::test]
async fn a_table_is_read_on_request_once_however_many_ask() {
    let mut answers = healthy();
    answers[2].1 = Canned::ok(table("y1", "2026M07")).slow(Duration::from_millis(50));
    let setting = setting(answers).await;
    let asks = futures_util::future::join_all((0..20).map(|_| setting.keeper.measurement("y1"))).await;
    assert!(asks.iter().all(Result::is_ok));
    assert_eq!((setting.server.count_of("/tables"), setting.server.count_of("/table/y1")), (1, 1));
    setting.keeper.measurement("y1").await.unwrap();
    assert_eq!(setting.server.count_of("/table/y1"), 1);
    setting.keeper.reread(&MeasurementId::from("y1"), Urgency::Background).await.unwrap();
    assert_eq!(setting.server.count_of("/table/y1"), 2, "asked for anew, it is read anew");
}

#[tokio::test]
async fn the_list_is_looked_up_at_most_every_quarter_of_an_hour() {
    let setting = setting(healthy()).await;
    for (minutes, lookups) in [(0, 1), (14, 1), (1, 2), (5, 2)] {
        setting.clock.advance(Duration::from_secs(minutes * 60));
        setting.keeper.fresh_list().await.unwrap();
        assert_eq!(setting.server.count_of("/tables"), lookups);
    }
}

#[tokio::test]
async fn an_unknown_table_is_said_to_be_unknown_and_not_asked_for() {
    let setting = setting(healthy()).await;
    let error = setting.keeper.measurement("y9").await.unwrap_err();
    assert_eq!(error, CatalogueError::UnknownTable { id: "y9".to_owned() });
    assert_eq!(setting.server.count_of("/table/y9"), 0);
}

#[tokio::test]
async fn while_nothing_is_known_a_failure_is_answered_as_a_failure() {
    let setting = setting(vec![("/", Canned::new(500, ""))]).await;
    let error = setting.keeper.measurement("y1").await.unwrap_err();
    assert!(matches!(error, CatalogueError::Upstream(_)), "{error}");
    let asked = setting.server.count();
    assert!(setting.keeper.fresh_list().await.is_err());
    assert_eq!(setting.server.count(), asked, "the failure is shared for a while");
}

#[tokio::test]
async fn the_list_is_read_as_soon_as_the_upstream_opens() {
    let setting = setting(healthy()).await;
    setting.keeper.refresh_list().await.unwrap();
    let asked = setting.server.count_of("/tables");
    setting.clock.set("2026-09-01T20:59:59Z".parse().unwrap());
    setting.keeper.look_up().await.unwrap_err();
    setting.clock.set("2026-09-01T21:00:00Z".parse().unwrap());
    setting.keeper.look_up().await.unwrap();
    assert_eq!(setting.server.count_of("/tables"), asked + 1);
}

#[tokio::test]
async fn who_shares_a_reading_shares_its_failure() {
    let setting = setting(healthy()).await;
    let keeper = &setting.keeper;
    let later = async {
        // The first is under way; the second reads for itself and the third.
        setting.clock.set("2026-09-01T20:30:00Z".parse().unwrap());
        tokio::join!(keeper.look_up(), keeper.look_up())
    };
    let (first, (second, third)) = tokio::join!(keeper.look_up(), later);
    assert_eq!([first, second, third].map(|read| read.is_ok()), [true, false, false]);
    assert_eq!(setting.server.count_of("/tables"), 1, "closed");
}

#[tokio::test]
async fn who_waited_for_a_reading_that_failed_after_long_does_not_begin_another() {
    let answers = healthy().into_iter().map(|(path, answer)| match path {
        "/tables" => (path, Canned::new(500, "").slow(Duration::from_millis(200))),
        _ => (path, answer),
    });
    let setting = setting(answers.collect()).await;
    let keeper = &setting.keeper;
    let time_passes = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        setting.clock.advance(Duration::from_secs(30));
    };
    let (first, second, ()) = tokio::join!(keeper.look_up(), keeper.look_up(), time_passes);
    assert!(first.is_err() && second.is_err());
    let asked = setting.server.count_of("/tables");
    assert_eq!(asked, 2, "tries of one reading");
    keeper.look_up().await.unwrap_err();
    setting.clock.advance(Duration::from_secs(11));
    keeper.look_up().await.unwrap_err();
    assert_eq!(setting.server.count_of("/tables"), 2 * asked, "of the one that begins after a pause");
}

#[tokio::test]
async fn the_background_tries_again_after_a_minute_where_the_list_cannot_be_read() {
    let setting = setting(vec![("/", Canned::new(500, ""))]).await;
    let (stop, stopped) = watch::channel(false);
    let (keeper, clock) = (Arc::clone(&setting.keeper), setting.clock.clone());
    let background = tokio::spawn(sync::run(keeper, 2, clock, Arc::new(EveryRound), stopped));
    let round_ends = async || {
        while setting.clock.sleepers() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    round_ends().await;
    assert!(setting.keeper.current().heads.is_empty());
    setting.server.instead(healthy());
    setting.clock.advance(Duration::from_secs(61));
    round_ends().await;
    assert_eq!(setting.keeper.current().heads.len(), 2);
    let asked = setting.server.count_of("/tables");
    setting.clock.advance(Duration::from_secs(61));
    round_ends().await;
    assert_eq!(
        setting.server.count_of("/tables"),
        asked,
        "a list that was read is good for a quarter of an hour"
    );
    drop(stop);
    background.await.unwrap();
}

#[tokio::test]
async fn a_failure_changes_nothing_that_is_known() {
    let setting = setting(healthy()).await;
    setting.keeper.sync(SyncScope::All, 2, |_| ()).await.unwrap();
    let before = setting.keeper.current();
    let other_table = vec![
        ("/subjects", Canned::ok("[]")),
        ("/tables", tables(&["y1", "y2"], "2026-08-14")),
        ("/table/", Canned::ok(table("y7", "2026M08"))),
    ];
    let none: Vec<(&str, Canned)> = vec![("/", Canned::ok("[]"))];
    let page: Vec<(&str, Canned)> = vec![("/", Canned::ok("<html>"))];
    for answers in [none, page] {
        setting.server.instead(answers);
        setting.keeper.sync(SyncScope::All, 2, |_| ()).await.unwrap_err();
    }
    setting.server.instead(other_table);
    let report = setting.keeper.sync(SyncScope::All, 2, |_| ()).await.unwrap();
    assert_eq!((report.read, report.failed.len()), (0, 2));
    assert!(matches!(report.failed[0].1, CatalogueError::Read(ReadError::OtherTable { .. })));
    let after = setting.keeper.current();
    assert_eq!(
        (&before.heads, &before.measurements, &before.subjects),
        (&after.heads, &after.measurements, &after.subjects)
    );
    let restarted = open(&setting.server, &setting.clock, setting.folder.path()).current();
    assert_eq!(before.measurements, restarted.measurements, "nor what is kept on disk");
}

#[tokio::test]
async fn a_table_that_was_updated_is_read_again_on_request() {
    let setting = setting(healthy()).await;
    setting.keeper.measurement("y1").await.unwrap();
    setting.server.instead(updated());
    setting.keeper.refresh_list().await.unwrap();
    assert_eq!(setting.newest("y1"), "2026M07");
    setting.keeper.measurement("y1").await.unwrap();
    assert_eq!(setting.newest("y1"), "2026M08");
}

#[tokio::test]
async fn an_updated_table_that_cannot_be_read_serves_as_it_was_and_is_not_asked_for_by_everyone() {
    let setting = setting(healthy()).await;
    setting.keeper.measurement("y1").await.unwrap();
    let mut answers = updated();
    answers[2].1 = Canned::cause(404, "gone for now");
    setting.server.instead(answers);
    setting.keeper.refresh_list().await.unwrap();
    for _ in 0..3 {
        let known = setting.keeper.measurement("y1").await.unwrap();
        assert_eq!(known.periods[0].id.as_str(), "2026M07");
    }
    assert_eq!(setting.server.count_of("/table/y1"), 2);
    setting.server.instead(updated());
    setting.clock.advance(Duration::from_secs(10));
    let known = setting.keeper.measurement("y1").await.unwrap();
    assert_eq!(known.periods[0].id.as_str(), "2026M08", "soon it is tried again");
}

#[tokio::test]
async fn the_background_reads_what_is_due_and_leaves_the_rest() {
    let setting = setting(healthy()).await;
    let due = async || setting.keeper.sync(SyncScope::Due, 2, |_| ()).await.unwrap().read;
    setting.keeper.measurement("y1").await.unwrap();
    assert_eq!(due().await, 1, "the one that was not read");
    assert_eq!(due().await, 0);
    setting.server.instead(updated());
    assert_eq!(due().await, 2, "both were updated");
    setting.clock.advance(Duration::from_secs(86_400));
    assert_eq!(due().await, 2, "a day is long enough");
}

#[tokio::test]
async fn a_table_that_is_no_longer_listed_is_no_longer_there() {
    let setting = setting(healthy()).await;
    setting.keeper.sync(SyncScope::All, 2, |_| ()).await.unwrap();
    let mut answers = healthy();
    answers[1].1 = tables(&["y2"], "2026-08-14");
    setting.server.instead(answers);
    setting.keeper.refresh_list().await.unwrap();
    let current = setting.keeper.current();
    assert!(current.measurement("y1").is_none() && current.head("y1").is_none());
    assert!(current.measurement("y2").is_some());
}

#[tokio::test]
async fn a_refused_key_ends_a_synchronisation_at_once() {
    let mut answers = healthy();
    answers[2].1 = Canned::new(401, "");
    answers[3].1 = Canned::new(401, "");
    let setting = setting(answers).await;
    let report = setting.keeper.sync(SyncScope::All, 1, |_| ()).await.unwrap();
    assert_eq!(report.failed.len(), 1);
    let CatalogueError::Upstream(error) = &report.failed[0].1 else { panic!("{report:?}") };
    assert_eq!(error.failure, Failure::Unauthorized);
}
