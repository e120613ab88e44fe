//! One OData request from bound query to page: the whole line of stages on one screen.
//!
//! Rows come band by band in the order of the set, so that a first page in that order fetches only what it shows. A page
//! belongs to one revision; the next goes on after the last row, in the same revision or not at all.

mod apply;
mod expand;
pub mod explain;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::{StreamExt, stream};

pub use expand::{Expanded, Expansion};

use crate::catalogue::id::MeasurementId;
use crate::error::BridgeError;
use crate::feed::column::Fact;
use crate::feed::facts::{self, Axis};
use crate::feed::{CellForm, CellSource, Feed, RowSource, Set};
use crate::fetch::error::FetchError;
use crate::fetch::{Fetcher, Reading};
use crate::frame::Frame;
use crate::frame::assemble;
use crate::odata::skip_token::{Fingerprint, SkipToken, SkipTokenError};
use crate::odata::value::Value;
use crate::plan::chunk::Band;
use crate::plan::selection::{Members, Selection};
use crate::plan::{UpstreamPlan, Wanted, plan};
use crate::query::{BoundExpr, BoundQuery, Target};
use crate::store::block::{Revision, SharedBlock};
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
    /// So many bands of chunks are on their way at once for one answer.
    pub bands_ahead: usize,
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
        let set = &feed.sets[query.set];
        let mut page = match (&query.apply, &query.origin) {
            (Some(apply), _) => self.applied(query, apply, wishes).await?,
            (None, None) => self.plain(set, query, None, wishes).await?,
            (None, Some(origin)) => match self.origin(feed, origin).await? {
                Some(joined) => self.plain(set, query, Some(joined), wishes).await?,
                None => Page {
                    count: (query.target == Target::Count || query.count).then_some(0),
                    ..Page::default()
                },
            },
        };
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
    ) -> Result<Page, BridgeError> {
        let mut walk = self.walk(set, query, wishes)?;
        if let Some(joined) = joined {
            walk.needed.extend(joined.columns());
            walk.filter = Some(BoundExpr::all(walk.filter.into_iter().chain([joined])));
        }
        match &set.rows {
            RowSource::List(batch) => walk.list(Frame::of_list(batch)),
            RowSource::Cells(source) => self.cells(source, &walk).await,
        }
    }

    fn walk<'a>(
        &self,
        set: &'a Set,
        query: &'a BoundQuery,
        wishes: &Wishes<'_>,
    ) -> Result<Walk<'a>, BridgeError> {
        let token = wishes
            .skip_token
            .map(|text| SkipToken::decode(text, Fingerprint::of(wishes.query_text)))
            .transpose()?;
        let revision = token.as_ref().map(|token| parse_revision(&token.revision)).transpose()?;
        let delivered = token.as_ref().map_or(0, |token| token.delivered);
        let filter = query.condition(set);
        let page_rows = match set.rows {
            RowSource::List(_) => wishes.max_page_size.unwrap_or(u64::MAX),
            RowSource::Cells(_) => self.limits.page_rows.min(wishes.max_page_size.unwrap_or(u64::MAX)),
        };
        let left = query.top.map_or(u64::MAX, |top| top.saturating_sub(delivered));
        let limit = if query.target == Target::Count { 0 } else { page_rows.max(1).min(left) };
        let needed = query.columns(set).into_iter().chain(set.key.iter().copied()).collect();
        Ok(Walk { set, query, filter, needed, limit, delivered, whole: wishes.whole, token, revision })
    }

    async fn cells(&self, source: &Arc<CellSource>, walk: &Walk<'_>) -> Result<Page, BridgeError> {
        let wanted =
            Wanted { source, columns: &walk.set.columns, needed: &walk.needed, filter: walk.filter.as_ref() };
        let plan = plan(&wanted, self.limits.cell_limit)?;
        self.check_bound(&plan, walk)?;
        let read = |reading| self.read(&plan, walk, reading).boxed();
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
        let bound = if in_order { plan.row_bound.min(ends) } else { plan.row_bound };
        let first_page = in_order && walk.query.skip == 0 && walk.token.is_none() && !walk.whole;
        if bound <= limit || first_page {
            Ok(())
        } else {
            Err(BridgeError::TooManyRows { bound: plan.row_bound, limit })
        }
    }

    /// Blocks of a band.
    async fn blocks(
        &self,
        plan: &UpstreamPlan,
        band: &Band,
        reading: Reading,
    ) -> Result<Vec<SharedBlock>, BridgeError> {
        let of = &plan.source.measurement;
        band.chunks.iter().for_each(|chunk| self.uses.note(of, chunk));
        Ok(self.fetcher.band(of, band, reading).await?)
    }

    /// The blocks of each of the bands. Nothing is asked for before its turn comes.
    fn fetches<'a>(
        &'a self,
        plan: &'a UpstreamPlan,
        bands: &[&'a Band],
        reading: Reading,
    ) -> Vec<BoxFuture<'a, Result<Vec<SharedBlock>, BridgeError>>> {
        bands.iter().map(|band| self.blocks(plan, band, reading).boxed()).collect()
    }

    async fn read(
        &self,
        plan: &UpstreamPlan,
        walk: &Walk<'_>,
        reading: Reading,
    ) -> Result<Page, BridgeError> {
        let mut rows = Gathered::new(walk, &plan.source)?;
        let bands: Vec<&Band> = plan.bands.iter().filter(|band| !rows.begins_after(band, plan)).collect();
        let (certain, perhaps) = bands.split_at(rows.certain(&bands, plan));
        let ahead =
            stream::iter(self.fetches(plan, certain, reading)).buffered(self.limits.bands_ahead.max(1));
        let mut coming = pin!(ahead.chain(stream::iter(self.fetches(plan, perhaps, reading)).buffered(1)));
        while !rows.is_full()
            && let Some(blocks) = coming.next().await.transpose()?
        {
            rows.add(assembled(plan, walk.set, &walk.needed, &blocks)?, &blocks)?;
            if rows.scanned > self.limits.max_rows {
                return Err(BridgeError::TooManyRows { bound: plan.row_bound, limit: self.limits.max_rows });
            }
        }
        rows.into_page(reading.revision(), |frame, row| last_ids(plan, frame, row))
    }
}

fn assembled(
    plan: &UpstreamPlan,
    set: &Set,
    needed: &BTreeSet<usize>,
    blocks: &[SharedBlock],
) -> Result<Frame, BridgeError> {
    let named = named_dimensions(&plan.source);
    let cells: Vec<&dyn assemble::Block> =
        blocks.iter().map(|block| block.as_ref() as &dyn assemble::Block).collect();
    let measures = &plan.selection.measures;
    Ok(assemble::assemble(&plan.source, &set.columns, needed, &named, measures, &cells)?)
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
        let mut rows = Gathered { after: self.row_number()?, ..Gathered::empty(self) };
        rows.add(frame, &[])?;
        let number = |frame: &Frame, row: usize| {
            frame.places.of(row).into_iter().map(|at| Value::Integer(at.into())).collect()
        };
        rows.into_page(Revision { update_latest: None, counter: 0 }, number)
    }

    fn row_number(&self) -> Result<Option<Vec<u32>>, BridgeError> {
        let Some(token) = &self.token else { return Ok(None) };
        let number = |value: &Value| {
            if let Value::Integer(number) = value { u32::try_from(*number).ok() } else { None }
        };
        let place = token.last_key.iter().map(number).collect::<Option<Vec<_>>>();
        place.map(Some).ok_or_else(|| SkipTokenError::Damaged.into())
    }
}

/// Rows gathered for a page.
struct Gathered<'a> {
    walk: &'a Walk<'a>,
    /// The place of the last row that was delivered.
    after: Option<Vec<u32>>,
    frames: Vec<Frame>,
    taken: u64,
    to_skip: u64,
    more: bool,
    matched: u64,
    scanned: u64,
    fetched_at: Option<DateTime<Utc>>,
}

impl<'a> Gathered<'a> {
    fn empty(walk: &'a Walk<'a>) -> Self {
        let to_skip = if walk.token.is_some() { 0 } else { walk.query.skip };
        Self {
            walk,
            after: None,
            frames: Vec::new(),
            taken: 0,
            to_skip,
            more: false,
            matched: 0,
            scanned: 0,
            fetched_at: None,
        }
    }

    fn new(walk: &'a Walk<'a>, source: &CellSource) -> Result<Self, BridgeError> {
        let after = walk.token.as_ref().map(|token| place_of(source, walk, token)).transpose()?;
        Ok(Self { after, ..Self::empty(walk) })
    }

    /// Whether the page is complete and nothing needs to be known of later rows.
    fn is_full(&self) -> bool {
        let top = self.walk.query.top;
        let has_reached_top = top.is_some_and(|top| self.walk.delivered.saturating_add(self.taken) >= top);
        !self.walk.needs_all() && (self.more || has_reached_top)
    }

    /// How many of the first bands are needed, however many of their rows there are.
    fn certain(&self, bands: &[&Band], plan: &UpstreamPlan) -> usize {
        if self.walk.needs_all() {
            return bands.len();
        }
        let wanted = self.to_skip.saturating_add(self.walk.limit);
        let per_place =
            if plan.source.form == CellForm::Long { plan.selection.measures.len() as u64 } else { 1 };
        let mut rows_before = 0_u64;
        let is_needed = |band: &&&Band| {
            let needed = rows_before < wanted;
            rows_before = rows_before.saturating_add(band.row_bound().saturating_mul(per_place));
            needed
        };
        bands.iter().take_while(is_needed).count()
    }

    /// Whether all rows of the band were delivered by earlier pages.
    fn begins_after(&self, band: &Band, plan: &UpstreamPlan) -> bool {
        let Some(after) = self.after.as_ref().filter(|_| !self.walk.needs_all()) else { return false };
        let is_named = |axis: Axis| match axis {
            Axis::Period => true,
            Axis::Dimension(dimension) => {
                matches!(plan.selection.members.get(dimension), Some(Members::Named(_)))
            }
            Axis::Measure => false,
        };
        let after =
            place_axes(&plan.source).zip(after).filter(|(axis, _)| is_named(*axis)).map(|(_, &at)| at);
        band.last_place().iter().map(|&at| u32::try_from(at).unwrap_or(u32::MAX)).cmp(after) == Ordering::Less
    }

    fn add(&mut self, frame: Frame, blocks: &[SharedBlock]) -> Result<(), BridgeError> {
        self.fetched_at = blocks.iter().map(|block| block.fetched_at).chain(self.fetched_at).min();
        self.scanned += frame.row_count() as u64;
        let frame = match &self.walk.filter {
            Some(condition) => frame.filter(condition)?,
            None => frame,
        };
        self.matched += frame.row_count() as u64;
        if self.walk.query.order.is_empty() {
            self.append(&frame)
        } else {
            self.frames.push(frame);
            Ok(())
        }
    }

    /// Takes rows that stand in order: those behind what was delivered and skipped, as far as the page has room.
    fn append(&mut self, frame: &Frame) -> Result<(), BridgeError> {
        let first = match &self.after {
            Some(after) => frame.first_after(after),
            None => 0,
        };
        self.cut(frame, first);
        Ok(())
    }

    fn cut(&mut self, frame: &Frame, first: usize) {
        let left = frame.row_count() - first;
        let skipped = usize::try_from(self.to_skip).map_or(left, |skip| skip.min(left));
        self.to_skip -= skipped as u64;
        let room = usize::try_from(self.walk.limit - self.taken).unwrap_or(usize::MAX);
        let take = (left - skipped).min(room);
        self.more |= left - skipped > take;
        self.taken += take as u64;
        if take > 0 {
            self.frames.push(frame.slice(first + skipped, take));
        }
    }

    fn into_page(
        mut self,
        revision: Revision,
        key: impl Fn(&Frame, usize) -> Vec<Value>,
    ) -> Result<Page, BridgeError> {
        if !self.walk.query.order.is_empty() {
            self.put_in_order()?;
        }
        let total_left = self.walk.query.top.is_none_or(|top| self.walk.delivered + self.taken < top);
        let last = self
            .frames
            .last()
            .filter(|_| self.more && total_left && self.walk.query.target == Target::Collection);
        let next = last.map(|frame| SkipToken {
            fingerprint: Fingerprint::of(""),
            revision: write_revision(revision),
            last_key: key(frame, frame.row_count() - 1),
            delivered: self.walk.delivered + self.taken,
            total: self.total(),
        });
        Ok(Page {
            count: self.total(),
            frames: self.frames,
            next,
            fetched_at: self.fetched_at,
            revision: Some(revision),
            expansions: Vec::new(),
        })
    }

    /// How many rows match: counted on the first page, carried by the token from then on.
    fn total(&self) -> Option<u64> {
        let carried = self.walk.token.as_ref().and_then(|token| token.total);
        if self.walk.counts() { Some(self.matched) } else { carried.filter(|_| self.walk.query.count) }
    }

    fn put_in_order(&mut self) -> Result<(), BridgeError> {
        let Some(all) = Frame::joined(&std::mem::take(&mut self.frames))? else { return Ok(()) };
        let all = all.order(&self.walk.query.order)?;
        let first = match &self.after {
            Some(after) => all.row_after(after).ok_or(SkipTokenError::Damaged)?,
            None => 0,
        };
        self.cut(&all, first);
        Ok(())
    }
}

/// The ids of a row's place, which mean the same when the catalogue has been read anew.
fn last_ids(plan: &UpstreamPlan, frame: &Frame, row: usize) -> Vec<Value> {
    let of = &plan.source.measurement;
    let id = |(axis, at): (Axis, u32)| facts::id_at(of, axis, at as usize).map_or(Value::Null, Value::string);
    place_axes(&plan.source).zip(frame.places.of(row)).map(id).collect()
}

/// The axes that rows of a set are placed by.
fn place_axes(source: &CellSource) -> impl Iterator<Item = Axis> {
    let long = (source.form == CellForm::Long).then_some(Axis::Measure);
    [Axis::Period].into_iter().chain(named_dimensions(source).into_iter().map(Axis::Dimension)).chain(long)
}

/// The dimensions that rows of a set have columns of.
fn named_dimensions(source: &CellSource) -> Vec<usize> {
    Selection::of_set(source).named().map(|(dimension, _)| dimension).collect()
}

fn place_of(source: &CellSource, walk: &Walk<'_>, token: &SkipToken) -> Result<Vec<u32>, BridgeError> {
    let of = &source.measurement;
    let gone = || FetchError::Gone { table: of.id.clone() };
    let position = |(axis, value): (Axis, &Value)| {
        let Value::String(id) = value else { return Err(gone()) };
        let at = (0..facts::axis_len(of, axis)).find(|&at| facts::id_at(of, axis, at) == Some(id));
        at.and_then(|at| u32::try_from(at).ok()).ok_or_else(gone)
    };
    debug_assert!(walk.set.columns.iter().any(|column| matches!(column.fact, Fact::Period(_))));
    Ok(place_axes(source).zip(&token.last_key).map(position).collect::<Result<_, _>>()?)
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
