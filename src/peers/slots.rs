//! At most `BRIDGE_UPSTREAM_CONCURRENCY` calls at the same time, of all bridges together.
//!
//! One call of each bridge needs no permission: that is what it makes while Redis is away, so that a bridge that was just cut off and the
//! others never make more than the limit together. The calls beyond these are permitted by Redis, each for as long as it can take. Where
//! the limit is below the number of bridges, every call needs permission, and a bridge that is cut off makes one at a time.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::observe::request::spawn_if_running;
use crate::peers::link::{Away, Link};
use crate::upstream::slots::{CallSlots, Slot};

/// How often it is asked again while all permissions are given.
const AGAIN: Duration = Duration::from_millis(25);
/// How much later than Redis a bridge may know of a permission, at most.
const ANSWERED: Duration = Duration::from_secs(5);
const SLOTS: &str = "calls";

/// Takes a place in the set unless it is full. Places end by Redis' clock, in milliseconds.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         local now = time[1] * 1000 + math.floor(time[2] / 1000)
         redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
         if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
         redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[2])
         return 1",
    )
});

/// Permissions of one bridge.
#[derive(Debug)]
pub struct SharedSlots {
    link: Arc<Link>,
    /// The one that Redis is not asked for.
    own: Arc<Semaphore>,
    /// Whether it may be used while Redis is there.
    is_reserved: bool,
    /// How many Redis gives to all.
    shared: usize,
}

impl SharedSlots {
    /// For so many calls of so many bridges.
    #[must_use]
    pub fn new(link: Arc<Link>, concurrency: usize, peers: usize) -> Self {
        let is_reserved = concurrency >= peers;
        let shared = if is_reserved { concurrency - peers } else { concurrency };
        Self { link, own: Arc::new(Semaphore::new(1)), is_reserved, shared }
    }

    async fn own(&self) -> Slot {
        match Arc::clone(&self.own).acquire_owned().await {
            Ok(permit) => held(permit),
            // The semaphore is never closed.
            Err(_) => Slot::new(|| {}),
        }
    }

    /// A place among those that Redis gives, when one is free.
    async fn shared(&self, longest: Duration) -> Result<Slot, Away> {
        let place = Uuid::new_v4().simple().to_string();
        let arguments =
            [self.shared.to_string(), place.clone(), (longest + ANSWERED).as_millis().to_string()];
        // Given back also by who leaves before Redis has answered.
        let slot = self.given_back(place);
        while self.link.script::<u8>(&TAKE, &[SLOTS], &arguments.each_ref().map(String::as_bytes)).await? == 0
        {
            tokio::time::sleep(AGAIN).await;
        }
        Ok(slot)
    }

    fn given_back(&self, place: String) -> Slot {
        let link = Arc::clone(&self.link);
        Slot::new(move || {
            let give_back = async move {
                let _ = link.command::<()>(redis::cmd("ZREM").arg(link.key(SLOTS)).arg(place)).await;
            };
            spawn_if_running(give_back);
        })
    }
}

#[async_trait]
impl CallSlots for SharedSlots {
    async fn slot(&self, longest: Duration) -> Slot {
        if (self.is_reserved || !self.link.is_together())
            && let Ok(permit) = Arc::clone(&self.own).try_acquire_owned()
        {
            return held(permit);
        }
        if !self.link.is_together() || self.shared == 0 {
            return self.own().await;
        }
        let own = async { if self.is_reserved { self.own().await } else { std::future::pending().await } };
        tokio::select! {
            slot = own => slot,
            slot = self.shared(longest) => match slot {
                Ok(slot) => slot,
                Err(Away) => self.own().await,
            },
        }
    }
}

fn held(permit: OwnedSemaphorePermit) -> Slot {
    Slot::new(move || drop(permit))
}
