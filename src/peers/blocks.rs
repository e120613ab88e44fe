//! Blocks of figures that bridges share: each once, under its name, for as long as its figures are fresh.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use chrono::{DateTime, Utc};
use redis::Script;
use uuid::Uuid;

use crate::catalogue::id::MeasurementId;
use crate::fetch::others::Position;
use crate::peers::link::{Away, Link, kept_for};
use crate::peers::log::{ADD, KEPT, LOG, Log, POSITION, Told};
use crate::store::CellStore;

/// The names of all blocks, with position, time and table.
const BLOCKS: &str = "blocks";
/// What the key of a block begins with.
const BLOCK: &str = "block:";
/// How many names of told blocks are known at most after a sweep; one that was forgotten is told again, and known already.
const MOST_TOLD: usize = 50_000;

/// Stores a block and tells of it; 0 if it is there already.
static PUBLISH: LazyLock<Script> = LazyLock::new(|| {
    let script = "
         if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
         redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
         local position = add(KEYS[3], KEYS[4], ARGV[3], ARGV[6])
         redis.call('HSET', KEYS[1], ARGV[1], position .. ' ' .. ARGV[2])
         return position";
    Script::new(&[ADD, script].concat())
});

/// Removes the names of blocks that are gone.
static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
             if redis.call('EXISTS', KEYS[2] .. name) == 0 then redis.call('HDEL', KEYS[1], name) end
         end
         return 1",
    )
});

/// A block that bridges share.
#[derive(Debug, Clone)]
pub struct KeptBlock {
    pub table: MeasurementId,
    pub name: String,
    pub told_at: Position,
    /// By Redis' clock.
    pub read_at: DateTime<Utc>,
}

/// The blocks.
pub struct Blocks {
    link: Arc<Link>,
    store: OnceLock<Weak<dyn CellStore>>,
    /// Where each block was told of that is stored here and known to others.
    told: Mutex<HashMap<String, Position>>,
    /// Those of them that were read by this bridge.
    own: Mutex<HashSet<String>>,
    /// How many were told, and taken over, since the start.
    told_count: AtomicU64,
    taken_over_count: AtomicU64,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocks")
    }
}

impl Blocks {
    /// Blocks of which none is known.
    #[must_use]
    pub fn new(link: Arc<Link>) -> Self {
        let (told_count, taken_over_count) = (AtomicU64::default(), AtomicU64::default());
        let (told, own) = (Mutex::default(), Mutex::default());
        Self { link, store: OnceLock::new(), told, own, told_count, taken_over_count }
    }

    /// How many blocks the others were told of since the start.
    #[must_use]
    pub fn told_count(&self) -> u64 {
        self.told_count.load(Ordering::Relaxed)
    }

    /// How many blocks were taken over since the start.
    #[must_use]
    pub fn taken_over_count(&self) -> u64 {
        self.taken_over_count.load(Ordering::Relaxed)
    }

    /// Counts a block that was taken over.
    pub fn count_taken_over(&self) {
        self.taken_over_count.fetch_add(1, Ordering::Relaxed);
    }

    /// Sets where they are stored here.
    pub fn set_store(&self, store: &Arc<dyn CellStore>) {
        let _ = self.store.set(Arc::downgrade(store));
    }

    /// Where they are stored here.
    #[must_use]
    pub fn store(&self) -> Option<Arc<dyn CellStore>> {
        self.store.get()?.upgrade()
    }

    /// Whether a block is stored here and known to others.
    #[must_use]
    pub fn is_told(&self, name: &str) -> bool {
        self.told().contains_key(name)
    }

    /// Notes where a block was told of.
    pub fn note(&self, name: &str, position: Position, is_own: bool) {
        match position {
            // Somebody else told of it, perhaps this bridge itself a moment ago.
            0 => drop(self.told().entry(name.to_owned()).or_insert(0)),
            _ => drop(self.told().insert(name.to_owned(), position)),
        }
        if is_own {
            self.told_count.fetch_add(1, Ordering::Relaxed);
            self.own.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
    }

    /// Whether this bridge read a block of which another one did not know that knew others' up to there.
    #[must_use]
    pub fn is_unknown_to(&self, known: Position, name: &str) -> bool {
        match self.told().get(name) {
            None => true,
            Some(told_at) => {
                *told_at > known && self.own.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
            }
        }
    }

    /// Removes what is said of blocks that are kept no longer, and forgets the oldest of what was told.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn sweep(&self) -> Result<(), Away> {
        self.link.script::<u8>(&SWEEP, &[BLOCKS, BLOCK], &[]).await?;
        let mut told = self.told();
        if told.len() > MOST_TOLD {
            let mut positions: Vec<Position> = told.values().copied().collect();
            positions.sort_unstable();
            let bar = positions[positions.len() / 2];
            told.retain(|_, position| *position > bar);
            self.own.lock().unwrap_or_else(PoisonError::into_inner).retain(|name| told.contains_key(name));
        }
        Ok(())
    }

    /// Forgets what Redis had: it is another one, or empty.
    pub fn forget(&self) {
        self.told().clear();
    }

    /// Stores a block for all. Where it stands; 0 if it was there already.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn publish(
        &self,
        log: &Log,
        table: &MeasurementId,
        name: &str,
        (known, read_at): (Position, DateTime<Utc>),
        bytes: &[u8],
    ) -> Result<Position, Away> {
        let block = name.to_owned();
        let entry = log.entry(Told::Figures { table: table.to_string(), block, known, read_at });
        let keys = [BLOCKS, &block_key(name), POSITION, LOG];
        let (facts, kept_for) = (format!("{} {table}", read_at.timestamp_millis()), kept_for());
        let arguments: [&[u8]; 6] =
            [name.as_bytes(), facts.as_bytes(), &entry, bytes, kept_for.as_bytes(), KEPT.as_bytes()];
        self.link.script(&PUBLISH, &keys, &arguments).await
    }

    /// The bytes of a block; `None` if it is not kept any more.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Away> {
        let bytes: Option<Vec<u8>> =
            self.link.command(redis::cmd("GET").arg(self.link.key(&block_key(name)))).await?;
        if bytes.is_none() {
            self.link.command::<()>(redis::cmd("HDEL").arg(self.link.key(BLOCKS)).arg(name)).await?;
        }
        Ok(bytes)
    }

    /// All blocks in the order in which they were stored.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn all(&self) -> Result<Vec<KeptBlock>, Away> {
        let all: Vec<(String, String)> =
            self.link.command(redis::cmd("HGETALL").arg(self.link.key(BLOCKS))).await?;
        let read = |(name, place): (String, String)| {
            let mut facts = place.splitn(3, ' ');
            let told_at = facts.next()?.parse().ok()?;
            let read_at = DateTime::from_timestamp_millis(facts.next()?.parse().ok()?)?;
            Some(KeptBlock { told_at, read_at, table: MeasurementId::from(facts.next()?), name })
        };
        let mut all: Vec<_> = all.into_iter().filter_map(read).collect();
        all.sort_by_key(|block| block.told_at);
        Ok(all)
    }

    fn told(&self) -> MutexGuard<'_, HashMap<String, Position>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a text is a name that bridges give.
#[must_use]
pub fn is_name(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|name| name.simple().to_string() == text)
}

fn block_key(name: &str) -> String {
    format!("{BLOCK}{name}")
}
