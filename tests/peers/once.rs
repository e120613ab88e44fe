//! What one bridge fetches, the others do not.

use std::collections::HashSet;

use futures_util::future::join_all;
use jobindsats_bridge::peers::link::Standing;
use jobindsats_bridge::simulator::Faults;

use crate::bridges::{Bridge, ROWS, World, until};
use crate::redis::RedisServer;

async fn two(world: &World, redis: &RedisServer) -> [Bridge; 2] {
    let bridges = [world.bridge(&redis.url()).await, world.bridge(&redis.url()).await];
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
    }
    bridges
}

#[actix_web::test]
async fn figures_of_one_bridge_are_answered_by_another_without_the_upstream() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let [one, other] = two(&world, &redis).await;
    let rows = one.get(ROWS).await.rows();
    let asked = world.data_requests();
    assert!(asked > 0 && rows.len() > 500, "{asked} requests, {} rows", rows.len());
    assert_eq!(other.get(ROWS).await.rows(), rows);
    assert_eq!(world.data_requests(), asked, "the other asked nothing");
    let third = world.bridge(&redis.url()).await;
    third.is(Standing::Together).await;
    assert_eq!(third.get(ROWS).await.rows(), rows);
    assert_eq!(world.data_requests(), asked, "nor does who comes later");
    let third = third.restart().await;
    third.is(Standing::Together).await;
    assert_eq!(third.get(ROWS).await.rows(), rows);
    assert_eq!(world.data_requests(), asked, "nor does who comes back");
}

#[actix_web::test]
async fn a_thousand_cold_requests_over_two_bridges_ask_for_each_figure_once() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let start = || {
        world.bridge_with(Some(Box::leak(redis.url().into_boxed_str())), |options| {
            options.settings.cell_limit = 200;
            options.settings.answer_seconds = 600;
            options.settings.upstream_timeout_seconds = 600;
            options.settings.upstream_concurrency = 8;
        })
    };
    let bridges = [start().await, start().await];
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
    }
    let paths = ["2026M04", "2026M05", "2026M06"].map(|month| {
        format!("/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '{month}'&$select=Område")
    });
    world.upstream().set_faults(Faults { delay_ms: 20, ..Faults::default() });
    let asking = (0..1000).map(|at| bridges[at % 2].get(&paths[at % 3]));
    let answers = join_all(asking).await;
    world.upstream().reset_faults();
    for (at, answer) in answers.iter().enumerate().skip(3) {
        assert_eq!(answer.rows(), answers[at % 3].rows());
    }
    let log = world.upstream().requests();
    let asked: Vec<String> = log.requests.iter().map(|request| format!("{request:?}")).collect();
    let addresses: HashSet<_> = log.requests.iter().map(|request| request.target.clone()).collect();
    assert_eq!(addresses.len(), asked.len(), "none twice: {asked:#?}");
}

#[actix_web::test]
async fn metadata_is_read_by_one_bridge_for_all() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let [one, other] = two(&world, &redis).await;
    one.sync().await;
    let read = world.upstream().requests().table;
    until("the other knows all tables", async || {
        let known = |bridge: &Bridge| bridge.service.state.catalogue.current().measurements.len();
        known(&other) == known(&one)
    })
    .await;
    let third = world.bridge(&redis.url()).await;
    third.is(Standing::Together).await;
    let known = third.service.state.catalogue.current().measurements.len();
    assert_eq!((world.upstream().requests().table, known as u64), (read, read));
}
