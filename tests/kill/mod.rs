//! Kills the program while it writes to disk and figures are revised, and checks it after each restart. `KILL_CYCLES` is the number
//! of kills; use 200 before a release.

#[cfg(target_os = "linux")]
mod open_files;
pub mod process;

use std::collections::HashSet;
use std::time::Duration;

use fastrand::Rng;
use jobindsats_bridge::simulator::Publish;
use serde_json::Value;

use self::process::Bridge;
use crate::support::app::{App, AppOptions, one_indicator};
use crate::support::patience::until;

/// The default number of kills.
const FEW: u64 = 5;
/// The tables whose cells are asked for: small ones, so that a kill meets many blocks.
const TABLES: &[&str] = &["y25i01", "y25i02", "y25i07"];

/// One of very many queries, so that there is always something to be fetched and written.
fn query(rng: &mut Rng) -> String {
    let table = rng.choice(TABLES).unwrap();
    let (year, month) = (rng.u32(2012..2026), rng.u32(1..13));
    let areas = rng.choice(["", " and Områdeniveau eq 'Kommune'", " and Område eq 'Hele landet'"]).unwrap();
    format!(
        "/odata/jobindsats/{table}/Hovedtal?$filter=Periode ge '{year}M{month:02}' and Periode le '{year}M12'{areas}&$top=2000"
    )
}

/// A query that is sent after every kill: its cells are in store, possibly of a superseded revision.
const ALWAYS: &str = "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2026M01'";

async fn rows(bridge: &Bridge, query: &str) -> Value {
    let answer = bridge.get(query).await.unwrap();
    assert_eq!(answer.0, 200, "{query}: {}", answer.1);
    serde_json::from_str::<Value>(&answer.1).unwrap()["value"].take()
}

/// Rows without `Opdateret`, which depends on what the service had read before.
fn figures(mut rows: Value) -> Value {
    let all = rows.as_array_mut().unwrap().iter_mut().filter_map(Value::as_object_mut);
    all.for_each(|row| {
        row.remove("Opdateret").unwrap();
    });
    rows
}

/// A service of this process that is never killed, and the simulator that it shares with those that are.
async fn witness() -> App {
    App::with(AppOptions { closed_hour: false, ..AppOptions::default() }).await
}

async fn witnessed(witness: &App, query: &str) -> Value {
    figures(witness.get(query).await.rows().into())
}

/// Revises figures of a table, and lets the witness service read the update.
fn revise(witness: &App, table: &str) {
    let publish = Publish { table: table.to_owned(), revise_published: true, ..Publish::default() };
    witness.upstream().publish(&publish).unwrap();
    witness.clock.advance(Duration::from_secs(16 * 60));
}

/// Waits until the bridge knows which updates there were, as it does soon after its start.
async fn knows_updates(bridge: &Bridge, witness: &App) {
    let dates =
        "/odata/Datasets?$filter=Identifier in ('y25i01','y25i02','y25i07')&$select=Identifier,Modified";
    witness.service.state.catalogue.fresh_list().await.unwrap();
    let known: Value = witness.get(dates).await.rows().into();
    for _ in 0..1000 {
        if rows(bridge, dates).await == known {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the bridge never knew of {known}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_moment_spoils_no_cell_and_no_answer() {
    let cycles = std::env::var("KILL_CYCLES").map_or(FEW, |number| number.parse().unwrap());
    let seed = std::env::var("KILL_SEED").map_or(1, |number| number.parse().unwrap());
    let mut rng = Rng::with_seed(seed);
    let (folder, indicators, witness) = (tempfile::tempdir().unwrap(), one_indicator(), witness().await);
    let mut asked: Vec<String> = Vec::new();
    let mut interrupted: Vec<String> = vec![ALWAYS.to_owned()];
    let (mut found, mut editions) = (0, HashSet::new());
    for cycle in 0..cycles {
        if cycle % 2 == 1 {
            revise(&witness, rng.choice(TABLES).unwrap());
        }
        let bridge = Bridge::start_on(&witness.simulator.url(), folder.path(), indicators.path()).await;
        found += process::stored_files(folder.path(), "cells");
        knows_updates(&bridge, &witness).await;
        editions.insert(witnessed(&witness, ALWAYS).await.to_string());
        let earlier = rng.choice(&asked).cloned();
        for query in interrupted.drain(..).chain([ALWAYS.to_owned()]).chain(earlier) {
            let (answer, expected) =
                (figures(rows(&bridge, &query).await), witnessed(&witness, &query).await);
            assert_eq!(answer, expected, "seed {seed}, kill {cycle}: {query}");
        }
        interrupted.extend((0..rng.usize(1..4)).map(|_| query(&mut rng)));
        asked.extend(interrupted.iter().cloned());
        let moment = Duration::from_millis(rng.u64(0..200));
        let under_way = futures_util::future::join_all(interrupted.iter().map(|query| bridge.get(query)));
        let _ = tokio::time::timeout(moment, under_way).await;
        bridge.kill();
        assert_eq!(process::stored_files(folder.path(), "damaged"), 0, "seed {seed}, kill {cycle}");
    }
    assert!(found > 0, "no kill came after a write");
    assert!(editions.len() > 1, "no stored figure was ever revised");
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_refuses_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let first = Bridge::start(folder.path()).await;
    let said = Bridge::refusal(folder.path());
    assert!(said.contains("is in use by another process"), "{said}");
    assert_eq!(first.get("/healthz").await.unwrap().0, 200, "the first goes on");
    drop(first);
    assert_eq!(Bridge::start(folder.path()).await.get("/healthz").await.unwrap().0, 200);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_cannot_be_written_leaves_the_service_in_memory() {
    let bridge = Bridge::start("/sys/jobindsats-bridge".as_ref()).await;
    let query = "/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M06'";
    assert_eq!(rows(&bridge, query).await[0]["Antal_ledige_personer"], 110_854);
    let status = bridge.get("/status").await.unwrap().1;
    assert!(status.contains("der kan ikke skrives"), "{status}");
    let metrics = bridge.get("/metrics").await.unwrap().1;
    assert!(metrics.contains("\njobindsats_bridge_disk_writable 0\n"), "{metrics}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_costs_no_answer_and_leaves_no_halves_behind() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = Bridge::start_on_full_disk(folder.path()).await;
    let query = "/odata/jobindsats/y25i01/Kommuner?$filter=Periode ge '2024M01'";
    let answer = rows(&bridge, query).await;
    let full = async || bridge.get("/status").await.unwrap().1.contains("der kan ikke skrives");
    until("the full disk is noticed", full).await;
    assert_eq!(rows(&bridge, query).await, answer, "from memory");
    drop(bridge);
    for ending in ["cells", "new", "damaged"] {
        assert_eq!(process::stored_files(folder.path(), ending), 0, "{ending}");
    }
    assert_eq!(rows(&Bridge::start(folder.path()).await, query).await, answer);
}

#[tokio::test]
async fn damaged_names_stop_the_start_and_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = Bridge::start(folder.path()).await;
    assert_eq!(bridge.get("/odata/jobindsats/y25i01/").await.unwrap().0, 200);
    drop(bridge);
    let names = process::origin_folder(folder.path()).join("names.json");
    let whole = std::fs::read_to_string(&names).unwrap();
    let newer = whole.replacen("\"version\":1", "\"version\":2", 1);
    assert_ne!(newer, whole);
    let spoilt = [whole.replace("ledige", "ledigE"), whole[..whole.len() / 2].to_owned(), String::new()];
    for spoilt in spoilt.iter().chain([&newer]) {
        std::fs::write(&names, spoilt).unwrap();
        let said = Bridge::refusal(folder.path());
        assert!(said.contains("names.json") && said.contains("restore it, or remove it"), "{said}");
        assert_eq!(said.contains("a newer version of the program wrote it"), *spoilt == newer, "{said}");
    }
    std::fs::write(&names, whole).unwrap();
    let bridge = Bridge::start(folder.path()).await;
    assert_eq!(bridge.get("/odata/jobindsats/y25i01/").await.unwrap().0, 200);
}
