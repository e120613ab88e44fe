//! What others put into a Redis, by mistake or on purpose.

use std::time::Duration;

use jobindsats_bridge::peers::link::Standing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::bridges::{ROWS, World};
use crate::redis::RedisServer;

#[actix_web::test]
async fn figures_that_were_changed_in_redis_are_refused_and_fetched_again() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let one = world.bridge(&redis.url()).await;
    one.is(Standing::Together).await;
    let rows = one.get(ROWS).await.rows();
    let mut client = redis.client().await;
    let blocks: Vec<String> = redis.keys().await.into_iter().filter(|key| key.contains(":block:")).collect();
    assert!(!blocks.is_empty());
    for (at, block) in blocks.iter().enumerate() {
        let mut bytes: Vec<u8> = ::redis::cmd("GET").arg(block).query_async(&mut client).await.unwrap();
        match at % 3 {
            0 => *bytes.last_mut().unwrap() ^= 1,
            1 => bytes.truncate(bytes.len() / 2),
            _ => bytes = b"something else".to_vec(),
        }
        ::redis::cmd("SET").arg(block).arg(bytes).query_async::<()>(&mut client).await.unwrap();
    }
    let asked = world.data_requests();
    let other = world.bridge(&redis.url()).await;
    other.is(Standing::Together).await;
    assert_eq!(other.get(ROWS).await.rows(), rows);
    assert!(world.data_requests() > asked, "fetched again");
}

#[actix_web::test]
async fn keys_of_another_kind_or_another_origin_do_no_harm() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let mut client = redis.client().await;
    for key in ["position", "blocks", "answers", "news:learnt", "calls", "bridges"] {
        let key = format!("jobindsats-bridge:1:simulator:{key}");
        ::redis::cmd("LPUSH").arg(key).arg("somebody's").query_async::<()>(&mut client).await.unwrap();
    }
    let bridge = world.bridge(&redis.url()).await;
    assert!(bridge.get(ROWS).await.rows().len() > 500);
    assert_eq!(bridge.standing(), Standing::Alone);
    let other =
        world.bridge_with(Some(&redis.url()), |options| options.upstream.folder = "another".to_owned()).await;
    other.is(Standing::Together).await;
    let asked = world.data_requests();
    assert!(other.get(ROWS).await.rows().len() > 500);
    assert!(world.data_requests() > asked, "another origin shares nothing with it");
}

#[actix_web::test]
async fn a_server_that_speaks_nonsense_is_left_alone() {
    let world = World::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 1024];
            let _ = stream.read(&mut bytes).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n$99999999999\r\n").await;
        }
    });
    let bridge = world.bridge(&format!("redis://127.0.0.1:{port}")).await;
    assert!(bridge.get(ROWS).await.rows().len() > 500);
    assert_eq!(bridge.standing(), Standing::Alone);
}

#[actix_web::test]
async fn a_bridge_that_died_while_it_fetched_is_not_waited_for() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let bridge = world.bridge(&redis.url()).await;
    bridge.is(Standing::Together).await;
    let rows = bridge.get(ROWS).await.rows();
    // What another bridge left that asked for everything and died: its sign of life ends in two seconds.
    let mut client = redis.client().await;
    let key = |name: &str| format!("jobindsats-bridge:1:simulator:{name}");
    let blocks: Vec<(String, String)> =
        ::redis::cmd("HGETALL").arg(key("blocks")).query_async(&mut client).await.unwrap();
    assert!(!blocks.is_empty());
    let stored = bridge.service.state.store.named(&"y25i01".into());
    let claims = stored.iter().enumerate().map(|(at, stored)| {
        let claim = serde_json::json!({
            "id": format!("claim-{at}"), "bridge": "dead", "revision": stored.revision.to_string(), "key": &*stored.key,
        });
        (format!("claim-{at}"), claim.to_string())
    });
    for (id, claim) in claims.collect::<Vec<_>>() {
        let command = ::redis::cmd("HSET").arg(key("claims:y25i01")).arg(id).arg(claim).clone();
        command.query_async::<()>(&mut client).await.unwrap();
    }
    let (seconds, _): (u64, u64) = ::redis::cmd("TIME").query_async(&mut client).await.unwrap();
    let sign = ::redis::cmd("ZADD").arg(key("bridges")).arg(seconds - 2).arg("dead").clone();
    sign.query_async::<()>(&mut client).await.unwrap();
    for (name, _) in blocks {
        ::redis::cmd("HDEL").arg(key("blocks")).arg(name).query_async::<()>(&mut client).await.unwrap();
    }
    let other = world.bridge(&redis.url()).await;
    other.is(Standing::Together).await;
    let began = std::time::Instant::now();
    assert_eq!(other.get(ROWS).await.rows(), rows);
    let took = began.elapsed();
    assert!(took > Duration::from_millis(500) && took < Duration::from_secs(8), "{took:?}");
}
