//! The log: what bridges tell each other, in one order for all. It only says that something happened; what it is about is stored under
//! keys of its own, so that a bridge that comes later needs no log.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::Script;
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::observe::news::{Facts, Topic};
use crate::peers::link::{Away, Link, Standing};

/// The key of the position of the last entry.
pub const POSITION: &str = "position";
/// The key of the log.
pub const LOG: &str = "log";
/// About how many entries are kept. A bridge that is further behind joins anew.
pub const KEPT: &str = "10000";

/// Adds an entry, as a function for scripts: to the log with that position and of that length; its position.
pub const ADD: &str = "local function add(position_key, log, entry, kept)
         local position = redis.call('INCR', position_key)
         redis.call('XADD', log, 'MAXLEN', '~', kept, position .. '-0', 'entry', entry)
         return position
     end ";

/// Adds an entry; returns its position.
static TELL: LazyLock<Script> =
    LazyLock::new(|| Script::new(&[ADD, "return add(KEYS[1], KEYS[2], ARGV[1], ARGV[2])"].concat()));

/// Something that a bridge tells the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The bridge.
    pub bridge: String,
    #[serde(flatten)]
    pub told: Told,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// A block of figures is stored, which was read at that instant of Redis' clock. It was compared with all that the bridge knew at `known`.
    Figures { table: String, block: String, known: u64, read_at: DateTime<Utc> },
    /// Requests have ended.
    Ended { claims: Vec<String> },
    /// An answer to a request for metadata was read.
    Answer { name: String },
    /// Something small was learnt.
    News { topic: Topic, facts: Facts },
}

/// The log, as far as it was read.
#[derive(Debug)]
pub struct Log {
    link: Arc<Link>,
    bridge: String,
    applied: watch::Sender<u64>,
}

impl Log {
    /// The log for a bridge of that name.
    #[must_use]
    pub fn new(link: Arc<Link>, bridge: String) -> Self {
        Self { link, bridge, applied: watch::Sender::new(0) }
    }

    /// An entry of this bridge as it is written.
    #[must_use]
    pub fn entry(&self, told: Told) -> Vec<u8> {
        serde_json::to_vec(&Entry { bridge: self.bridge.clone(), told }).unwrap_or_default()
    }

    /// Tells the others.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn tell(&self, told: Told) -> Result<u64, Away> {
        let entry = self.entry(told);
        self.link.script(&TELL, &[POSITION, LOG], &[&entry, KEPT.as_bytes()]).await
    }

    /// The position of the last entry.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn position(&self) -> Result<u64, Away> {
        let found: Option<u64> = self.link.command(redis::cmd("GET").arg(self.link.key(POSITION))).await?;
        Ok(found.unwrap_or_default())
    }

    /// Entries behind that position, once there are any; none after a while.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        behind: u64,
        wait: Duration,
    ) -> Result<Vec<(u64, Option<Entry>)>, Away> {
        type Fields = Vec<(String, Vec<u8>)>;
        type Streams = Option<Vec<(String, Vec<(String, Fields)>)>>;
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(256).arg("BLOCK").arg(wait.as_millis() as u64).arg("STREAMS");
        command.arg(self.link.key(LOG)).arg(format!("{behind}-0"));
        let streams: Streams =
            command.query_async(connection).await.map_err(|error| self.link.fail(&error))?;
        let entries = streams.into_iter().flatten().flat_map(|(_, entries)| entries);
        let read = entries.map(|(id, fields)| {
            let position =
                id.split('-').next().and_then(|position| position.parse().ok()).unwrap_or_default();
            let entry = fields.iter().find(|(name, _)| name == "entry");
            (position, entry.and_then(|(_, entry)| serde_json::from_slice(entry).ok()))
        });
        Ok(read.collect())
    }

    /// The last entry that has been applied here.
    #[must_use]
    pub fn known(&self) -> u64 {
        *self.applied.borrow()
    }

    /// All entries up to that one have been applied here.
    pub fn set_applied(&self, position: u64) {
        self.applied.send_replace(position);
    }

    /// Waits until all entries up to that one have been applied here.
    ///
    /// # Errors
    /// When Redis is away before.
    pub async fn applied(&self, position: u64) -> Result<(), Away> {
        let mut applied = self.applied.subscribe();
        let mut standing = self.link.changes();
        tokio::select! {
            // The sender lives as long as the log.
            _ = applied.wait_for(|applied| *applied >= position) => Ok(()),
            _ = standing.wait_for(|standing| *standing == Standing::Alone) => Err(Away),
        }
    }
}
