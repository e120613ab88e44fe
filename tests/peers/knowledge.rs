//! What one bridge learns, the others know: names, habits, revisions, wrong guesses, circuits, the key of links.

use std::net::IpAddr;
use std::time::Duration;

use jobindsats_bridge::budget::Budget;
use jobindsats_bridge::budget::client::Client;
use jobindsats_bridge::observe::news::{Informed, Topic};
use jobindsats_bridge::peers::link::Standing;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::bridges::{Bridge, ROWS, World, until};
use crate::redis::RedisServer;

async fn two(world: &World, redis: &RedisServer) -> [Bridge; 2] {
    let bridges = [world.bridge(&redis.url()).await, world.bridge(&redis.url()).await];
    for bridge in &bridges {
        bridge.is(Standing::Together).await;
    }
    bridges
}

fn names(bridge: &Bridge) -> Vec<(String, String)> {
    bridge.service.state.feeds.keeper().facts()
}

#[actix_web::test]
async fn names_are_the_same_on_all_bridges_and_the_first_wins() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let one = world.bridge(&redis.url()).await;
    // A bridge that was never with others gives names of its own, which differ here.
    let other = world.bridge_with(None, |_| {}).await;
    let table = "/odata/jobindsats/y25i01/$metadata";
    assert_eq!(other.get(table).await.status, 200);
    let (id, given) = names(&other).into_iter().find(|(table, _)| table == "y25i01").unwrap();
    let mut renamed: Value = serde_json::from_str(&given).unwrap();
    let measures = renamed["measures"].as_object_mut().unwrap();
    let (first, before) =
        measures.iter().next().map(|(id, name)| (id.clone(), name.as_str().unwrap().to_owned())).unwrap();
    measures.insert(first, "Et_andet_navn".into());
    one.is(Standing::Together).await;
    assert_eq!(one.get(table).await.status, 200);
    until("the names are told", async || redis.keys().await.iter().any(|key| key.ends_with("news:names")))
        .await;
    other.service.state.feeds.keeper().adopt(vec![(id, renamed.to_string())]);
    let folder = other.keep().await;
    let other = world.bridge_in(Some(&redis.url()), folder).await;
    other.is(Standing::Together).await;
    until("both have the names of the first", async || names(&one) == names(&other)).await;
    let metadata = other.get(table).await.body;
    assert!(metadata.contains(&format!("\"{before}\"")) && !metadata.contains("\"Et_andet_navn\""));
    let rows = |column: &str| format!("/odata/jobindsats/y25i01/Hovedtal?$top=1&$select={column}");
    assert_eq!(other.get(&rows("Et_andet_navn")).await.status, 200, "the former name is known still");
    assert_eq!(other.get(&rows(&before)).await.status, 200);
}

#[actix_web::test]
async fn a_bridge_that_is_cut_off_gives_no_new_names() {
    let (world, mut redis) = (World::start().await, RedisServer::start());
    let [one, other] = two(&world, &redis).await;
    assert!(one.get(ROWS).await.rows().len() > 500);
    redis.kill();
    one.is(Standing::Alone).await;
    assert!(one.get(ROWS).await.rows().len() > 500, "what has names is answered");
    let refused = one.get("/odata/jobindsats/y25i08/Hovedtal?$top=1").await;
    assert!(refused.status >= 500 && refused.body.contains("other bridges"), "{}", refused.body);
    redis.start_again();
    one.is(Standing::Together).await;
    other.is(Standing::Together).await;
    assert_eq!(one.get("/odata/jobindsats/y25i08/Hovedtal?$top=1").await.status, 200);
}

#[actix_web::test]
async fn a_table_that_was_known_before_has_names_when_others_cannot_be_asked() {
    let (world, mut redis) = (World::start().await, RedisServer::start());
    let one = world.bridge(&redis.url()).await;
    one.is(Standing::Together).await;
    // Its description is read, as by the background, and nobody has asked for it.
    one.service.state.catalogue.measurement("y25i08").await.unwrap();
    let one = one.restart().await;
    one.is(Standing::Together).await;
    redis.kill();
    one.is(Standing::Alone).await;
    assert_eq!(one.get("/odata/jobindsats/y25i08/Hovedtal?$top=1").await.status, 200);
}

#[actix_web::test]
async fn links_of_one_bridge_are_known_to_another_also_after_a_new_redis() {
    let (world, mut redis) = (World::start().await, RedisServer::start());
    let [one, other] = two(&world, &redis).await;
    let key = |bridge: &Bridge| bridge.service.state.sign_in.link_key().expose_secret().to_owned();
    assert_eq!(key(&one), key(&other));
    redis.kill();
    one.is(Standing::Alone).await;
    redis.start_again();
    one.is(Standing::Together).await;
    other.is(Standing::Together).await;
    until("the key stays", async || key(&one) == key(&other)).await;
}

#[actix_web::test]
async fn revised_figures_are_known_to_all_also_to_who_comes_later() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let [one, other] = two(&world, &redis).await;
    one.get(ROWS).await.rows();
    world.upstream().set_edition_silently("y25i01", -1).unwrap();
    world.clock.advance(Duration::from_secs(25 * 3600));
    one.get(ROWS).await.rows();
    let revised = |bridge: &Bridge| bridge.service.state.feeds.log().figures().len();
    assert!(revised(&one) > 0);
    until("the other lists them", async || revised(&one) == revised(&other)).await;
    let third = world.bridge(&redis.url()).await;
    third.is(Standing::Together).await;
    assert_eq!(revised(&third), revised(&one));
}

#[actix_web::test]
async fn what_one_bridge_holds_back_and_who_guessed_there_is_known_to_another() {
    let (world, redis) = (World::start().await, RedisServer::start());
    let [one, other] = two(&world, &redis).await;
    for bridge in [&one, &other] {
        assert_eq!(bridge.get("/odata/jobindsats/y25i01/$metadata").await.status, 200);
    }
    let announcer = one.service.state.peers.as_ref().unwrap().announcer();
    let client = serde_json::to_string(&Client::from(IpAddr::from([192, 0, 2, 1]))).unwrap();
    announcer.announce(Topic::Guesses, vec![(client, String::new())]);
    until("the guess counts there", async || other.service.state.sign_in.guesses().used() == 1).await;
    assert_eq!(one.service.state.sign_in.guesses().used(), 0, "nobody is told of what it told itself");
    announcer.announce(Topic::Circuits, vec![(String::new(), "30000".to_owned())]);
    until("calls are held back there", async || !other.service.state.answerer.fetcher.has_room()).await;
    let asked = world.data_requests();
    assert_eq!(other.get(ROWS).await.status, 503);
    assert_eq!(world.data_requests(), asked);
    announcer.announce(Topic::Circuits, vec![(String::new(), "0".to_owned())]);
    until("they are made again", async || other.get(ROWS).await.status == 200).await;
}
