//! Facts that bridges tell each other: what was learnt, revised, used, guessed, held back and named.
//!
//! Those that later bridges need are kept by topic and name. Of names of tables the first wins, so that addresses are the same everywhere; of
//! everything else the last.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use redis::Script;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::observe::news::{Announcer, Facts, Informed, Topic};
use crate::observe::request;
use crate::peers::link::{Away, Link, Standing};
use crate::peers::log::{ADD, KEPT, LOG, Log, POSITION, Told};

/// The most that waits to be told. What comes beyond that is not told; it is seen when the bridge joins again.
const WAITING: usize = 10_000;
/// Topics whose facts are kept for bridges that join later.
const KEPT_TOPICS: [Topic; 4] = [Topic::Names, Topic::Learnt, Topic::Revised, Topic::Uses];
/// The key of the links to next pages.
const LINK_KEY: &str = "link-key";

/// Sets a fact if it is as it was; empty for none.
static REPLACE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
         redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
         return 1",
    )
});

/// Keeps facts, if they are of a topic that is kept, and tells of them.
static TELL: LazyLock<Script> = LazyLock::new(|| {
    let script = "
         for at = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
         return add(KEYS[2], KEYS[3], ARGV[1], ARGV[2])";
    Script::new(&[ADD, script].concat())
});

/// What is to be told, and who takes over what others tell.
pub struct News {
    link: Arc<Link>,
    log: Arc<Log>,
    sender: Sender<(Topic, Facts)>,
    waiting: Mutex<Option<Receiver<(Topic, Facts)>>>,
    informed: OnceLock<HashMap<Topic, Arc<dyn Informed>>>,
    has_joined: AtomicBool,
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("News")
    }
}

impl News {
    /// No news yet.
    #[must_use]
    pub fn new(link: Arc<Link>, log: Arc<Log>) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING);
        let has_joined = AtomicBool::new(false);
        Self { link, log, sender, waiting: Mutex::new(Some(waiting)), informed: OnceLock::new(), has_joined }
    }

    /// Sets who takes over what others tell.
    pub fn set_informed(&self, informed: HashMap<Topic, Arc<dyn Informed>>) {
        let _ = self.informed.set(informed);
    }

    /// Takes over facts of another bridge.
    pub fn adopt(&self, topic: Topic, facts: Facts) {
        if let Some(informed) = self.informed(topic) {
            informed.adopt(facts);
        }
    }

    /// Has made what will be needed while Redis is away.
    pub async fn prepare(&self) {
        for informed in self.informed.get().into_iter().flat_map(HashMap::values) {
            let informed = Arc::clone(informed);
            let _ = request::spawn_blocking(move || informed.prepare()).await;
        }
    }

    /// Takes over all that is kept, and adds what only this bridge knows.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn join(&self) -> Result<(), Away> {
        for topic in KEPT_TOPICS {
            let Some(informed) = self.informed(topic) else { continue };
            let kept: Facts =
                self.link.command(redis::cmd("HGETALL").arg(self.link.key(&key(topic)))).await?;
            informed.adopt(kept.clone());
            let mut own = informed.facts();
            let kept: HashMap<String, String> = kept.into_iter().collect();
            own.retain(|(name, fact)| kept.get(name) != Some(fact));
            for facts in own.chunks(100) {
                self.tell(topic, facts.to_vec()).await?;
            }
        }
        self.has_joined.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Removes what is kept of topics of which a bridge keeps only the newest.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn sweep(&self) -> Result<(), Away> {
        for topic in [Topic::Revised, Topic::Uses] {
            let (key, Some(informed)) = (self.link.key(&key(topic)), self.informed(topic)) else { continue };
            let kept: Vec<String> = self.link.command(redis::cmd("HKEYS").arg(&key)).await?;
            let own: HashSet<String> = informed.facts().into_iter().map(|(name, _)| name).collect();
            let gone: Vec<&String> = kept.iter().filter(|name| !own.contains(*name)).collect();
            for names in gone.chunks(1000) {
                self.link.command::<()>(redis::cmd("HDEL").arg(&key).arg(names)).await?;
            }
        }
        Ok(())
    }

    /// The key of the links to next pages that all bridges use: this one, unless there is one.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn link_key(&self, own: &str) -> Result<String, Away> {
        let key = self.link.key(LINK_KEY);
        self.link.command::<()>(redis::cmd("SETNX").arg(&key).arg(own)).await?;
        self.link.command(redis::cmd("GET").arg(&key)).await
    }

    /// Tells others of what is announced, for as long as Redis is there.
    pub async fn pass_on(&self) -> Result<(), Away> {
        let mut waiting = Waiting { news: self, waiting: self.take() };
        while let Some((topic, facts)) = waiting.next().await {
            self.tell(topic, facts).await?;
        }
        Err(Away)
    }

    async fn tell(&self, topic: Topic, facts: Facts) -> Result<(), Away> {
        let mut told = Facts::with_capacity(facts.len());
        for (name, fact) in facts {
            let fact = if topic == Topic::Names { self.agreed(name.clone(), fact).await? } else { fact };
            told.push((name, fact));
        }
        let is_kept = KEPT_TOPICS.contains(&topic) && topic != Topic::Names;
        let entry = self.log.entry(Told::News { topic, facts: told.clone() });
        let mut arguments = vec![entry, KEPT.as_bytes().to_vec()];
        if is_kept {
            arguments
                .extend(told.into_iter().flat_map(|(name, fact)| [name.into_bytes(), fact.into_bytes()]));
        }
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        self.link.script::<u64>(&TELL, &[&key(topic), POSITION, LOG], &arguments).await.map(drop)
    }

    /// Names of a table that all bridges agree on: those that are kept win, and what they lack is added.
    async fn agreed(&self, table: String, mut own: String) -> Result<String, Away> {
        let kept_at = key(Topic::Names);
        loop {
            let kept: Option<String> =
                self.link.command(redis::cmd("HGET").arg(self.link.key(&kept_at)).arg(&table)).await?;
            let kept = kept.unwrap_or_default();
            if kept == own {
                return Ok(own);
            }
            if let (false, Some(informed)) = (kept.is_empty(), self.informed(Topic::Names)) {
                informed.adopt(vec![(table.clone(), kept.clone())]);
                let mut facts = informed.facts().into_iter();
                own = facts.find(|(name, _)| *name == table).map_or(own, |(_, names)| names);
            }
            let arguments = [table.as_bytes(), kept.as_bytes(), own.as_bytes()];
            if self.link.script::<u8>(&REPLACE, &[&kept_at], &arguments).await? == 1 {
                return Ok(own);
            }
        }
    }

    fn informed(&self, topic: Topic) -> Option<&Arc<dyn Informed>> {
        self.informed.get()?.get(&topic)
    }

    fn take(&self) -> Option<Receiver<(Topic, Facts)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What waits, for as long as it is passed on; given back after that.
struct Waiting<'a> {
    news: &'a News,
    waiting: Option<Receiver<(Topic, Facts)>>,
}

impl Waiting<'_> {
    async fn next(&mut self) -> Option<(Topic, Facts)> {
        self.waiting.as_mut()?.recv().await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.news.waiting.lock().unwrap_or_else(PoisonError::into_inner) = self.waiting.take();
    }
}

impl Announcer for News {
    fn announce(&self, topic: Topic, facts: Facts) {
        // What finds no room, or comes while Redis is away, is seen when the bridge joins.
        if self.link.standing() != Standing::Alone {
            let _ = self.sender.try_send((topic, facts));
        }
    }

    fn may_name(&self) -> bool {
        self.link.standing() != Standing::Alone || !self.has_joined.load(Ordering::Relaxed)
    }
}

fn key(topic: Topic) -> String {
    format!("news:{}", serde_json::to_string(&topic).unwrap_or_default().trim_matches('"'))
}
