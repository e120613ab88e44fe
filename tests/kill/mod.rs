//! The program itself, killed while it writes. `KILL_CYCLES` says how often; a run before a release takes 200.

pub mod process;

use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;

use self::process::Bridge;

/// So many kills where nothing else is said.
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

async fn rows(bridge: &Bridge, query: &str) -> Value {
    let answer = bridge.get(query).await.unwrap();
    assert_eq!(answer.0, 200, "{query}: {}", answer.1);
    serde_json::from_str::<Value>(&answer.1).unwrap()["value"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_moment_spoils_no_cell_and_no_answer() {
    let cycles = std::env::var("KILL_CYCLES").map_or(FEW, |number| number.parse().unwrap());
    let seed = std::env::var("KILL_SEED").map_or(1, |number| number.parse().unwrap());
    let mut rng = Rng::with_seed(seed);
    let (folder, untouched) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let witness = Bridge::start(untouched.path()).await;
    let mut interrupted: Vec<String> = Vec::new();
    let mut found = 0;
    for cycle in 0..cycles {
        let bridge = Bridge::start(folder.path()).await;
        found += process::stored_files(folder.path(), "cells");
        for query in interrupted.drain(..) {
            assert_eq!(
                rows(&bridge, &query).await,
                rows(&witness, &query).await,
                "seed {seed}, kill {cycle}: {query}"
            );
        }
        interrupted.extend((0..rng.usize(1..4)).map(|_| query(&mut rng)));
        let moment = Duration::from_millis(rng.u64(0..200));
        let asked = futures_util::future::join_all(interrupted.iter().map(|query| bridge.get(query)));
        let _ = tokio::time::timeout(moment, asked).await;
        bridge.kill();
        assert_eq!(process::stored_files(folder.path(), "damaged"), 0, "seed {seed}, kill {cycle}");
    }
    assert!(found > 0, "no kill came after a write");
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
