//! What bridges of one origin share, in Redis: figures, metadata, limits, and who fetches what. A bridge without Redis goes on alone.
//!
//! Everything is stored under keys that say what it is; the [`log`] only tells that something is new, in one order for all. Whoever joins
//! takes over what is stored and then follows the log.

mod blocks;
pub mod follow;
mod ledger;
pub mod link;
mod log;
mod metadata;
mod news;
mod slots;
mod turns;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use redis::Script;
use tokio::sync::watch;
use uuid::Uuid;

use crate::budget::Spent;
use crate::catalogue::id::MeasurementId;
use crate::clock::Clock;
use crate::fetch::others::{Others, Position, Turn};
use crate::observe::news::{Announcer, Informed, Topic};
use crate::peers::blocks::Blocks;
use crate::peers::follow::Followed;
use crate::peers::ledger::RedisLedger;
use crate::peers::link::{Link, Standing};
use crate::peers::log::Log;
use crate::peers::metadata::{Answers, SharedMetadata};
use crate::peers::news::News;
use crate::peers::slots::SharedSlots;
use crate::peers::turns::{TableTurn, Waiting};
use crate::refresh::sync::Rounds;
use crate::refresh::sync::keeper::CatalogueKeeper;
use crate::settings::redis::RedisUrl;
use crate::store::CellStore;
use crate::store::freshness::LOOK_UP_PAUSE;
use crate::store::key::CellKey;
use crate::upstream::client::Upstream;

/// How long it takes until Redis is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// A round of reading the list of tables ends a little before the next begins.
const ROUND_LEEWAY: Duration = Duration::from_secs(30);

/// Begins a round of reading the list of tables unless one was begun in the last milliseconds by the clock of the bridges.
static ROUND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local begun = tonumber(redis.call('GET', KEYS[1]) or '0')
         local now, length = tonumber(ARGV[1]), tonumber(ARGV[2])
         if begun <= now and begun + length > now then return 0 end
         redis.call('SET', KEYS[1], ARGV[1])
         return 1",
    )
});

/// The other bridges of an origin, as one of them sees them. Clones are the same.
#[derive(Debug, Clone)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Arc<Link>,
    log: Arc<Log>,
    /// This bridge; another one after each start.
    bridge: String,
    clock: Clock,
    waiting: Arc<Waiting>,
    answers: Arc<Answers>,
    blocks: Blocks,
    news: Arc<News>,
    concurrency: usize,
    peers: usize,
    finished: watch::Sender<bool>,
}

/// A bridge that follows nobody any more is alone, however that came.
struct Alone(Arc<Link>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.stands(Standing::Alone);
    }
}

/// How a bridge stands to the others, for people and for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeersReport {
    pub is_together: bool,
    /// How many bridges are alive, this one among them.
    pub alive: usize,
    /// How many there are by the settings.
    pub expected: usize,
    /// Host and port of Redis.
    pub place: Option<String>,
    /// Why Redis cannot be used, if it cannot.
    pub problem: Option<String>,
    /// Blocks of figures that the others were told of, and that were taken over from them, since the start.
    pub told: u64,
    pub taken_over: u64,
    /// Calls for figures that all made together in the last hour, and their cells, where these have a limit; not known while Redis is away.
    pub spent: Spent,
}

impl PeersReport {
    /// The same, without the words of others unless everything may be read.
    #[must_use]
    pub fn shown(self, everything: bool) -> Self {
        let (place, problem) = (self.place, self.problem);
        Self { place: place.filter(|_| everything), problem: problem.filter(|_| everything), ..self }
    }
}

impl Peers {
    /// What is shared through that Redis. Connects to nothing yet.
    ///
    /// # Errors
    /// When the address is none of Redis'.
    pub fn new(
        url: &RedisUrl,
        origin: &str,
        concurrency: usize,
        peers: usize,
        clock: Clock,
    ) -> redis::RedisResult<Self> {
        let bridge = Uuid::new_v4().simple().to_string();
        let link = Arc::new(Link::new(url, origin, clock.clone())?);
        let log = Arc::new(Log::new(Arc::clone(&link), bridge.clone()));
        let answers = Answers::new(Arc::clone(&link), Arc::clone(&log));
        let blocks = Blocks::new(Arc::clone(&link));
        let news = Arc::new(News::new(Arc::clone(&link), Arc::clone(&log)));
        let (answers, waiting) = (Arc::new(answers), Arc::default());
        let finished = watch::Sender::new(false);
        let inner =
            Inner { link, log, bridge, clock, waiting, answers, blocks, news, concurrency, peers, finished };
        Ok(Self(Arc::new(inner)))
    }

    /// The calls at the same time.
    #[must_use]
    pub fn slots(&self) -> Arc<SharedSlots> {
        Arc::new(SharedSlots::new(Arc::clone(&self.0.link), self.0.concurrency, self.0.peers))
    }

    /// The hourly budgets.
    #[must_use]
    pub fn ledger(&self) -> Arc<RedisLedger> {
        Arc::new(RedisLedger::new(Arc::clone(&self.0.link), self.0.clock.clone(), self.0.peers))
    }

    /// The upstream, with metadata that one bridge reads for all.
    #[must_use]
    pub fn upstream(&self, upstream: Arc<dyn Upstream>) -> Arc<dyn Upstream> {
        Arc::new(SharedMetadata::new(upstream, Arc::clone(&self.0.answers)))
    }

    /// Sets what figures and metadata are taken over into.
    pub fn set_parts(&self, catalogue: &Arc<CatalogueKeeper>, store: &Arc<dyn CellStore>) {
        self.0.answers.set_catalogue(catalogue);
        self.0.blocks.set_store(store);
    }

    /// Who tells others what is learnt here.
    #[must_use]
    pub fn announcer(&self) -> Arc<dyn Announcer> {
        Arc::clone(&self.0.news) as Arc<dyn Announcer>
    }

    /// Sets who takes over what others have learnt.
    pub fn set_informed(&self, informed: impl IntoIterator<Item = (Topic, Arc<dyn Informed>)>) {
        self.0.news.set_informed(informed.into_iter().collect());
    }

    /// How this bridge stands to the others.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.0.link.standing()
    }

    /// What is told of it.
    #[must_use]
    pub fn report(&self) -> PeersReport {
        let (link, blocks) = (&self.0.link, &self.0.blocks);
        let is_together = link.is_together();
        PeersReport {
            is_together,
            alive: if is_together { link.alive() } else { 1 },
            expected: self.0.peers,
            place: Some(link.place().to_owned()),
            problem: link.problem(),
            told: blocks.told_count(),
            taken_over: blocks.taken_over_count(),
            spent: if is_together { link.spent() } else { Spent::default() },
        }
    }

    /// Says that this bridge is about to join, so that what is asked of it waits for that.
    pub fn begin(&self) {
        self.0.link.stands(Standing::Joining);
    }

    /// Ends following. Requests that are still answered go on as if they were alone, so it is the last that is stopped.
    pub fn finish(&self) {
        self.0.finished.send_replace(true);
    }

    /// Joins the others and follows what they do, again and again, until [`Self::finish`].
    pub async fn run(self, followed: Followed) {
        let _alone_at_the_end = Alone(Arc::clone(&self.0.link));
        let mut finished = self.0.finished.subscribe();
        let work = async {
            loop {
                // The reason is noted.
                let _ = self.0.follow(&followed).await;
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = work => {}
            _ = finished.wait_for(|finished| *finished) => {}
        }
        self.0.say_goodbye().await;
    }
}

#[async_trait]
impl Others for Peers {
    async fn turn(&self, table: &MeasurementId) -> Option<Box<dyn Turn>> {
        let Inner { link, log, waiting, .. } = &*self.0;
        link.joined().await;
        let turn = TableTurn::begin(link, log, waiting, table).await;
        turn.ok().map(|turn| Box::new(turn) as Box<dyn Turn>)
    }

    fn known(&self) -> Position {
        self.0.log.known()
    }

    async fn publish(
        &self,
        table: &MeasurementId,
        known: Position,
        ended: Option<&str>,
    ) -> Vec<(Arc<CellKey>, Position)> {
        let told = self.0.publish(table, known).await;
        if let Some(claim) = ended {
            self.0.end(table, claim).await;
        }
        told
    }

    async fn list_read(&self) {
        if self.0.link.is_together() {
            let _ = self.0.answers.list_read().await;
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.link.now()
    }
}

#[async_trait]
impl Rounds for Peers {
    async fn is_ours(&self) -> bool {
        let link = &self.0.link;
        link.joined().await;
        let length = LOOK_UP_PAUSE.saturating_sub(ROUND_LEEWAY).as_millis().to_string();
        let now = self.0.clock.now().timestamp_millis().to_string();
        let arguments = [now.as_bytes(), length.as_bytes()];
        !matches!(link.script::<u8>(&ROUND, &["round"], &arguments).await, Ok(0))
    }
}
