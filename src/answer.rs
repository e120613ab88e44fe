//! One OData request from bound query to page: the whole line of stages on one screen.
//!
//! Rows come chunk by chunk in the order of the set, so that a first page in that order fetches only what it shows. A page
//! belongs to one revision; the next begins at the row behind, in the same revision or not at all.

mod apply;
pub mod error;
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

use crate::answer::error::BridgeError;
use crate::answer::gather::Gathered;
use crate::answer::rows::RowReader;
use crate::catalogue::id::MeasurementId;
use crate::feed::{CellSource, Feed, RowSource, Set};
use crate::fetch::error::FetchError;
use crate::fetch::{Fetcher, RevisionMode};
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
pub struct PageRequest<'a> {
    /// The page size that the client prefers.
    pub max_page_size: Option<u64>,
    /// The text of `$skiptoken`.
    pub skip_token: Option<&'a str>,
    /// Every page will be asked for: what a later one would be refused for is refused at once.
    pub all_pages: bool,
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
    fn depend_on(&mut self, asked_at: DateTime<Utc>, revision: Option<Revision>) {
        self.fetched_at = Some(self.fetched_at.map_or(asked_at, |at| at.min(asked_at)));
        self.revision = revision;
        if let (Some(next), Some(revision)) = (&mut self.next, revision) {
            next.revision = revision.to_string();
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
    fn of(request: &PageRequest<'_>) -> Result<Self, BridgeError> {
        let Some(text) = request.skip_token else { return Ok(Self::default()) };
        let token = SkipToken::decode(text, Fingerprint::of(request.query_text))?;
        let revision = Some(token.revision.parse().map_err(|_| SkipTokenError::Damaged)?);
        Ok(Self { token: Some(token), revision })
    }
}

/// So often a request begins anew because its table moved on.
const MOVED_ATTEMPTS: usize = 4;

/// Asks, and asks again where the table moved on meanwhile: sets and periods may be others too, so all begins anew.
///
/// # Errors
/// Those of the asking, and when the table does not come to rest.
pub async fn retry_when_moved<T>(ask: impl AsyncFn() -> Result<T, BridgeError>) -> Result<T, BridgeError> {
    for _ in 1..MOVED_ATTEMPTS {
        match ask().await {
            Err(BridgeError::Fetch(FetchError::Moved { .. })) => {}
            answer => return answer,
        }
    }
    ask().await
}

/// How a query walks through rows.
struct RowScan<'a> {
    set: &'a Set,
    query: &'a BoundQuery,
    filter: Option<BoundExpr>,
    needed: BTreeSet<usize>,
    /// Rows of this page at most.
    limit: u64,
    /// Rows that earlier pages delivered.
    delivered: u64,
    /// Whether every page will be asked for.
    all_pages: bool,
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
        request: &PageRequest<'_>,
    ) -> Result<Page, BridgeError> {
        let start = Start::of(request)?;
        let resolved = self.resolve_lambdas(feed, query, start.revision).await?;
        let start = Start { revision: resolved.revision, ..start };
        let query = resolved.query.as_ref();
        let set = &feed.sets[query.set];
        let mut page = match (&query.apply, &query.origin) {
            (Some(apply), _) => self.applied(query, apply, request, start).await?,
            (None, None) => self.plain(set, query, None, request, start).await?,
            (None, Some(origin)) => match self.origin(feed, origin).await? {
                Some(joined) => self.plain(set, query, Some(joined), request, start).await?,
                None => Page {
                    count: (query.target == Target::Count || query.count).then_some(0),
                    ..Page::default()
                },
            },
        };
        if let Some(asked_at) = resolved.fetched_at {
            page.depend_on(asked_at, resolved.revision);
        }
        page.compute(set, query)?;
        self.expand(feed, query, &mut page).await?;
        if let Some(next) = &mut page.next {
            next.fingerprint = Fingerprint::of(request.query_text);
        }
        Ok(page)
    }

    async fn plain(
        &self,
        set: &Set,
        query: &BoundQuery,
        joined: Option<BoundExpr>,
        request: &PageRequest<'_>,
        start: Start,
    ) -> Result<Page, BridgeError> {
        let mut scan = self.row_scan(set, query, request, start);
        if let Some(joined) = joined {
            scan.needed.extend(joined.columns());
            scan.filter = Some(BoundExpr::all(scan.filter.into_iter().chain([joined])));
        }
        match &set.rows {
            RowSource::List(batch) => scan.list(Frame::of_list(batch)?),
            RowSource::Cells(source) => self.cells(source, &scan).await,
        }
    }

    fn row_scan<'a>(
        &self,
        set: &'a Set,
        query: &'a BoundQuery,
        request: &PageRequest<'_>,
        start: Start,
    ) -> RowScan<'a> {
        let Start { token, revision } = start;
        let delivered = token.as_ref().map_or(0, |token| token.delivered);
        let filter = query.condition(set);
        let page_rows = match set.rows {
            RowSource::List(_) => request.max_page_size.unwrap_or(u64::MAX),
            RowSource::Cells(_) => self.limits.page_rows.min(request.max_page_size.unwrap_or(u64::MAX)),
        };
        let left = query.top.map_or(u64::MAX, |top| top.saturating_sub(delivered));
        let limit = if query.target == Target::Count { 0 } else { page_rows.max(1).min(left) };
        let needed = query.columns(set).into_iter().chain(set.key.iter().copied()).collect();
        RowScan {
            set,
            query,
            filter,
            needed,
            limit,
            delivered,
            all_pages: request.all_pages,
            token,
            revision,
        }
    }

    async fn cells(&self, source: &Arc<CellSource>, scan: &RowScan<'_>) -> Result<Page, BridgeError> {
        let wanted =
            Wanted { source, columns: &scan.set.columns, needed: &scan.needed, filter: scan.filter.as_ref() };
        let plan = plan(&wanted, self.limits.cell_limit)?;
        self.check_bound(&plan, scan)?;
        let read = |mode| self.read(&plan, &wanted, scan, mode).boxed();
        self.with_stored_fallback(&source.measurement.id, scan.revision, read).await
    }

    /// Reads from the revision that stands or was begun with; where the upstream fails or takes too long, from what is stored.
    async fn with_stored_fallback<'r, T>(
        &self,
        table: &MeasurementId,
        begun: Option<Revision>,
        read: impl Fn(RevisionMode) -> BoxFuture<'r, Result<T, BridgeError>>,
    ) -> Result<T, BridgeError> {
        let answer = self.fetcher.in_one_revision(table, begun, &read);
        let error = match tokio::time::timeout(self.limits.wait, answer).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(BridgeError::Fetch(error))) if error.allows_stored() => error.into(),
            Ok(Err(error)) => return Err(error),
            Err(_) => BridgeError::TooSlow { seconds: self.limits.wait.as_secs() },
        };
        let stored = self.fetcher.stored_revisions(table).await.into_iter();
        for mode in stored.filter(|mode| begun.is_none_or(|begun| begun == mode.revision())) {
            if let Ok(found) = read(mode).await {
                self.fetcher.stored_served();
                return Ok(found);
            }
        }
        Err(error)
    }

    /// Refuses what would read more rows than the limit. The first page in the set's own order is always served to who may
    /// want no other.
    fn check_bound(&self, plan: &UpstreamPlan, scan: &RowScan<'_>) -> Result<(), BridgeError> {
        let limit = self.limits.max_rows;
        let ends = scan.query.top.map_or(u64::MAX, |top| top.saturating_add(scan.query.skip));
        let in_order = scan.query.order.is_empty() && !scan.counts();
        let bound = if in_order { plan.row_bound().min(ends) } else { plan.row_bound() };
        let first_page = in_order && scan.query.skip == 0 && scan.token.is_none() && !scan.all_pages;
        if bound > limit && !first_page {
            return Err(BridgeError::TooManyRows { bound: plan.row_bound(), limit });
        }
        let worked_out = scan.query.order.iter().map(|key| &key.expr);
        rows::check_work(
            plan.row_bound(),
            worked_out.filter(|expr| !matches!(expr.kind, BoundExprKind::Column(_))),
        )
    }

    async fn read(
        &self,
        plan: &UpstreamPlan,
        wanted: &Wanted<'_>,
        scan: &RowScan<'_>,
        mode: RevisionMode,
    ) -> Result<Page, BridgeError> {
        let from = gather::begin_of(&plan.source, scan.token.as_ref())?;
        let mut page = Gathered::new(scan, from.clone());
        let from = from.filter(|_| !scan.needs_all()).unwrap_or_default();
        let mut rows = RowReader::new(self, plan, wanted, mode, &from);
        while page.has_room()
            && let Some(frame) = rows.next(page.wanted()).await?
        {
            page.add(frame);
        }
        if scan.counts() {
            page.matched += rows.count().await?;
        }
        let fetched_at = rows.fetched_at();
        page.into_page(mode.revision(), fetched_at, |frame, row| gather::ids_of(&plan.source, frame, row))
    }
}

impl RowScan<'_> {
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
            frame.sort_keys().at(row).into_iter().map(|at| Value::Integer(at.into())).collect()
        };
        rows.into_page(Revision::of(None), None, number)
    }

    fn row_number(&self) -> Result<Option<Vec<u32>>, BridgeError> {
        let Some(token) = &self.token else { return Ok(None) };
        let number = |value: &Value| {
            if let Value::Integer(number) = value { u32::try_from(*number).ok() } else { None }
        };
        let sort_key = token.first_key.iter().map(number).collect::<Option<Vec<_>>>();
        sort_key.map(Some).ok_or_else(|| SkipTokenError::Damaged.into())
    }
}
