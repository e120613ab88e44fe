//! Limits hold for all bridges together, counted at the upstream.

use std::time::Duration;

use futures_util::future::join_all;
use jobindsats_bridge::peers::link::Standing;
use jobindsats_bridge::service::ServiceOptions;
use jobindsats_bridge::simulator::Faults;

use crate::bridges::{Bridge, World, until};
use crate::redis::{Passage, RedisServer, Way};

const MONTHS: [&str; 8] =
    ["2025M01", "2025M02", "2025M03", "2025M04", "2025M05", "2025M06", "2025M07", "2025M08"];

fn path(month: &str) -> String {
    format!("/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '{month}'&$select=Område")
}

async fn two(world: &World, redis: &[String; 2], change: impl Fn(&mut ServiceOptions)) -> [Bridge; 2] {
    let one = world.bridge_with(Some(&redis[0]), &change).await;
    let other = world.bridge_with(Some(&redis[1]), &change).await;
    one.is(Standing::Together).await;
    other.is(Standing::Together).await;
    [one, other]
}

/// The most calls that the upstream answered at the same time, each for as long as that.
async fn most_at_once(world: &World, took: Duration, asking: impl Future) -> usize {
    world.upstream().clear_requests();
    let delay_ms = u64::try_from(took.as_millis()).unwrap();
    world.upstream().set_faults(Faults { delay_ms, ..Faults::default() });
    asking.await;
    world.upstream().reset_faults();
    world.upstream().requests().most_at_once
}

#[actix_web::test]
async fn all_bridges_together_make_as_many_calls_at_once_as_one_may() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let way = Way::to(redis.port).await;
    for (concurrency, most) in [(2, 2), (3, 3), (5, 5)] {
        let bridges = two(&world, &[redis.url(), way.url()], |options| {
            options.settings.upstream_concurrency = concurrency;
            options.settings.cell_limit = 200;
        })
        .await;
        let asking = MONTHS.iter().enumerate().map(|(at, month)| {
            let (bridge, path) = (&bridges[at % 2], path(month));
            async move { assert_eq!(bridge.get(&path).await.status, 200) }
        });
        let found = most_at_once(&world, Duration::from_millis(200), join_all(asking)).await;
        assert_eq!(found, most);
        for bridge in bridges {
            bridge.stop().await;
        }
        let mut client = redis.client().await;
        ::redis::cmd("FLUSHALL").query_async::<()>(&mut client).await.unwrap();
    }
}

#[actix_web::test]
async fn bridges_that_are_cut_off_from_each_other_keep_the_limit_too() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let way = Way::to(redis.port).await;
    let bridges = two(&world, &[redis.url(), way.url()], |options| {
        options.settings.upstream_concurrency = 3;
        options.settings.cell_limit = 200;
    })
    .await;
    for bridge in &bridges {
        // A bridge that is cut off gives no new names.
        assert_eq!(bridge.get("/odata/jobindsats/y25i01/$metadata").await.status, 200);
    }
    let asking = MONTHS.iter().enumerate().map(|(at, month)| {
        let (bridge, path) = (&bridges[at % 2], path(month));
        async move { assert_eq!(bridge.get(&path).await.status, 200) }
    });
    let cut = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        way.set(Passage::Cut);
    };
    let both = async { tokio::join!(join_all(asking), cut) };
    let found = most_at_once(&world, Duration::from_millis(200), both).await;
    assert!((2..=3).contains(&found), "{found}");
}

#[actix_web::test]
async fn the_hourly_budget_is_one_for_all_and_a_bridge_alone_has_its_part() {
    let (world, mut redis) = (World::start().await, RedisServer::start());
    let bridges = two(&world, &[redis.url(), redis.url()], |options| {
        options.settings.upstream_calls_per_hour = Some(4);
    })
    .await;
    for (at, month) in MONTHS.iter().enumerate().take(4) {
        assert_eq!(bridges[at % 2].get(&path(month)).await.status, 200, "{at}");
    }
    for bridge in &bridges {
        let refused = bridge.get(&path(MONTHS[5])).await;
        assert_eq!(
            (refused.status, refused.json()["error"]["code"].as_str()),
            (503, Some("BudgetExhausted"))
        );
        let spent = || bridge.service.state.peers.as_ref().unwrap().report().spent;
        until("each says what all spent", async || spent() == [Some(4), None]).await;
        let scrape = bridge.get("/metrics").await.body;
        assert!(
            scrape.contains("budget_used{resource=\"upstream_calls\",share=\"everybody\"} 4\n"),
            "{scrape}"
        );
    }
    world.clock.advance(Duration::from_secs(2 * 3600));
    redis.kill();
    for bridge in &bridges {
        bridge.is(Standing::Alone).await;
        let statuses = [MONTHS[5], MONTHS[6], MONTHS[7]].map(path);
        let mut answered = 0;
        for path in &statuses {
            answered += usize::from(bridge.get(path).await.status == 200);
        }
        assert_eq!(answered, 2, "a half of four");
    }
    redis.start_again();
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
    }
    until("what was spent alone is booked", async || {
        let key = "jobindsats-bridge:1:simulator:spent:upstream_calls:everybody";
        let mut client = redis.client().await;
        let spent: Vec<u64> = ::redis::cmd("HVALS").arg(key).query_async(&mut client).await.unwrap();
        spent.iter().sum::<u64>() == 4
    })
    .await;
    for bridge in &bridges {
        assert_eq!(bridge.get(&path("2024M01")).await.status, 503);
    }
}
