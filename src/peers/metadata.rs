//! Metadata that one bridge reads for all: while one reads an answer, the others wait for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, Utc};
use redis::Script;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalogue::id::MeasurementId;
use crate::fetch::others::Position;
use crate::observe::request::spawn_if_running;
use crate::peers::link::{Away, Link, kept_for};
use crate::peers::log::{Log, POSITION, Told};
use crate::peers::turns::{ALIVE_FOR, BRIDGES, IS_ALIVE};
use crate::refresh::sync::files::SavedAnswer;
use crate::refresh::sync::keeper::CatalogueKeeper;
use crate::upstream::caller::Caller;
use crate::upstream::client::Upstream;
use crate::upstream::data::DataTable;
use crate::upstream::error::UpstreamError;
use crate::upstream::request::DataRequest;
use crate::upstream::retry::Urgency;
use crate::upstream::wire::{Subjects, Table, Tables};

/// The names of answers.
pub const SUBJECTS: &str = "subjects";
pub const TABLES: &str = "tables";
/// What the name of a table's metadata begins with.
pub const TABLE: &str = "table:";
/// The set of all names.
const ANSWERS: &str = "answers";

/// How often the reading of each answer was begun, by name.
const BEGUN: &str = "begun";

/// How often it is asked whether another bridge has read an answer.
const AGAIN: Duration = Duration::from_millis(25);
/// The longest that another bridge's reading is waited for.
const LONGEST: Duration = Duration::from_secs(180);

/// Begins to read: whether nobody else does, how often it was begun, and the position of the log. Who reads is written down as its life, a
/// slash and how often it was begun.
static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    let script = "
         local life, number = string.match(redis.call('GET', KEYS[1]) or '', '^(.*)/(%d+)$')
         if life and life ~= ARGV[1] and is_alive(KEYS[3], life, ARGV[4]) then return {0, tonumber(number), 0} end
         local number = redis.call('HINCRBY', KEYS[2], ARGV[3], 1)
         redis.call('SET', KEYS[1], ARGV[1] .. '/' .. number, 'EX', ARGV[2])
         return {1, number, tonumber(redis.call('GET', KEYS[4]) or '0')}";
    Script::new(&[IS_ALIVE, script].concat())
});

/// Ends a reading, with the answer if there is one. The body may be left out where it is the same as before; 2 if it is not there.
static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
         if #ARGV > 2 then
             if #ARGV < 5 and redis.call('HEXISTS', KEYS[2], 'body') == 0 then return 2 end
             redis.call('HSET', KEYS[2], 'number', ARGV[3], 'facts', ARGV[4])
             if #ARGV > 4 then redis.call('HSET', KEYS[2], 'body', ARGV[5]) end
             redis.call('EXPIRE', KEYS[2], ARGV[2])
         end
         return 1",
    )
});

/// Whether another bridge that is alive reads an answer.
static IS_READ: LazyLock<Script> = LazyLock::new(|| {
    let script = "
         local life = string.match(redis.call('GET', KEYS[1]) or '', '^(.*)/%d+$')
         return life and life ~= ARGV[1] and is_alive(KEYS[2], life, ARGV[2]) and 1 or 0";
    Script::new(&[IS_ALIVE, script].concat())
});

/// Keeps an answer unless there is one.
static OFFER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('HEXISTS', KEYS[1], 'facts') == 1 then return 0 end
         redis.call('HSET', KEYS[1], 'number', 1, 'facts', ARGV[2], 'body', ARGV[3])
         redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
         redis.call('EXPIRE', KEYS[1], ARGV[4])
         redis.call('SADD', KEYS[2], ARGV[1])
         return 1",
    )
});

/// What is known of an answer that a bridge has read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// The how manyth reading it is.
    number: u64,
    /// How far the log was when the reading began.
    pub position: Position,
    /// By Redis' clock where it is kept.
    pub read_at: DateTime<Utc>,
    /// Of a table: its date in the list of tables at that time.
    pub update_latest: Option<NaiveDate>,
    digest: String,
}

/// How this bridge may read an answer.
enum Beginning {
    Ours(Reading),
    /// Another bridge reads it, as the how manyth.
    Theirs(u64),
}

/// The upstream, with metadata that bridges read for each other.
#[derive(Debug)]
pub struct SharedMetadata {
    upstream: Arc<dyn Upstream>,
    answers: Arc<Answers>,
}

/// The answers that bridges have read.
pub struct Answers {
    link: Arc<Link>,
    log: Arc<Log>,
    /// Digest and number of the last that is known here, by name.
    known: Mutex<HashMap<String, (String, u64)>>,
    /// Says a table's date in the list of tables.
    catalogue: OnceLock<Weak<CatalogueKeeper>>,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

impl SharedMetadata {
    /// The same upstream with shared metadata.
    #[must_use]
    pub fn new(upstream: Arc<dyn Upstream>, answers: Arc<Answers>) -> Self {
        Self { upstream, answers }
    }

    /// Reads an answer, or waits for who reads it. A reading that had begun before is good enough where `begun_before` says so.
    async fn read<T: Serialize + DeserializeOwned + Send>(
        &self,
        name: &str,
        begun_before: bool,
        read: impl Future<Output = Result<T, UpstreamError>> + Send,
    ) -> Result<T, UpstreamError> {
        match self.answers.of_another(name, begun_before).await {
            Ok(Err(reading)) => {
                let update_latest = self.answers.listed_date(name);
                let answer = read.await?;
                reading.keep(update_latest, &answer).await;
                Ok(answer)
            }
            Ok(Ok(answer)) => Ok(answer),
            Err(Away) => read.await,
        }
    }
}

impl Answers {
    /// The answers as this bridge knows them.
    #[must_use]
    pub fn new(link: Arc<Link>, log: Arc<Log>) -> Self {
        Self { link, log, known: Mutex::default(), catalogue: OnceLock::new() }
    }

    /// Sets the catalogue that the answers are for.
    pub fn set_catalogue(&self, catalogue: &Arc<CatalogueKeeper>) {
        let _ = self.catalogue.set(Arc::downgrade(catalogue));
    }

    /// The answer that another bridge reads now, or the right to read it.
    async fn of_another<T: DeserializeOwned>(
        self: &Arc<Self>,
        name: &str,
        begun_before: bool,
    ) -> Result<Result<T, Reading>, Away> {
        let (mut enough, known, began) = (None, self.number(name), Instant::now());
        while began.elapsed() < LONGEST {
            match self.begin(name).await? {
                Beginning::Ours(reading) => {
                    // Another reading may have ended: whether it is good enough is seen from what it left.
                    let found = match enough {
                        Some(number) => self.read_since(name, number).await?,
                        None if begun_before => self.read_since(name, known + 1).await?,
                        None => None,
                    };
                    return Ok(found.ok_or(reading));
                }
                Beginning::Theirs(number) => {
                    enough.get_or_insert(if begun_before { number } else { number + 1 });
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err(Away)
    }

    /// What is said of an answer, with the time by this bridge's clock.
    fn facts(&self, facts: &[u8]) -> Option<AnswerFacts> {
        let facts = serde_json::from_slice::<AnswerFacts>(facts).ok()?;
        Some(AnswerFacts { read_at: self.link.own(facts.read_at), ..facts })
    }

    /// The answer of that name as it is kept.
    async fn kept<T: DeserializeOwned>(&self, name: &str) -> Result<Option<(AnswerFacts, T)>, Away> {
        let mut command = redis::cmd("HMGET");
        command.arg(self.link.key(&answer_key(name))).arg("facts").arg("body");
        let (facts, body): (Option<Vec<u8>>, Option<Vec<u8>>) = self.link.command(&command).await?;
        let facts = facts.and_then(|facts| self.facts(&facts));
        let Some((facts, body)) = facts.zip(body) else { return Ok(None) };
        let is_whole = digest_of(&body) == facts.digest;
        let answer = is_whole.then(|| serde_json::from_slice(&body).ok()).flatten();
        Ok(answer.map(|answer| (facts, answer)))
    }

    /// The answer of that name, if it is of that reading or a later one. A table's must be of the date that the list has for it.
    async fn read_since<T: DeserializeOwned>(&self, name: &str, number: u64) -> Result<Option<T>, Away> {
        let kept = self.kept::<T>(name).await?;
        let is_of_use =
            |facts: &AnswerFacts| facts.number >= number && facts.update_latest == self.listed_date(name);
        Ok(kept.filter(|(facts, _)| is_of_use(facts)).map(|(_, answer)| answer))
    }

    async fn begin(self: &Arc<Self>, name: &str) -> Result<Beginning, Away> {
        self.link.joined().await;
        if !self.link.is_together() {
            return Err(Away);
        }
        let (reader, life, kept_for) = (reader_key(name), self.link.life(), kept_for());
        let arguments = [life.as_bytes(), kept_for.as_bytes(), name.as_bytes(), ALIVE_FOR.as_bytes()];
        let keys = [reader.as_str(), BEGUN, BRIDGES, POSITION];
        let (is_ours, number, position): (u8, u64, Position) =
            self.link.script(&BEGIN, &keys, &arguments).await?;
        let (answers, name) = (Arc::clone(self), name.to_owned());
        let reading = || Reading { answers, name, life, number, position, has_ended: false };
        Ok(if is_ours == 1 { Beginning::Ours(reading()) } else { Beginning::Theirs(number) })
    }

    /// The date that the list of tables has for the table that an answer is about.
    fn listed_date(&self, name: &str) -> Option<NaiveDate> {
        let table = MeasurementId::from(name.strip_prefix(TABLE)?);
        self.catalogue.get()?.upgrade()?.listed_date(&table)
    }

    /// The names of all answers that were read.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn names(&self) -> Result<Vec<String>, Away> {
        self.link.command(redis::cmd("SMEMBERS").arg(self.link.key(ANSWERS))).await
    }

    /// Offers a table's metadata that this bridge read before, unless another one has told of any.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn offer(&self, table: &MeasurementId, saved: &SavedAnswer<Table>) -> Result<(), Away> {
        let name = format!("{TABLE}{table}");
        let Ok(body) = serde_json::to_vec(&saved.answer) else { return Ok(()) };
        let (digest, read_at) = (digest_of(&body), self.link.common(saved.read_at));
        let update_latest = saved.update_latest;
        let facts = AnswerFacts { number: 1, position: 0, read_at, update_latest, digest: digest.clone() };
        let facts = serde_json::to_vec(&facts).unwrap_or_default();
        let key = answer_key(&name);
        let kept_for = kept_for();
        let arguments = [name.as_bytes(), &facts, &body, kept_for.as_bytes()];
        if self.link.script::<u8>(&OFFER, &[&key, ANSWERS, BEGUN], &arguments).await? == 1 {
            self.note(&name, digest, 1);
            self.log.tell(Told::Answer { name }).await?;
        }
        Ok(())
    }

    /// Waits while another bridge reads the list of tables.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn list_read(&self) -> Result<(), Away> {
        let life = self.link.life();
        let keys = [reader_key(TABLES), BRIDGES.to_owned()];
        let keys = keys.each_ref().map(String::as_str);
        while self.link.script::<u8>(&IS_READ, &keys, &[life.as_bytes(), ALIVE_FOR.as_bytes()]).await? == 1 {
            tokio::time::sleep(AGAIN).await;
        }
        self.log.applied(self.log.position().await?).await
    }

    /// The answer of that name, if it is newer than what is known here; without its body if that is the same.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn newer<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<(AnswerFacts, Option<T>)>, Away> {
        let key = self.link.key(&answer_key(name));
        let facts: Option<Vec<u8>> = self.link.command(redis::cmd("HGET").arg(&key).arg("facts")).await?;
        let facts = facts.and_then(|facts| self.facts(&facts));
        let (digest, number) = self.known().get(name).cloned().unwrap_or_default();
        let Some(facts) = facts.filter(|facts| facts.number > number) else { return Ok(None) };
        if facts.digest == digest {
            self.note(name, digest, facts.number);
            return Ok(Some((facts, None)));
        }
        let body: Option<Vec<u8>> = self.link.command(redis::cmd("HGET").arg(&key).arg("body")).await?;
        let body = body.filter(|body| digest_of(body) == facts.digest);
        let Some(answer) = body.and_then(|body| serde_json::from_slice(&body).ok()) else { return Ok(None) };
        self.note(name, facts.digest.clone(), facts.number);
        Ok(Some((facts, Some(answer))))
    }

    /// Forgets what Redis had: it is another one, or empty.
    pub fn forget(&self) {
        self.known().clear();
    }

    /// The number of the answer that is known here.
    fn number(&self, name: &str) -> u64 {
        self.known().get(name).map_or(0, |(_, number)| *number)
    }

    /// Notes which answer is known here; returns the one before.
    fn note(&self, name: &str, digest: String, number: u64) -> (String, u64) {
        self.known().insert(name.to_owned(), (digest, number)).unwrap_or_default()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, (String, u64)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading of an answer by this bridge. It ends also where it fails or nobody waits for it any more.
struct Reading {
    answers: Arc<Answers>,
    name: String,
    /// This bridge when it began.
    life: String,
    /// The how manyth it is.
    number: u64,
    /// How far the log was when it began.
    position: Position,
    has_ended: bool,
}

impl Reading {
    /// Keeps the answer for all, and tells them.
    async fn keep<T: Serialize>(mut self, update_latest: Option<NaiveDate>, answer: &T) {
        let Ok(body) = serde_json::to_vec(answer) else { return };
        let (answers, number, position) = (Arc::clone(&self.answers), self.number, self.position);
        let (digest, read_at) = (digest_of(&body), answers.link.now());
        let facts = AnswerFacts { number, position, read_at, update_latest, digest: digest.clone() };
        let before = answers.note(&self.name, digest.clone(), number);
        let mut fields =
            vec![number.to_string().into_bytes(), serde_json::to_vec(&facts).unwrap_or_default()];
        let mut is_kept = Ok(false);
        if before.0 == digest {
            is_kept = self.end(&fields).await;
        }
        if is_kept == Ok(false) {
            fields.push(body);
            is_kept = self.end(&fields).await;
        }
        self.has_ended = is_kept.is_ok();
        if self.has_ended {
            let names = answers.link.key(ANSWERS);
            let _ = answers.link.command::<()>(redis::cmd("SADD").arg(names).arg(&self.name)).await;
            let _ = answers.log.tell(Told::Answer { name: self.name.clone() }).await;
        }
    }

    /// Ends it in Redis. False if the answer was left out and is not kept.
    async fn end(&self, fields: &[Vec<u8>]) -> Result<bool, Away> {
        end(&self.answers.link, &self.name, &format!("{}/{}", self.life, self.number), fields).await
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let (answers, name) = (Arc::clone(&self.answers), std::mem::take(&mut self.name));
        let reader = format!("{}/{}", self.life, self.number);
        let end = async move {
            let _ = end(&answers.link, &name, &reader, &[]).await;
        };
        spawn_if_running(end);
    }
}

/// Ends a reader's reading, with what is kept of the answer. False if its body was left out and is not there.
async fn end(link: &Link, name: &str, reader: &str, fields: &[Vec<u8>]) -> Result<bool, Away> {
    let keys = [reader_key(name), answer_key(name)];
    let keys = keys.each_ref().map(String::as_str);
    let kept_for = kept_for();
    let mut arguments: Vec<&[u8]> = vec![reader.as_bytes(), kept_for.as_bytes()];
    arguments.extend(fields.iter().map(Vec::as_slice));
    link.script::<u8>(&END, &keys, &arguments).await.map(|answer| answer != 2)
}

fn digest_of(body: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(body))
}

fn reader_key(name: &str) -> String {
    format!("reader:{name}")
}

fn answer_key(name: &str) -> String {
    format!("answer:{name}")
}

#[async_trait]
impl Upstream for SharedMetadata {
    async fn subjects(&self) -> Result<Subjects, UpstreamError> {
        self.read(SUBJECTS, true, self.upstream.subjects()).await
    }

    /// A list that is read after figures must have been asked for after them.
    async fn tables(&self) -> Result<Tables, UpstreamError> {
        self.read(TABLES, false, self.upstream.tables()).await
    }

    async fn tables_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<(Option<DateTime<Utc>>, Tables), UpstreamError> {
        self.answers.link.joined().await;
        match self.answers.kept(TABLES).await {
            Ok(Some((facts, tables))) if facts.read_at > since => Ok((Some(facts.read_at), tables)),
            _ => Ok((None, self.read(TABLES, true, self.upstream.tables()).await?)),
        }
    }

    async fn table(&self, table: &MeasurementId, urgency: Urgency) -> Result<Table, UpstreamError> {
        self.read(&format!("{TABLE}{table}"), true, self.upstream.table(table, urgency)).await
    }

    async fn data_for(&self, caller: &Caller, request: &DataRequest) -> Result<DataTable, UpstreamError> {
        self.upstream.data_for(caller, request).await
    }

    fn has_room(&self) -> bool {
        self.upstream.has_room()
    }

    fn reject(&self, request: &DataRequest, problem: &dyn fmt::Display) {
        self.upstream.reject(request, problem);
    }
}
