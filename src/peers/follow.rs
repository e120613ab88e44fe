//! Joins the other bridges: takes over what they have stored, tells them what is stored here, and then follows their log.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::Script;
use redis::aio::MultiplexedConnection;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::Inner;
use crate::budget::upstream::UpstreamBudgets;
use crate::catalogue::id::MeasurementId;
use crate::fetch::Fetcher;
use crate::fetch::others::Position;
use crate::observe::request;
use crate::peers::blocks::{KeptBlock, is_name};
use crate::peers::ledger::spent_by_all;
use crate::peers::link::{Away, Standing};
use crate::peers::log::{Entry, POSITION, Told};
use crate::peers::metadata::{SUBJECTS, TABLE, TABLES};
use crate::peers::turns::{ALIVE_FOR, BRIDGES, claims_key};
use crate::refresh::sync::keeper::CatalogueKeeper;
use crate::sign_in::SignIn;
use crate::store::StoredFigures;
use crate::store::freshness::is_believed;
use crate::store::key::CellKey;

/// How often a bridge gives a sign of life.
const BEAT: Duration = Duration::from_secs(1);
/// After how many signs of life what is gone is swept away: once an hour.
const SWEEP_BEATS: u64 = 3600;
/// How long one reading of the log waits for an entry.
const WAIT: Duration = Duration::from_secs(2);

/// A sign of life: which Redis it is, the position of its log, its clock in microseconds, and how many bridges are alive.
static LIVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local time = redis.call('TIME')
         redis.call('SETNX', KEYS[1], ARGV[2])
         redis.call('ZADD', KEYS[3], time[1], ARGV[1])
         redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', time[1] - 60)
         return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]) or '0',
             string.format('%d', time[1] * 1000000 + time[2]),
             tostring(redis.call('ZCOUNT', KEYS[3], time[1] - ARGV[3] + 1, '+inf'))}",
    )
});

/// What figures and metadata are taken over into.
#[derive(Debug, Clone)]
pub struct Followed {
    pub fetcher: Fetcher,
    pub catalogue: Arc<CatalogueKeeper>,
    pub sign_in: Arc<SignIn>,
    pub budgets: UpstreamBudgets,
}

/// Which Redis it is, and how far its log is.
#[derive(Debug, PartialEq, Eq)]
struct Life {
    redis: String,
    position: Position,
}

/// Settles which of two blocks of one day wins that were read without knowledge of each other. Whether the other bridge's need not be taken
/// over as it is.
fn settle(fetcher: &Fetcher, table: &MeasurementId, own: &StoredFigures, theirs: &StoredFigures) -> bool {
    let is_own_later = own.1.fetched_at >= theirs.1.fetched_at;
    let (earlier, later) = if is_own_later { (theirs, own) } else { (own, theirs) };
    if !Fetcher::differ(earlier, later) {
        return is_own_later && own.0.covers(&theirs.0) && own.1.revision >= theirs.1.revision;
    }
    let is_known_to_be_later = later.1.revision > earlier.1.revision;
    if !is_known_to_be_later {
        fetcher.renew(table, later, earlier);
    }
    !is_known_to_be_later
}

impl Inner {
    /// Joins, and follows for as long as Redis is there.
    pub(super) async fn follow(&self, followed: &Followed) -> Result<(), Away> {
        self.link.connect().await?;
        self.link.begin_life();
        let mut connection = self.link.connection_with(WAIT + BEAT).await?;
        let life = self.live().await?;
        self.link.note_redis(&life.redis);
        self.link.stands(Standing::Joining);
        self.blocks.forget();
        self.answers.forget();
        self.take_over(followed, life.position).await?;
        self.log.set_applied(life.position);
        self.news.prepare().await;
        self.tell_all(followed).await?;
        self.link.stands(Standing::Together);
        followed.budgets.join().await;
        let log = self.read_log(followed, &mut connection, life.position);
        tokio::try_join!(self.beat(life.redis), log, self.news.pass_on())?;
        Ok(())
    }

    /// Gives signs of life while it is the same Redis.
    async fn beat(&self, redis: String) -> Result<(), Away> {
        for beat in 0_u64.. {
            if beat % SWEEP_BEATS == 0 {
                self.blocks.sweep().await?;
                self.news.sweep().await?;
                self.news.prepare().await;
            }
            // Before it is asked for: what is told meanwhile is behind the position that comes.
            let known = self.log.known();
            let life = self.live().await?;
            if life.redis != redis || life.position < known {
                return Err(self.link.leave("it has lost what it had"));
            }
            self.link.note_spent(spent_by_all(&self.link, self.clock.now()).await?);
            tokio::time::sleep(BEAT).await;
        }
        Err(Away)
    }

    async fn live(&self) -> Result<Life, Away> {
        // A Redis that has lost what it had gets another name.
        let (life, name) = (self.link.life(), Uuid::new_v4().simple().to_string());
        let keys = ["redis", POSITION, BRIDGES];
        let arguments = [life.as_bytes(), name.as_bytes(), ALIVE_FOR.as_bytes()];
        let (redis, position, time, alive): (String, Position, i64, usize) =
            self.link.script(&LIVE, &keys, &arguments).await?;
        self.link.note_time(time);
        self.link.note_alive(alive);
        Ok(Life { redis, position })
    }

    pub(super) async fn say_goodbye(&self) {
        let bridges = self.link.key(BRIDGES);
        let _ = self.link.command::<()>(redis::cmd("ZREM").arg(bridges).arg(self.link.life())).await;
    }

    async fn read_log(
        &self,
        followed: &Followed,
        connection: &mut MultiplexedConnection,
        mut applied: Position,
    ) -> Result<(), Away> {
        loop {
            for (position, entry) in self.log.read(connection, applied, WAIT).await? {
                if position != applied + 1 {
                    return Err(self.link.leave("a part of its log is gone"));
                }
                // What this build does not understand is none of its concern.
                if let Some(entry) = entry.filter(|entry| entry.bridge != self.bridge) {
                    self.apply(followed, position, entry).await?;
                }
                applied = position;
                self.log.set_applied(applied);
            }
        }
    }

    async fn apply(&self, followed: &Followed, position: Position, entry: Entry) -> Result<(), Away> {
        match entry.told {
            Told::Figures { table, block, known, read_at } => {
                let (table, told_at) = (MeasurementId::from(table.as_str()), position);
                self.adopt_block(followed, KeptBlock { table, name: block, told_at, read_at }, known).await
            }
            Told::Ended { claims } => {
                claims.iter().for_each(|claim| self.waiting.ended(claim));
                Ok(())
            }
            Told::Answer { name } => self.adopt_answer(followed, &name).await,
            Told::News { topic, facts } => {
                self.news.adopt(topic, facts);
                Ok(())
            }
        }
    }

    /// Takes over what is stored: metadata first, because figures belong to a date of the list of tables.
    async fn take_over(&self, followed: &Followed, position: Position) -> Result<(), Away> {
        self.news.join().await?;
        let key = self.news.link_key(followed.sign_in.link_key().expose_secret()).await?;
        if !followed.sign_in.share_link_key(&key.into()) {
            tracing::warn!(
                "the key of links to next pages that bridges share is damaged; this bridge uses its own"
            );
        }
        let mut names = self.answers.names().await?;
        names.sort_by_key(|name| (name != TABLES, name != SUBJECTS));
        for name in names {
            self.adopt_answer(followed, &name).await?;
        }
        for block in self.blocks.all().await? {
            self.adopt_block(followed, block, position).await?;
        }
        Ok(())
    }

    async fn adopt_answer(&self, followed: &Followed, name: &str) -> Result<(), Away> {
        let Followed { catalogue, fetcher, .. } = followed;
        let adopted = match name {
            TABLES => match self.answers.newer(name).await? {
                Some((facts, tables)) => {
                    let adopted = catalogue.adopt_list(facts.read_at, tables).await;
                    if adopted.is_ok() {
                        fetcher.list_was_read(facts.position, |table| catalogue.listed_date(table));
                    }
                    adopted
                }
                None => Ok(()),
            },
            SUBJECTS => {
                if let Some((facts, Some(subjects))) = self.answers.newer(name).await? {
                    catalogue.adopt_menu(facts.read_at, subjects).await;
                }
                Ok(())
            }
            _ => match (name.strip_prefix(TABLE), self.answers.newer(name).await?) {
                (Some(table), Some((facts, answer))) => {
                    let table = MeasurementId::from(table);
                    catalogue.adopt_table(&table, facts.read_at, facts.update_latest, answer).await
                }
                _ => Ok(()),
            },
        };
        if let Err(error) = adopted {
            tracing::warn!(name, %error, "metadata that another bridge read cannot be used");
        }
        Ok(())
    }

    /// Takes over a block, unless it is here. Where it differs from figures of this bridge that the other did not know of, what was read
    /// later wins.
    async fn adopt_block(&self, followed: &Followed, block: KeptBlock, known: Position) -> Result<(), Away> {
        let (table, name, told_at) = (&block.table, block.name.as_str(), block.told_at);
        let read_at = self.link.own(block.read_at);
        let Some(store) = self.blocks.store().filter(|_| is_name(name)) else { return Ok(()) };
        let named = store.named(table);
        if named.iter().any(|stored| stored.name == name) {
            self.blocks.note(name, told_at, false);
            return Ok(());
        }
        let Some(bytes) = self.blocks.bytes(name).await? else { return Ok(()) };
        let (reading, of_table) = (Arc::clone(&store), table.clone());
        let decoded = request::spawn_blocking(move || reading.decoded(&of_table, &bytes)).await;
        let (key, mut block) = match decoded {
            Ok(Ok(decoded)) => decoded,
            Ok(Err(error)) => {
                tracing::warn!(%table, name, %error, "figures of another bridge cannot be used and are fetched again");
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        block.fetched_at = read_at;
        let theirs: StoredFigures = (Arc::new(key), Arc::new(block));
        let mut is_settled = false;
        for own in named.iter().filter(|own| self.blocks.is_unknown_to(known, &own.name)) {
            if own.key.meets(&theirs.0)
                && let Some(own) = store.block(table, &own.name).await
            {
                is_settled |= settle(&followed.fetcher, table, &own, &theirs);
            }
        }
        self.blocks.note(name, told_at, false);
        self.blocks.count_taken_over();
        if !is_settled {
            followed.fetcher.adopt(table, name, theirs, told_at);
        }
        let told = self.publish(table, known).await;
        followed.fetcher.note_told(table, &told);
        Ok(())
    }

    /// Tells the others of all that is stored here and still fresh.
    async fn tell_all(&self, followed: &Followed) -> Result<(), Away> {
        let (told, now) = (self.answers.names().await?, self.clock.now());
        for (table, read_at) in followed.catalogue.known_tables() {
            let is_of_use = is_believed(read_at, now) && !told.contains(&format!("{TABLE}{table}"));
            if is_of_use && let Some(saved) = followed.catalogue.saved_table(&table) {
                self.answers.offer(&table, &saved).await?;
            }
        }
        let Some(store) = self.blocks.store() else { return Ok(()) };
        for (table, _) in store.tables() {
            let known = self.log.known();
            let told = self.publish(&table, known).await;
            followed.fetcher.note_told(&table, &told);
        }
        Ok(())
    }

    /// Tells the others of what is stored of a table in its newest revision and was not told yet.
    pub(super) async fn publish(
        &self,
        table: &MeasurementId,
        known: Position,
    ) -> Vec<(Arc<CellKey>, Position)> {
        let is_there = self.link.standing() != Standing::Alone;
        let (Some(store), true) = (self.blocks.store(), is_there) else { return Vec::new() };
        let named = store.named(table);
        let (newest, now) = (named.iter().map(|stored| stored.revision).max(), self.clock.now());
        let untold = named.into_iter().filter(|stored| {
            let is_of_use = Some(stored.revision) == newest && is_believed(stored.fetched_at, now);
            is_of_use && is_name(&stored.name) && !self.blocks.is_told(&stored.name)
        });
        let mut told = Vec::new();
        for stored in untold {
            let Some(block) = store.block(table, &stored.name).await else { continue };
            let (encoding, of_table) = (Arc::clone(&store), table.clone());
            let bytes = request::spawn_blocking(move || encoding.encoded(&of_table, &block)).await;
            let Ok(Ok(bytes)) = bytes else { continue };
            let read_at = self.link.common(stored.fetched_at);
            match self.blocks.publish(&self.log, table, &stored.name, (known, read_at), &bytes).await {
                Ok(0) => self.blocks.note(&stored.name, 0, false),
                Ok(position) => {
                    self.blocks.note(&stored.name, position, true);
                    told.push((stored.key, position));
                }
                Err(Away) => break,
            }
        }
        told
    }

    /// Tells that a request of this bridge has ended.
    pub(super) async fn end(&self, table: &MeasurementId, claim: &str) {
        let list = self.link.key(&claims_key(table));
        if self.link.command::<()>(redis::cmd("HDEL").arg(list).arg(claim)).await.is_ok() {
            let _ = self.log.tell(Told::Ended { claims: vec![claim.to_owned()] }).await;
        }
    }
}
