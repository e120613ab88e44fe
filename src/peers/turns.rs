//! Whose turn it is to plan the requests of a table, and which requests each bridge is making. A bridge that has died is noticed when its
//! sign of life has expired: its requests count no longer, and its turn ends by itself.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{BoxFuture, FutureExt};
use redis::Script;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use crate::catalogue::id::MeasurementId;
use crate::fetch::others::{Claim, Turn};
use crate::observe::request::spawn_if_running;
use crate::peers::link::{Away, Link, Standing};
use crate::peers::log::{Log, POSITION};
use crate::store::key::CellKey;

/// The longest turn. Planning takes milliseconds.
const TURN: Duration = Duration::from_secs(5);
/// How often it is asked whether the turn before has ended.
const AGAIN: Duration = Duration::from_millis(5);
/// How often it is asked whether a request of another bridge is still made.
const LOOK: Duration = Duration::from_secs(1);

/// The sorted set of the bridges' last signs of life, in seconds of Redis' clock.
pub const BRIDGES: &str = "bridges";
/// How long a sign of life holds, in seconds.
pub const ALIVE_FOR: &str = "5";
/// Whether a bridge is alive, as a function for scripts: of the set of the bridges, the bridge, and how long a sign of life holds.
pub const IS_ALIVE: &str = "local function is_alive(bridges, bridge, seconds)
         local seen = redis.call('ZSCORE', bridges, bridge)
         return seen and tonumber(seen) + tonumber(seconds) > tonumber(redis.call('TIME')[1])
     end ";

/// Begins a turn: `{}` if it is another's, else the position of the log and the requests that others are making. Those of bridges without a
/// sign of life are dropped.
static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    let script = "
         if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {} end
         local answer = {redis.call('GET', KEYS[3]) or '0'}
         local claims = redis.call('HGETALL', KEYS[2])
         for at = 1, #claims, 2 do
             if is_alive(KEYS[4], cjson.decode(claims[at + 1])['bridge'], ARGV[3]) then
                 answer[#answer + 1] = claims[at + 1]
             else
                 redis.call('HDEL', KEYS[2], claims[at])
             end
         end
         return answer";
    Script::new(&[IS_ALIVE, script].concat())
});

/// Ends a turn, with the requests that are made now; 0 if it had ended by itself.
static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
         for at = 2, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1]) end
         redis.call('DEL', KEYS[1])
         return 1",
    )
});

/// Whether a bridge that is alive still makes a request.
static IS_MADE: LazyLock<Script> = LazyLock::new(|| {
    let script = "
         if not is_alive(KEYS[2], ARGV[2], ARGV[3]) then return 0 end
         return redis.call('HEXISTS', KEYS[1], ARGV[1])";
    Script::new(&[IS_ALIVE, script].concat())
});

/// Who waits for which request of another bridge.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<HashMap<String, Vec<oneshot::Sender<()>>>>);

impl Waiting {
    /// Wakes who waits for a request.
    pub fn ended(&self, claim: &str) {
        for waits in self.all().remove(claim).unwrap_or_default() {
            let _ = waits.send(());
        }
    }

    fn wait(&self, claim: &str) -> oneshot::Receiver<()> {
        let (told, waits) = oneshot::channel();
        let mut all = self.all();
        all.retain(|_, waiting| {
            waiting.retain(|waits| !waits.is_closed());
            !waiting.is_empty()
        });
        all.entry(claim.to_owned()).or_default().push(told);
        waits
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Vec<oneshot::Sender<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn of this bridge.
pub struct TableTurn {
    link: Arc<Link>,
    waiting: Arc<Waiting>,
    table: MeasurementId,
    bridge: String,
    token: String,
    claims: Vec<Claim>,
    has_ended: bool,
}

fn turn_key(table: &MeasurementId) -> String {
    format!("turn:{table}")
}

/// The hash of the requests that bridges are making of a table, by their ids.
#[must_use]
pub fn claims_key(table: &MeasurementId) -> String {
    format!("claims:{table}")
}

impl TableTurn {
    /// Waits for the turn, and until all that others had stored when it began is stored here.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn begin(
        link: &Arc<Link>,
        log: &Log,
        waiting: &Arc<Waiting>,
        table: &MeasurementId,
    ) -> Result<Self, Away> {
        let token = Uuid::new_v4().simple().to_string();
        let keys = [turn_key(table), claims_key(table), POSITION.to_owned(), BRIDGES.to_owned()];
        let keys = keys.each_ref().map(String::as_str);
        let longest = TURN.as_millis().to_string();
        let answer = loop {
            if !link.is_together() {
                return Err(Away);
            }
            let answer: Vec<String> = link
                .script(&BEGIN, &keys, &[token.as_bytes(), longest.as_bytes(), ALIVE_FOR.as_bytes()])
                .await?;
            if !answer.is_empty() {
                break answer;
            }
            tokio::time::sleep(AGAIN).await;
        };
        let claims = answer[1..].iter().filter_map(|claim| serde_json::from_str(claim).ok());
        let bridge = link.life();
        let claims = claims.filter(|claim: &Claim| claim.bridge != bridge).collect();
        let (link, waiting, table) = (Arc::clone(link), Arc::clone(waiting), table.clone());
        let turn = Self { link, waiting, table, bridge, token, claims, has_ended: false };
        log.applied(answer[0].parse().unwrap_or_default()).await?;
        Ok(turn)
    }
}

#[async_trait]
impl Turn for TableTurn {
    fn claims(&self) -> &[Claim] {
        &self.claims
    }

    fn claim(&self, revision: String, key: CellKey) -> Claim {
        let id = Uuid::new_v4().simple().to_string();
        Claim { id, bridge: self.bridge.clone(), revision, key }
    }

    fn end_of(&self, claim: &Claim) -> BoxFuture<'static, ()> {
        let (link, claim, table) = (Arc::clone(&self.link), claim.clone(), self.table.clone());
        let mut told = self.waiting.wait(&claim.id);
        async move {
            let claims = claims_key(&table);
            let (keys, arguments) = ([claims.as_str(), BRIDGES], [&claim.id, &claim.bridge]);
            let arguments = [arguments[0].as_bytes(), arguments[1].as_bytes(), ALIVE_FOR.as_bytes()];
            let mut standing = link.changes();
            while matches!(link.script::<u8>(&IS_MADE, &keys, &arguments).await, Ok(1)) {
                tokio::select! {
                    _ = &mut told => return,
                    () = left(&mut standing) => return,
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
        .boxed()
    }

    async fn end(mut self: Box<Self>, claims: &[Claim]) -> bool {
        self.has_ended = true;
        let mut arguments = vec![self.token.clone()];
        for claim in claims {
            arguments.extend([claim.id.clone(), serde_json::to_string(claim).unwrap_or_default()]);
        }
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        let keys = [turn_key(&self.table), claims_key(&self.table)];
        let keys = keys.each_ref().map(String::as_str);
        // Without Redis nobody else is asked either: the requests are made.
        !matches!(self.link.script::<u8>(&END, &keys, &arguments).await, Ok(0))
    }
}

impl Drop for TableTurn {
    /// A turn that was given up ends at once where that is possible, else by itself.
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let (link, keys, token) =
            (Arc::clone(&self.link), [turn_key(&self.table), claims_key(&self.table)], self.token.clone());
        let end = async move {
            let keys = keys.each_ref().map(String::as_str);
            let _ = link.script::<u8>(&END, &keys, &[token.as_bytes()]).await;
        };
        spawn_if_running(end);
    }
}

/// Until Redis is away.
async fn left(standing: &mut watch::Receiver<Standing>) {
    let _ = standing.wait_for(|standing| *standing == Standing::Alone).await;
}
