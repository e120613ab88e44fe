//! One OData request from bound query to page: the whole line of stages on one screen.
//!
//! Rows come chunk by chunk in the order of the set, so that a first page in that order fetches only what it shows. A page
//! belongs to one revision; the next begins at the row behind, in the same revision or not at all.

mod apply;
mod expand;
pub mod explain;
mod gather;
mod lambda;
mod rows;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, FutureExt};

pub use expand::{Expanded, Expansion};

use crate::answer::gather::Gathered;
use crate::answer::rows::RowReader;
use crate::catalogue::id::MeasurementId;
use crate::error::BridgeError;
use crate::feed::{CellSource, Feed, RowSource, Set};
use crate::fetch::error::FetchError;
use crate::fetch::{Fetcher, Reading};
use crate::frame::Frame;
use crate::odata::skip_token::{Fingerprint, SkipToken, SkipTokenError};
use crate::odata::value::Value;
use crate::plan::{UpstreamPlan, Wanted, plan};
use crate::query::{BoundExpr, BoundExprKind, BoundQuery, Target};
use crate::store::block::Revision;
use crate::store::uses::UseLog;

/// What answering needs.
#[derive(Debug, Clone)]
pub struct Answerer {
    pub fetcher: Fetcher,
    /// Remembers what was asked for.
    pub uses: UseLog,
    pub limits: AnswerLimits,
}

/// Bounds of an answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerLimits {
    pub cell_limit: u64,
    pub page_rows: u64,
    pub max_rows: u64,
    /// The longest wait for cells.
    pub wait: Duration,
    /// So many chunks are on their way at once for one answer.
    pub chunks_ahead: usize,
}

/// What a request adds to its query.
#[derive(Debug, Clone, Default)]
pub struct Wishes<'a> {
    /// The page size that the client prefers.
    pub max_page_size: Option<u64>,
    /// The text of `$skiptoken`.
    pub skip_token: Option<&'a str>,
    /// Every page will be asked for: what a later one would be refused for is refused at once.
    pub whole: bool,
    /// The request's path and options but for the token: a token belongs to it.
    pub query_text: &'a str,
}

/// The rows that answer a request, or some of them.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Rows in order; all frames have the same columns.
    pub frames: Vec<Frame>,
    /// How many rows match, where that was asked for.
    pub count: Option<u64>,
    /// Where the next page begins, if there is one.
    pub next: Option<SkipToken>,
    /// When the oldest of the cells was fetched; `None` for rows that the catalogue holds.
    pub fetched_at: Option<DateTime<Utc>>,
    /// The revision of the cells.
    pub revision: Option<Revision>,
    /// What stands beside the rows, in the order of the query; the rows are then in one frame.
    pub expansions: Vec<Expansion>,
}

impl Page {
    /// Tells that the rows depend on figures that were fetched then: pages of a list go on in the revision of the figures.
    fn rest_on(&mut self, asked_at: DateTime<Utc>, revision: Option<Revision>) {
        self.fetched_at = Some(self.fetched_at.map_or(asked_at, |at| at.min(asked_at)));
        self.revision = revision;
        if let (Some(next), Some(revision)) = (&mut self.next, revision) {
            next.revision = write_revision(revision);
        }
    }

    /// Works out the computed values that are shown.
    fn compute(&mut self, set: &Set, query: &BoundQuery) -> Result<(), BridgeError> {
        if !query.computed.is_empty() && query.apply.is_none() {
            for frame in &mut self.frames {
                *frame = frame.with_computed(set.columns.len(), query)?;
            }
        }
        Ok(())
    }
}

/// Where a page begins: behind the row of a token, and in which revision.
#[derive(Default)]
struct Start {
    token: Option<SkipToken>,
    revision: Option<Revision>,
}

impl Start {
    fn of(wishes: &Wishes<'_>) -> Result<Self, BridgeError> {
        let Some(text) = wishes.skip_token else { return Ok(Self::default()) };
        let token = SkipToken::decode(text, Fingerprint::of(wishes.query_text))?;
        let revision = Some(parse_revision(&token.revision)?);
        Ok(Self { token: Some(token), revision })
    }
}

/// So often a request begins anew because its table moved on.
const LONGEST_PURSUIT: usize = 4;

/// Asks, and asks again where the table moved on meanwhile: sets and periods may be others too, so all begins anew.
///
/// # Errors
/// Those of the asking, and when the table does not come to rest.
pub async fn pursued<T>(ask: impl AsyncFn() -> Result<T, BridgeError>) -> Result<T, BridgeError> {
    for _ in 1..LONGEST_PURSUIT {
        match ask().await {
            Err(BridgeError::Fetch(FetchError::Moved { .. })) => {}
            answer => return answer,
        }
    }
    ask().await
}

/// How a query walks through rows.
struct Walk<'a> {
    set: &'a Set,
    query: &'a BoundQuery,
    filter: Option<BoundExpr>,
    needed: BTreeSet<usize>,
    /// Rows of this page at most.
    limit: u64,
    /// Rows that earlier pages delivered.
    delivered: u64,
    /// Whether every page will be asked for.
    whole: bool,
    token: Option<SkipToken>,
    /// The revision that earlier pages were of.
    revision: Option<Revision>,
}

impl Answerer {
    /// Answers a query with a page of rows; for `/$count` the page has only a count.
    ///
    /// # Errors
    /// When the query asks for too much, or its cells cannot be had.
    pub async fn answer(
        &self,
        feed: &Feed,
        query: &BoundQuery,
        wishes: &Wishes<'_>,
    ) -> Result<Page, BridgeError> {
        let start = Start::of(wishes)?;
        let settled = self.settle(feed, query, start.revision).await?;
        let start = Start { revision: settled.revision, ..start };
        let query = settled.query.as_ref();
        let set = &feed.sets[query.set];
        let mut page = match (&query.apply, &query.origin) {
            (Some(apply), _) => self.applied(query, apply, wishes, start).await?,
            (None, None) => self.plain(set, query, None, wishes, start).await?,
            (None, Some(origin)) => match self.origin(feed, origin).await? {
                Some(joined) => self.plain(set, query, Some(joined), wishes, start).await?,
                None => Page {
                    count: (query.target == Target::Count || query.count).then_some(0),
                    ..Page::default()
                },
            },
        };
        if let Some(asked_at) = settled.fetched_at {
            page.rest_on(asked_at, settled.revision);
        }
        page.compute(set, query)?;
        self.expand(feed, query, &mut page).await?;
        if let Some(next) = &mut page.next {
            next.fingerprint = Fingerprint::of(wishes.query_text);
        }
        Ok(page)
    }

    async fn plain(
        &self,
        set: &Set,
        query: &BoundQuery,
        joined: Option<BoundExpr>,
        wishes: &Wishes<'_>,
        start: Start,
    ) -> Result<Page, BridgeError> {
        let mut walk = self.walk(set, query, wishes, start);
        if let Some(joined) = joined {
            walk.needed.extend(joined.columns());
            walk.filter = Some(BoundExpr::all(walk.filter.into_iter().chain([joined])));
        }
        match &set.rows {
            RowSource::List(batch) => walk.list(Frame::of_list(batch)),
            RowSource::Cells(source) => self.cells(source, &walk).await,
        }
    }

    fn walk<'a>(&self, set: &'a Set, query: &'a BoundQuery, wishes: &Wishes<'_>, start: Start) -> Walk<'a> {
        let Start { token, revision } = start;
        let delivered = token.as_ref().map_or(0, |token| token.delivered);
        let filter = query.condition(set);
        let page_rows = match set.rows {
            RowSource::List(_) => wishes.max_page_size.unwrap_or(u64::MAX),
            RowSource::Cells(_) => self.limits.page_rows.min(wishes.max_page_size.unwrap_or(u64::MAX)),
        };
        let left = query.top.map_or(u64::MAX, |top| top.saturating_sub(delivered));
        let limit = if query.target == Target::Count { 0 } else { page_rows.max(1).min(left) };
        let needed = query.columns(set).into_iter().chain(set.key.iter().copied()).collect();
        Walk { set, query, filter, needed, limit, delivered, whole: wishes.whole, token, revision }
    }

    async fn cells(&self, source: &Arc<CellSource>, walk: &Walk<'_>) -> Result<Page, BridgeError> {
        let wanted =
            Wanted { source, columns: &walk.set.columns, needed: &walk.needed, filter: walk.filter.as_ref() };
        let plan = plan(&wanted, self.limits.cell_limit)?;
        self.check_bound(&plan, walk)?;
        let read = |reading| self.read(&plan, &wanted, walk, reading).boxed();
        self.through_readings(&source.measurement.id, walk.revision, read).await
    }

    /// Reads from the revision that stands or was begun with; where the upstream fails or takes too long, from what is stored.
    async fn through_readings<'r, T>(
        &self,
        table: &MeasurementId,
        begun: Option<Revision>,
        read: impl Fn(Reading) -> BoxFuture<'r, Result<T, BridgeError>>,
    ) -> Result<T, BridgeError> {
        let answer = self.fetcher.in_one_revision(table, begun, &read);
        let error = match tokio::time::timeout(self.limits.wait, answer).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(BridgeError::Fetch(error))) if error.allows_stored() => error.into(),
            Ok(Err(error)) => return Err(error),
            Err(_) => BridgeError::TooSlow { seconds: self.limits.wait.as_secs() },
        };
        let stored = self.fetcher.stored_readings(table).await.into_iter();
        for reading in stored.filter(|reading| begun.is_none_or(|begun| begun == reading.revision())) {
            if let Ok(found) = read(reading).await {
                self.fetcher.stored_served();
                return Ok(found);
            }
        }
        Err(error)
    }

    /// Refuses what would read more rows than the limit. The first page in the set's own order is always served to who may
    /// want no other.
    fn check_bound(&self, plan: &UpstreamPlan, walk: &Walk<'_>) -> Result<(), BridgeError> {
        let limit = self.limits.max_rows;
        let ends = walk.query.top.map_or(u64::MAX, |top| top.saturating_add(walk.query.skip));
        let in_order = walk.query.order.is_empty() && !walk.counts();
        let bound = if in_order { plan.row_bound().min(ends) } else { plan.row_bound() };
        let first_page = in_order && walk.query.skip == 0 && walk.token.is_none() && !walk.whole;
        if bound > limit && !first_page {
            return Err(BridgeError::TooManyRows { bound: plan.row_bound(), limit });
        }
        let worked_out = walk.query.order.iter().map(|key| &key.expr);
        rows::check_work(
            plan.row_bound(),
            worked_out.filter(|expr| !matches!(expr.kind, BoundExprKind::Column(_))),
        )
    }

    async fn read(
        &self,
        plan: &UpstreamPlan,
        wanted: &Wanted<'_>,
        walk: &Walk<'_>,
        reading: Reading,
    ) -> Result<Page, BridgeError> {
        let from = gather::begin_of(&plan.source, walk.token.as_ref())?;
        let mut page = Gathered::new(walk, from.clone());
        let from = from.filter(|_| !walk.needs_all()).unwrap_or_default();
        let mut rows = RowReader::new(self, plan, wanted, reading, &from);
        while page.has_room()
            && let Some(frame) = rows.next(page.wanted()).await?
        {
            page.add(frame);
        }
        if walk.counts() {
            page.matched += rows.count().await?;
        }
        let fetched_at = rows.fetched_at();
        page.into_page(reading.revision(), fetched_at, |frame, row| gather::ids_of(&plan.source, frame, row))
    }
}

impl Walk<'_> {
    fn counts(&self) -> bool {
        (self.query.count && self.token.is_none()) || self.query.target == Target::Count
    }

    /// Whether every row has to be seen before the first can be given out.
    fn needs_all(&self) -> bool {
        self.counts() || !self.query.order.is_empty()
    }

    fn list(&self, frame: Frame) -> Result<Page, BridgeError> {
        let mut rows = Gathered::new(self, self.row_number()?);
        rows.add(match &self.filter {
            Some(condition) => frame.filter(condition)?,
            None => frame,
        });
        let number = |frame: &Frame, row: usize| {
            frame.places.of(row).into_iter().map(|at| Value::Integer(at.into())).collect()
        };
        rows.into_page(Revision { update_latest: None, counter: 0 }, None, number)
    }

    fn row_number(&self) -> Result<Option<Vec<u32>>, BridgeError> {
        let Some(token) = &self.token else { return Ok(None) };
        let number = |value: &Value| {
            if let Value::Integer(number) = value { u32::try_from(*number).ok() } else { None }
        };
        let place = token.first_key.iter().map(number).collect::<Option<Vec<_>>>();
        place.map(Some).ok_or_else(|| SkipTokenError::Damaged.into())
    }
}

fn write_revision(revision: Revision) -> String {
    let day = revision.update_latest.map(|day| day.to_string()).unwrap_or_default();
    format!("{day}.{}", revision.counter)
}

fn parse_revision(text: &str) -> Result<Revision, BridgeError> {
    let damaged = || BridgeError::from(SkipTokenError::Damaged);
    let (day, counter) = text.split_once('.').ok_or_else(damaged)?;
    let update_latest = if day.is_empty() { None } else { Some(day.parse().map_err(|_| damaged())?) };
    Ok(Revision { update_latest, counter: counter.parse().map_err(|_| damaged())? })
}
