//! A day of two bridges takes as many calls as one's.

use std::time::{Duration, Instant};

use chrono::{DateTime, Timelike, Utc};
use jobindsats_bridge::peers::link::Standing;
use jobindsats_bridge::service::ServiceOptions;
use jobindsats_bridge::simulator::Publish;
use tempfile::NamedTempFile;

use crate::bridges::{Bridge, PATIENCE, World};
use crate::redis::RedisServer;

/// Figures that nobody else asks for.
const NEW: &str = "/odata/jobindsats/y25i01/Fordelt_på_Køn?$filter=Periode eq '2023M04'";
const QUARTER: Duration = Duration::from_secs(15 * 60);
const TABLES: [&str; 3] = ["y25i01", "y25i08", "y25i03"];
/// Loops of the background of one bridge: the catalogue, the indicators and what is read ahead.
const LOOPS: usize = 3;

/// A file with one indicator, of a table that tests read nothing else of.
pub fn indicator() -> NamedTempFile {
    let indicator = serde_json::json!({
        "id": "ledige_saesonkorrigeret", "title": "Fuldtidsledige, sæsonkorrigeret", "table": "y25i03",
        "measure": "Antal fuldtidsledige (sæsonkorrigeret)", "period_type": "M",
        "quantity": "full_time_persons", "levels": ["country"]
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::json!({ "indicators": [indicator] }).to_string()).unwrap();
    file
}

/// Waits until every loop of the background sleeps, twice in a row: bridges wait for each other.
async fn rest(world: &World, bridges: usize) {
    let (began, mut quiet) = (Instant::now(), 0);
    while quiet < 3 {
        assert!(began.elapsed() < PATIENCE, "{} loops sleep", world.clock.sleepers());
        quiet = if world.clock.sleepers() >= LOOPS * bridges { quiet + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether the upstream is closed then: from 22 to 23, two hours ahead of universal time.
fn is_closed(at: DateTime<Utc>) -> bool {
    at.hour() == 20
}

/// A day from nine in the morning, with updates and readers; the calls that the upstream saw, none of them in the closed hour.
async fn day(bridges: usize) -> [u64; 4] {
    let (world, redis, indicators) = (World::start().await, RedisServer::start(), indicator());
    let change = |options: &mut ServiceOptions| {
        options.background = true;
        options.settings.indicators = Some(indicators.path().to_owned());
    };
    let url = redis.url();
    let mut all: Vec<Bridge> = Vec::new();
    for _ in 0..bridges {
        let bridge = world.bridge_with((bridges > 1).then_some(&url), change).await;
        if bridges > 1 {
            bridge.is(Standing::Together).await;
        }
        all.push(bridge);
    }
    rest(&world, bridges).await;
    let mut refused = 0;
    for quarter in 0..96_usize {
        world.clock.advance(QUARTER);
        rest(&world, bridges).await;
        if quarter % 24 == 5 {
            let table = TABLES[quarter / 24 % TABLES.len()].to_owned();
            world.upstream().publish(&Publish { table, ..Publish::default() }).unwrap();
        }
        // What is not stored yet cannot be had while the upstream is closed.
        if is_closed(world.clock.now()) {
            for bridge in &all {
                let refused = bridge.get(NEW).await;
                assert_eq!(
                    (refused.status, refused.json()["error"]["code"].as_str()),
                    (503, Some("UpstreamClosed"))
                );
            }
            refused += 1;
        }
        // Nobody else reads at night.
        if (4..52).contains(&quarter) {
            let (table, month) = (TABLES[quarter % 3], 1 + quarter % 8);
            let path = format!("/odata/jobindsats/{table}/Hovedtal?$filter=Periode eq '2026M0{month}'");
            let same = format!("/odata/jobindsats/{table}/Kommuner?$filter=Periode eq '2026M06'");
            for path in [&path, &same, &path] {
                for reader in 0..2 {
                    let answer = all[(quarter + reader) % bridges].get(path).await;
                    assert!([200, 404].contains(&answer.status), "{path}: {}", answer.body);
                }
            }
        }
    }
    let log = world.upstream().requests();
    assert!(refused == 4 && log.arrivals.len() > 300, "{refused} {}", log.arrivals.len());
    assert_eq!(log.arrivals.iter().filter(|at| is_closed(**at)).count(), 0, "calls in the closed hour");
    for bridge in all {
        bridge.stop().await;
    }
    [log.subjects, log.tables, log.table, log.data]
}

#[actix_web::test]
async fn a_day_of_two_bridges_takes_as_many_calls_as_one_s() {
    let (one, two) = (day(1).await, day(2).await);
    let sum = |calls: [u64; 4]| calls.into_iter().sum::<u64>() as f64;
    println!("menu, lists, tables, figures: {one:?} of one bridge, {two:?} of two");
    assert!(sum(two) <= 1.05 * sum(one) && sum(two) >= 0.95 * sum(one), "{one:?} {two:?}");
}
