//! A Redis that is gone, slow, full, wiped or somebody else's costs speed, not answers.

use jobindsats_bridge::peers::link::Standing;

use crate::bridges::{ROWS, World};
use crate::redis::{Passage, RedisServer, Way};

#[actix_web::test]
async fn without_redis_a_bridge_goes_on_and_tells_the_others_when_it_is_back() {
    let (world, mut redis) = (World::start().await, RedisServer::start());
    let bridges = [world.bridge(&redis.url()).await, world.bridge(&redis.url()).await];
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
    }
    let rows = bridges[0].get(ROWS).await.rows();
    assert_eq!(bridges[1].get(ROWS).await.rows(), rows);
    redis.kill();
    for bridge in &bridges {
        bridge.is(Standing::Alone).await;
        assert_eq!(bridge.get(ROWS).await.rows(), rows);
    }
    let asked = world.data_requests();
    let other = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode eq '2025M01'";
    let rows_of_one = bridges[0].get(other).await.rows();
    redis.start_again();
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
    }
    let alone = world.data_requests();
    assert!(alone > asked);
    crate::bridges::until("the other has them", async || bridges[1].get(other).await.rows() == rows_of_one)
        .await;
    assert_eq!(world.data_requests(), alone, "an empty Redis is filled again");
    let third = world.bridge(&redis.url()).await;
    third.is(Standing::Together).await;
    assert_eq!(third.get(ROWS).await.rows(), rows);
    assert_eq!(world.data_requests(), alone);
}

#[actix_web::test]
async fn a_silent_redis_is_left_and_found_again() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let way = Way::to(redis.port).await;
    let bridge = world.bridge(&way.url()).await;
    bridge.is(Standing::Together).await;
    assert_eq!(bridge.get("/odata/jobindsats/y25i01/$metadata").await.status, 200);
    way.set(Passage::Silent);
    assert!(bridge.get(ROWS).await.rows().len() > 500);
    bridge.is(Standing::Alone).await;
    way.set(Passage::Open);
    bridge.is(Standing::Together).await;
}

#[actix_web::test]
async fn a_wrong_address_a_wrong_password_no_room_and_no_writing_are_told_and_cost_no_answer() {
    let world = World::start().await;
    let (locked, full) = (
        RedisServer::with(&["--requirepass", "rigtigt-kodeord"]),
        RedisServer::with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]),
    );
    // Its master is nowhere: it answers and takes nothing.
    let read_only = RedisServer::with(&["--replicaof", "127.0.0.1", "1"]);
    let wrong = format!("redis://:forkert-kodeord@127.0.0.1:{}", locked.port);
    for url in ["redis://127.0.0.1:1".to_owned(), wrong, full.url(), read_only.url()] {
        let bridge = world.bridge(&url).await;
        assert!(bridge.get(ROWS).await.rows().len() > 500);
        bridge.is(Standing::Alone).await;
        let problem = bridge.service.state.peers.as_ref().unwrap().report().problem.unwrap();
        assert!(!problem.is_empty() && !problem.contains("kodeord"), "{problem}");
        bridge.stop().await;
    }
    let right = format!("redis://:rigtigt-kodeord@127.0.0.1:{}", locked.port);
    world.bridge(&right).await.is(Standing::Together).await;
}
