//! Everything at once: bridges that end and start, a Redis that dies, ways that are cut, updates. `PEERS_SECONDS` says for how long, and
//! `PEERS_SEED` with which chances.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use jobindsats_bridge::peers::link::Standing;
use jobindsats_bridge::simulator::Publish;
use serde_json::Value;
use tokio::sync::{Mutex, RwLock};

use crate::bridges::{Answer, Bridge, World, until};
use crate::redis::{Passage, RedisServer, Way};

const TABLES: [&str; 2] = ["y25i01", "y25i08"];
const MONTHS: [&str; 4] = ["2025M11", "2025M12", "2026M01", "2026M02"];
const CLIENTS: u64 = 4;
const DAY: Duration = Duration::from_secs(24 * 3600);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn paths() -> Vec<String> {
    let sets = ["Hovedtal", "Kommuner"];
    let path = |table: &str, set: &str, month: &str| {
        format!("/odata/jobindsats/{table}/{set}?$filter=Periode eq '{month}'")
    };
    let tables = TABLES.iter().flat_map(|table| sets.iter().map(move |set| (table, set)));
    tables.flat_map(|(table, set)| MONTHS.iter().map(move |month| path(table, set, month))).collect()
}

/// The figures of an answer. Since when they are as they are is known to who has read them before.
fn figures(answer: &Answer) -> Vec<Value> {
    let mut rows = answer.rows();
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("Opdateret")));
    rows
}

/// What was published, in the order in which it was.
#[derive(Default)]
struct Published(Mutex<HashMap<String, Vec<Vec<Value>>>>);

impl Published {
    /// Reads what is published now, with a bridge that shares nothing.
    async fn read(&self, world: &World) {
        let alone = world.bridge_with(None, |_| {}).await;
        let mut published = self.0.lock().await;
        for path in paths() {
            let rows = figures(&alone.get(&path).await);
            let versions = published.entry(path).or_default();
            if versions.last() != Some(&rows) {
                versions.push(rows);
            }
        }
        drop(published);
        alone.stop().await;
    }

    /// Which version the rows are, the newest if several are alike.
    async fn version(&self, path: &str, rows: &[Value]) -> Option<usize> {
        self.0.lock().await[path].iter().rposition(|version| version == rows)
    }
}

struct Stage {
    world: World,
    ways: [Way; 2],
    bridges: [RwLock<Option<Bridge>>; 2],
    published: Published,
    is_over: AtomicBool,
    answers: AtomicU64,
    /// Milliseconds of the answer that took longest.
    longest_ms: AtomicU64,
}

/// Asks for random rows until all is over; each must be what was published, and no older than what the bridge gave before.
async fn client(stage: Arc<Stage>, seed: u64) {
    let (mut random, paths) = (fastrand::Rng::with_seed(seed), paths());
    let mut seen: HashMap<(usize, String), usize> = HashMap::new();
    while !stage.is_over.load(Ordering::Relaxed) {
        let (at, path) = (random.usize(0..2), &paths[random.usize(0..paths.len())]);
        let bridge = stage.bridges[at].read().await;
        let began = Instant::now();
        let answer = bridge.as_ref().unwrap().get(path).await;
        drop(bridge);
        stage.longest_ms.fetch_max(began.elapsed().as_millis() as u64, Ordering::Relaxed);
        assert_eq!(answer.status, 200, "bridge {at}, {path}: {}", answer.body);
        let rows = figures(&answer);
        let version = stage.published.version(path, &rows).await;
        let version = version.unwrap_or_else(|| panic!("bridge {at}, {path}: never published: {rows:?}"));
        let before = seen.entry((at, path.clone())).or_default();
        assert!(version >= *before, "bridge {at}, {path}: version {version} after {before}");
        *before = version;
        stage.answers.fetch_add(1, Ordering::Relaxed);
    }
}

/// One disturbance.
async fn disturb(stage: &Stage, redis: &mut RedisServer, random: &mut fastrand::Rng) -> &'static str {
    let (at, pause) = (random.usize(0..2), Duration::from_millis(random.u64(50..2_500)));
    match random.u32(0..6) {
        0 => {
            redis.kill();
            tokio::time::sleep(pause).await;
            redis.start_again();
            "Redis ended and started empty"
        }
        1 | 2 => {
            let passage = if random.bool() { Passage::Cut } else { Passage::Silent };
            stage.ways[at].set(passage);
            tokio::time::sleep(pause).await;
            stage.ways[at].set(Passage::Open);
            "a way was cut or silent"
        }
        3 => {
            // Cut off first, so that it says no goodbye.
            stage.ways[at].set(Passage::Cut);
            let mut place = stage.bridges[at].write().await;
            let bridge = place.take().unwrap().restart().await;
            *place = Some(bridge);
            stage.ways[at].set(Passage::Open);
            "a bridge ended and started"
        }
        _ => {
            let table = TABLES[random.usize(0..TABLES.len())].to_owned();
            // Nobody asks while it is read what is published, so that every answer is known.
            let places = [stage.bridges[0].write().await, stage.bridges[1].write().await];
            // The list of tables has days: of two updates on one the second would not be noticed.
            stage.world.clock.advance(DAY);
            stage.world.upstream().publish(&Publish { table, ..Publish::default() }).unwrap();
            stage.published.read(&stage.world).await;
            drop(places);
            "an update"
        }
    }
}

#[actix_web::test]
async fn whatever_ends_or_is_cut_off_no_row_is_wrong_and_no_answer_missing() {
    let seconds = setting("PEERS_SECONDS", 30);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = setting("PEERS_SEED", now.as_secs());
    println!("seed {seed}, {seconds} s");
    let (world, mut redis) = (World::start().await, RedisServer::start());
    let ways = [Way::to(redis.port).await, Way::to(redis.port).await];
    let bridges = [world.bridge(&ways[0].url()).await, world.bridge(&ways[1].url()).await];
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
        // A bridge that is cut off gives no new names.
        for table in TABLES {
            assert_eq!(bridge.get(&format!("/odata/jobindsats/{table}/$metadata")).await.status, 200);
        }
    }
    let published = Published::default();
    published.read(&world).await;
    let bridges = bridges.map(|bridge| RwLock::new(Some(bridge)));
    let (is_over, answers, longest_ms) = (AtomicBool::default(), AtomicU64::default(), AtomicU64::default());
    let stage = Arc::new(Stage { world, ways, bridges, published, is_over, answers, longest_ms });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| actix_web::rt::spawn(client(Arc::clone(&stage), seed.wrapping_add(number))))
        .collect();
    let (mut random, mut done) = (fastrand::Rng::with_seed(seed), HashMap::<&str, u64>::new());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        *done.entry(disturb(&stage, &mut redis, &mut random).await).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(random.u64(50..800))).await;
        assert!(clients.iter().all(|client| !client.is_finished()), "a client has failed: seed {seed}");
    }
    stage.is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let longest_ms = stage.longest_ms.load(Ordering::Relaxed);
    println!("{} answers, the longest in {longest_ms} ms; {done:?}", stage.answers.load(Ordering::Relaxed));
    assert!(stage.answers.load(Ordering::Relaxed) > 10 * seconds, "clients were answered");
    // Both agree on what is newest, without a restart.
    stage.world.clock.advance(Duration::from_secs(16 * 60));
    for (at, place) in stage.bridges.iter().enumerate() {
        let place = place.read().await;
        let bridge = place.as_ref().unwrap();
        bridge.is(Standing::Together).await;
        for path in paths() {
            let newest = stage.published.0.lock().await[&path].last().unwrap().clone();
            until(&format!("bridge {at} has the newest of {path}"), async || {
                figures(&bridge.get(&path).await) == newest
            })
            .await;
        }
    }
}
