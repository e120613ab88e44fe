//! The program as a process with a small memory budget, reading more cells than fit into it.

use std::time::Duration;

use crate::kill::process::Bridge;
use crate::support::open_files::allow_open_files;

const MEGABYTE: u64 = 1024 * 1024;
/// What stored cells may take in memory.
const BUDGET: u64 = 8;
/// What reading may take beside the store: answers on their way in, chunks being put together, a page on its way out.
const WORK: u64 = 140;
/// Ten years of a set of which thirteen months are nearly as much as a request may ask for.
const SET: &str = "/odata/jobindsats/y01dia02/Fordelt_på_A_kasse?$filter=Periode ge '2016M01'";

const ANSWER_BYTES: &str = r#"jobindsats_bridge_budget_used{resource="answer_bytes",share="everybody"}"#;

async fn metric(bridge: &Bridge, name: &str) -> u64 {
    let metrics = bridge.get("/metrics").await.unwrap().1;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in {metrics}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_more_than_the_budget_evicts_and_stays_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = Bridge::start_with(folder.path(), &[("BRIDGE_MEMORY_MB", "8")]).await;
    let before = bridge.peak_memory();
    let path = format!("{SET}&$count=true&$top=1000");
    let plan = bridge.get(&format!("{path}&explain=plan")).await.unwrap().1;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let cells = plan["plan"].as_array().unwrap().iter().map(|chunk| chunk["cells"].as_u64().unwrap());
    let large = cells.filter(|cells| *cells > 180_000).count() as u64;
    assert!(large >= 8, "{large} requests of more than 180,000 cells");

    let (status, body) = bridge.get(&path).await.unwrap();
    assert_eq!(status, 200, "{body}");
    let (status, page) = bridge.get(SET).await.unwrap();
    assert_eq!((status, page.matches("\"Periode\"").count()), (200, 50_000));

    let grown = bridge.peak_memory() - before;
    assert!(grown < (BUDGET + WORK) * MEGABYTE, "{} MB more than at the start", grown / MEGABYTE);
    assert!(metric(&bridge, "jobindsats_bridge_cache_evictions_total").await > 0);
    assert!(metric(&bridge, "jobindsats_bridge_cache_size_bytes").await <= BUDGET * MEGABYTE);
}

/// What ten batches of ten pages may take beside what one page takes, where whole bodies took 730 MB: answers may have 128 MB, the
/// store 64, and the same again is left to what allocations and compression add.
const BATCHES: u64 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_that_nobody_reads_take_no_more_than_what_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("BRIDGE_MEMORY_MB", "64"), ("BRIDGE_ANSWERS_MB", "128")];
    let bridge = Bridge::start_with(folder.path(), &settings).await;
    let page = "/odata/jobindsats/y01dia02/Fordelt_p%C3%A5_A_kasse";
    assert_eq!(bridge.get(page).await.unwrap().0, 200);
    let before = bridge.peak_memory();
    let requests: Vec<_> =
        (0..10).map(|id| serde_json::json!({ "id": id.to_string(), "method": "GET", "url": page })).collect();
    let body = serde_json::json!({ "requests": requests }).to_string();
    let head = "POST /odata/$batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut readers = Vec::new();
    for _ in 0..10 {
        readers.push(bridge.ask_unread(request.as_bytes()).await);
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(bridge.get("/healthz").await.unwrap().0, 200);
    assert!(metric(&bridge, ANSWER_BYTES).await > 0, "the batches are under way");
    let grown = bridge.peak_memory() - before;
    assert!(grown < BATCHES * MEGABYTE, "{} MB more than with one page", grown / MEGABYTE);
    drop(readers);
}

/// What a thousand readers may take beside what one page takes: answers have 128 MB and the store 64; a connection is left a quarter of a
/// megabyte for what it has read and is writing. The pages themselves are more than 50 GB.
const READERS: u64 = 128 + 64 + 1000 / 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_slow_readers_of_a_large_page_take_no_more_than_the_budget() {
    allow_open_files(2_500);
    let folder = tempfile::tempdir().unwrap();
    let settings = [("BRIDGE_MEMORY_MB", "64"), ("BRIDGE_ANSWERS_MB", "128")];
    let bridge = Bridge::start_with(folder.path(), &settings).await;
    let page =
        "/odata/jobindsats/y01dia02/Fordelt_p%C3%A5_A_kasse?$format=application/json;odata.metadata=full";
    let small = "/odata/jobindsats/y25i01/Landet?$top=1";
    let (status, body) = bridge.get(page).await.unwrap();
    assert!(status == 200 && body.len() as u64 > 50 * MEGABYTE, "{status}: {} bytes", body.len());
    assert_eq!(bridge.get(small).await.unwrap().0, 200);
    let before = bridge.peak_memory();
    let request = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut readers = Vec::new();
    for _ in 0..1000 {
        readers.push(bridge.ask_unread(request.as_bytes()).await);
    }
    // Longer than anybody waits for room.
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(bridge.get("/healthz").await.unwrap().0, 200);
        assert_eq!(bridge.get(small).await.unwrap().0, 200, "a few rows wait for nobody");
    }
    let held = metric(&bridge, ANSWER_BYTES).await;
    assert!(held > 20 * MEGABYTE && held <= 128 * MEGABYTE, "{} MB are held", held / MEGABYTE);
    let grown = bridge.peak_memory() - before;
    assert!(grown < READERS * MEGABYTE, "{} MB more than with one page", grown / MEGABYTE);
    drop(readers);
}
