//! Several bridges that share a Redis: `cargo test --test peers`, with redis-server (or valkey-server, named by `REDIS_SERVER`) on the path.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "peers/bridges.rs"]
mod bridges;
#[path = "peers/redis.rs"]
mod redis;

#[path = "peers/chaos.rs"]
mod chaos;
#[path = "peers/day.rs"]
mod day;
#[path = "peers/knowledge.rs"]
mod knowledge;
#[path = "peers/limits.rs"]
mod limits;
#[path = "peers/once.rs"]
mod once;
#[path = "peers/processes.rs"]
mod processes;
#[path = "peers/strangers.rs"]
mod strangers;
#[path = "peers/trouble.rs"]
mod trouble;
#[path = "peers/truth.rs"]
mod truth;
