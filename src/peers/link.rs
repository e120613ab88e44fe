//! The connection to Redis: whether it is there, commands that end in time, and its clock. Nobody waits for a Redis that is away: every
//! command fails at once until it was joined again.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, RedisResult, Script};
use thiserror::Error;
use tokio::sync::watch;
use uuid::Uuid;

use crate::budget::Spent;
use crate::clock::Clock;
use crate::settings::redact::redact;
use crate::settings::redis::RedisUrl;
use crate::store::freshness;

/// The form of all that is stored: part of every key, so that builds with different forms ignore each other's.
pub const FORM: u32 = 1;
/// The longest that a command takes. What takes longer counts as away.
const ANSWER: Duration = Duration::from_secs(2);
/// The longest that connecting takes.
const CONNECT: Duration = Duration::from_secs(1);
/// The longest that anything waits for a bridge to join.
const JOINING: Duration = Duration::from_secs(20);
/// How far Redis' clock may be from one's own and still say when something happened.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(5);

/// Redis cannot be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Redis cannot be used now")]
pub struct Away;

/// How a bridge stands to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Redis is out of reach: the bridge goes on with what it has.
    Alone,
    /// Redis is being asked for the first time, or is there, and what others have is being taken over.
    Joining,
    Together,
}

/// The connection.
pub struct Link {
    client: Client,
    /// Host and port.
    place: String,
    /// What every key begins with.
    prefix: String,
    clock: Clock,
    connection: Mutex<Option<MultiplexedConnection>>,
    time: Mutex<Option<ReadTime>>,
    /// How many bridges are alive, this one among them.
    alive: AtomicUsize,
    /// Calls for figures of all in the last hour, and their cells.
    spent: Mutex<Spent>,
    /// The name of the Redis that was joined last, and how many there were before.
    redis: Mutex<(String, u64)>,
    /// This bridge since it last joined. What it had begun before then is not waited for by others.
    life: Mutex<String>,
    standing: watch::Sender<Standing>,
    /// Why Redis cannot be used, if it cannot.
    problem: Mutex<Option<String>>,
}

/// Redis' clock when it was last read.
#[derive(Debug, Clone, Copy)]
struct ReadTime {
    time: DateTime<Utc>,
    read: Instant,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({}, {:?})", self.place, self.standing())
    }
}

impl Link {
    /// A link to that Redis for the bridges of one origin. Connects to nothing yet.
    ///
    /// # Errors
    /// When the address is none of Redis'.
    pub fn new(url: &RedisUrl, origin: &str, clock: Clock) -> RedisResult<Self> {
        Ok(Self {
            client: Client::open(url.expose())?,
            place: url.place().to_owned(),
            prefix: format!("jobindsats-bridge:{FORM}:{origin}:"),
            clock,
            connection: Mutex::default(),
            time: Mutex::default(),
            alive: AtomicUsize::new(1),
            spent: Mutex::default(),
            redis: Mutex::default(),
            life: Mutex::new(new_life()),
            standing: watch::Sender::new(Standing::Alone),
            problem: Mutex::default(),
        })
    }

    /// The name of a key.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Host and port.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How this bridge stands to the others.
    #[must_use]
    pub fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Whether Redis is there and has been joined.
    #[must_use]
    pub fn is_together(&self) -> bool {
        self.standing() == Standing::Together
    }

    /// Changes of the standing.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Waits while what others have is being taken over, unless that takes long.
    pub async fn joined(&self) {
        let mut changes = self.changes();
        let joined = changes.wait_for(|standing| *standing != Standing::Joining);
        // The sender lives as long as the link.
        let _ = tokio::time::timeout(JOINING, joined).await;
    }

    /// Why Redis cannot be used, if it cannot.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects, so that commands can be given.
    ///
    /// # Errors
    /// When there is no connection in time.
    pub async fn connect(&self) -> Result<(), Away> {
        let connection = self.connection_with(ANSWER).await?;
        *self.held() = Some(connection);
        Ok(())
    }

    /// A connection of its own, for commands that wait for as long as that.
    ///
    /// # Errors
    /// When there is no connection in time.
    pub async fn connection_with(&self, answer: Duration) -> Result<MultiplexedConnection, Away> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(answer));
        let connected = self.client.get_multiplexed_async_connection_with_config(&config).await;
        connected.map_err(|error| self.fail(&error))
    }

    /// Says how this bridge stands now. Whoever is together has joined what is there.
    pub fn stands(&self, standing: Standing) {
        if standing == Standing::Together && self.note(None).is_some() {
            tracing::info!(
                redis = self.place,
                "figures, names and limits are shared with the other bridges again"
            );
        }
        self.standing.send_replace(standing);
    }

    /// Gives a command.
    ///
    /// # Errors
    /// When there is no answer in time, or none that is understood.
    pub async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Away> {
        let mut connection = self.current()?;
        command.query_async(&mut connection).await.map_err(|error| self.fail(&error))
    }

    /// Runs a script.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<T, Away> {
        let mut connection = self.current()?;
        let mut invocation = script.prepare_invoke();
        for name in keys {
            invocation.key(self.key(name));
        }
        for argument in arguments {
            invocation.arg(*argument);
        }
        invocation.invoke_async(&mut connection).await.map_err(|error| self.fail(&error))
    }

    /// Notes Redis' clock, in microseconds of Unix time.
    pub fn note_time(&self, microseconds: i64) {
        let read =
            DateTime::from_timestamp_micros(microseconds).map(|time| ReadTime { time, read: Instant::now() });
        *self.time.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }

    /// Notes which Redis is joined. One that has lost what it had is another one.
    pub fn note_redis(&self, name: &str) {
        let mut redis = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        if redis.0 != name {
            *redis = (name.to_owned(), redis.1 + 1);
        }
    }

    /// The how manyth Redis is joined; 0 for none yet.
    #[must_use]
    pub fn redis_number(&self) -> u64 {
        self.redis.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// This bridge since it last joined.
    #[must_use]
    pub fn life(&self) -> String {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a new life: the bridge joins.
    pub fn begin_life(&self) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = new_life();
    }

    /// Notes how many bridges are alive.
    pub fn note_alive(&self, alive: usize) {
        self.alive.store(alive, Ordering::Relaxed);
    }

    /// How many bridges were alive when that was last seen.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// Notes the calls for figures of all in the last hour, and their cells.
    pub fn note_spent(&self, spent: Spent) {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner) = spent;
    }

    /// The calls for figures of all in the last hour, and their cells, when that was last seen.
    #[must_use]
    pub fn spent(&self) -> Spent {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time by Redis' clock, as it was last read; one's own where that is not known or far apart.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let own = self.clock.now();
        let read = *self.time.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = |read: ReadTime| TimeDelta::from_std(read.read.elapsed()).unwrap_or_default();
        let theirs = read.map(|read| read.time + elapsed(read));
        theirs.filter(|theirs| (*theirs - own).abs() < CLOCKS_APART).unwrap_or(own)
    }

    /// An instant of one's own clock by Redis' clock.
    #[must_use]
    pub fn common(&self, own: DateTime<Utc>) -> DateTime<Utc> {
        own + (self.now() - self.clock.now())
    }

    /// An instant of Redis' clock by one's own, and no later than now.
    #[must_use]
    pub fn own(&self, common: DateTime<Utc>) -> DateTime<Utc> {
        let now = self.clock.now();
        (common - (self.now() - now)).min(now)
    }

    /// From now on Redis is away, for a reason that is logged once.
    pub fn fail(&self, error: &RedisError) -> Away {
        self.leave(&redact(&error.to_string()))
    }

    /// From now on Redis is away.
    pub fn leave(&self, problem: &str) -> Away {
        *self.held() = None;
        self.standing.send_replace(Standing::Alone);
        if self.note(Some(problem.to_owned())).as_deref() != Some(problem) {
            tracing::error!(
                redis = self.place,
                problem,
                "BRIDGE_REDIS_URL cannot be used; this bridge goes on alone, with its part of the limits"
            );
        }
        Away
    }

    /// Notes the problem; returns the one before.
    fn note(&self, problem: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.problem.lock().unwrap_or_else(PoisonError::into_inner), problem)
    }

    fn current(&self) -> Result<MultiplexedConnection, Away> {
        self.held().clone().ok_or(Away)
    }

    fn held(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long figures and metadata are kept in Redis, in seconds: as long as they are believed, and an hour.
#[must_use]
pub fn kept_for() -> String {
    (freshness::LONGEST.as_secs() + 3600).to_string()
}

fn new_life() -> String {
    Uuid::new_v4().simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_says_when_something_happened_unless_its_clock_is_far_from_ones_own() {
        let own: DateTime<Utc> = "2026-09-15T07:00:00Z".parse().unwrap();
        let url = RedisUrl::parse("redis://127.0.0.1:1").unwrap();
        let link = Link::new(&url, "test", Clock::fixed(own)).unwrap();
        assert_eq!(link.now(), own, "nothing is known of Redis' clock");
        for apart in [60, -60, 290, -290] {
            let theirs = own + TimeDelta::seconds(apart);
            link.note_time(theirs.timestamp_micros());
            let late = |instant: DateTime<Utc>, meant: DateTime<Utc>| (instant - meant).num_seconds();
            assert!((0..5).contains(&late(link.now(), theirs)), "{apart}");
            let read_at = own - TimeDelta::hours(1);
            let there_and_back = link.own(link.common(read_at));
            assert!((-5..=5).contains(&late(there_and_back, read_at)), "{apart}");
            assert_eq!(link.own(theirs + TimeDelta::hours(1)), own, "nothing was read later than now");
        }
        for apart in [301, -301, 86_400] {
            link.note_time((own + TimeDelta::seconds(apart)).timestamp_micros());
            assert_eq!((link.now(), link.common(own)), (own, own), "{apart}");
        }
    }
}
