//! What was read later wins, and an answer is of one revision whichever bridge gives it.

use jobindsats_bridge::peers::link::Standing;
use jobindsats_bridge::simulator::Publish;

use crate::bridges::{ROWS, World, until};
use crate::redis::{Passage, RedisServer, Way};

#[actix_web::test]
async fn a_revision_that_one_bridge_notices_is_served_by_both() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let bridges = [world.bridge(&redis.url()).await, world.bridge(&redis.url()).await];
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
    }
    let before = bridges[0].get(ROWS).await.rows();
    assert_eq!(bridges[1].get(ROWS).await.rows(), before);
    world.upstream().publish(&Publish { table: "y25i01".to_owned(), ..Publish::default() }).unwrap();
    world.clock.advance(std::time::Duration::from_secs(16 * 60));
    let after = bridges[0].get(ROWS).await.rows();
    assert_ne!(after, before, "the update is noticed");
    // The newest period comes with the table's description, which is read when the update was noticed.
    let whole = bridges[0].get(ROWS).await.rows();
    let asked = world.data_requests();
    assert_eq!(bridges[1].get(ROWS).await.rows(), whole);
    assert_eq!(world.data_requests(), asked);
}

#[actix_web::test]
async fn a_link_of_one_bridge_is_followed_by_another() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let bridges = [world.bridge(&redis.url()).await, world.bridge(&redis.url()).await];
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
    }
    let whole = bridges[0].get(ROWS).await.rows();
    let (mut rows, mut next, mut turn) = (Vec::new(), Some(ROWS.to_owned()), 0);
    while let Some(link) = next {
        let path = link.find("/odata").map_or(link.clone(), |at| link[at..].to_owned());
        let page = bridges[turn % 2].page(&path, 97).await;
        rows.extend(page.rows());
        next = page.json()["@odata.nextLink"].as_str().map(str::to_owned);
        turn += 1;
    }
    assert_eq!((rows.len(), turn > 2), (whole.len(), true));
}

#[actix_web::test]
async fn of_two_bridges_that_were_apart_the_later_reading_wins() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let way = Way::to(redis.port).await;
    let (one, other) = (world.bridge(&redis.url()).await, world.bridge(&way.url()).await);
    one.is(Standing::Together).await;
    other.is(Standing::Together).await;
    // A bridge that is cut off gives no new names.
    assert_eq!(other.get("/odata/jobindsats/y25i01/$metadata").await.status, 200);
    way.set(Passage::Cut);
    other.is(Standing::Alone).await;
    let earlier = one.get(ROWS).await.rows();
    world.clock.advance(std::time::Duration::from_secs(60));
    world.upstream().set_edition_silently("y25i01", -1).unwrap();
    let later = other.get(ROWS).await.rows();
    assert_ne!(earlier, later, "the figures changed without a date");
    way.set(Passage::Open);
    other.is(Standing::Together).await;
    until("both have the later figures", async || {
        one.get(ROWS).await.rows() == later && other.get(ROWS).await.rows() == later
    })
    .await;
}
