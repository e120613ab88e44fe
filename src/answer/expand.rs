//! What stands beside the rows of a page: the rows that their navigation properties lead to.
//!
//! All keys of a page are asked for at once, never row by row. Rows of figures come chunk by chunk, and no more chunks are read
//! than it takes to fill what is shown of every key.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::{BoxFuture, FutureExt};

use super::rows::RowReader;
use super::{Answerer, Page, PageRequest};
use crate::answer::error::BridgeError;
use crate::feed::arrays::value_at;
use crate::feed::{CellSource, Feed, Navigation, RowSource, Set};
use crate::fetch::RevisionMode;
use crate::frame::Frame;
use crate::frame::aggregate;
use crate::odata::value::Value;
use crate::plan::{UpstreamPlan, Wanted, plan};
use crate::query::{BoundExpand, BoundExpr, BoundExprKind, BoundQuery, ExpandForm, Origin, Target};
use crate::store::block::Revision;

/// The rows at the other end of a navigation property.
#[derive(Debug, Clone)]
pub struct Expansion {
    pub frame: Frame,
    pub rows: Expanded,
    /// What stands beside those rows.
    pub expansions: Vec<Expansion>,
}

/// Which rows of the frame belong to each row of the page.
#[derive(Debug, Clone)]
pub enum Expanded {
    One(Vec<Option<usize>>),
    Many { rows: Vec<Vec<usize>>, counts: Option<Vec<u64>> },
    Count(Vec<u64>),
}

/// Rows that are written, and how many times each is.
struct Rows<'a> {
    frame: &'a Frame,
    times: Vec<u64>,
}

/// The rows at the other end of a navigation property that are shown, each once, and how many times each is written.
struct WrittenRows {
    rows: Vec<u32>,
    times: Vec<u64>,
    indexes: HashMap<usize, usize>,
}

impl WrittenRows {
    fn through(windows: &[Vec<usize>], parents: &Rows<'_>) -> Self {
        let mut shown = Self { rows: Vec::new(), times: Vec::new(), indexes: HashMap::new() };
        for (rows, times) in windows.iter().zip(&parents.times) {
            for &row in rows {
                let index = *shown.indexes.entry(row).or_insert_with(|| {
                    shown.rows.extend(u32::try_from(row));
                    shown.times.push(0);
                    shown.rows.len() - 1
                });
                shown.times[index] = shown.times[index].saturating_add(*times);
            }
        }
        shown
    }

    fn indexes(&self, rows: &[usize]) -> impl Iterator<Item = usize> {
        rows.iter().filter_map(|row| self.indexes.get(row)).copied()
    }
}

/// The rows at the other end of a navigation property, by the key that leads to them.
struct TargetRows {
    frame: Frame,
    by_key: HashMap<Arc<str>, Vec<usize>>,
    fetched_at: Option<DateTime<Utc>>,
}

/// What is read of a set for the keys of a page.
struct TargetScan<'a> {
    set: &'a Set,
    query: &'a BoundQuery,
    key: usize,
    keys: Vec<Arc<str>>,
    filter: BoundExpr,
    needed: BTreeSet<usize>,
}

impl Answerer {
    /// The condition that a row of the set at the other end of a path's navigation property meets; `None` where the navigation property leads nowhere.
    pub(super) async fn origin(
        &self,
        feed: &Feed,
        origin: &Origin,
    ) -> Result<Option<BoundExpr>, BridgeError> {
        let page = self.answer_boxed(feed, &origin.query).await?;
        let frame = page.frames.iter().find(|frame| frame.row_count() > 0).ok_or(BridgeError::NoSuchRow)?;
        let value = text_at(frame, origin.navigation.from_column, 0);
        let target = &feed.sets[origin.navigation.target];
        Ok(value.map(|value| BoundExpr::equal(target, origin.navigation.to_column, Value::String(value))))
    }

    fn answer_boxed<'a>(
        &'a self,
        feed: &'a Feed,
        query: &'a BoundQuery,
    ) -> BoxFuture<'a, Result<Page, BridgeError>> {
        async move { self.answer(feed, query, &PageRequest::default()).await }.boxed()
    }

    /// Puts beside the rows of a page what the query expands.
    pub(super) async fn expand(
        &self,
        feed: &Feed,
        query: &BoundQuery,
        page: &mut Page,
    ) -> Result<(), BridgeError> {
        if query.expand.is_empty() || query.target == Target::Count {
            return Ok(());
        }
        let Some(frame) = Frame::joined(&page.frames)? else { return Ok(()) };
        let mut read = Read { left: self.limits.page_rows.max(1), ..Read::of(page) };
        let times = vec![1; frame.row_count()];
        page.expansions = self.expansions(feed, query, &Rows { frame: &frame, times }, &mut read).await?;
        page.fetched_at = read.fetched_at;
        page.frames = vec![frame];
        Ok(())
    }

    fn expansions<'a>(
        &'a self,
        feed: &'a Feed,
        query: &'a BoundQuery,
        rows: &'a Rows<'a>,
        read: &'a mut Read,
    ) -> BoxFuture<'a, Result<Vec<Expansion>, BridgeError>> {
        async move {
            let mut expansions = Vec::new();
            for expand in &query.expand {
                let navigation = &feed.sets[query.set].navigation[expand.navigation];
                expansions.push(self.expansion(feed, navigation, expand, rows, read).await?);
            }
            Ok(expansions)
        }
        .boxed()
    }

    async fn expansion(
        &self,
        feed: &Feed,
        navigation: &Navigation,
        expand: &BoundExpand,
        parents: &Rows<'_>,
        read: &mut Read,
    ) -> Result<Expansion, BridgeError> {
        let key = |row| text_at(parents.frame, navigation.from_column, row);
        let keys: Vec<Option<Arc<str>>> = (0..parents.frame.row_count()).map(key).collect();
        let found = self.target_rows(feed, navigation, expand, &keys, read).await?;
        read.fetched_at = found.fetched_at.into_iter().chain(read.fetched_at).min();
        let counts = || keys.iter().map(|key| all_of(key, &found.by_key).len() as u64).collect();
        if expand.shown == ExpandForm::Count {
            let (rows, expansions) = (Expanded::Count(counts()), Vec::new());
            return Ok(Expansion { frame: found.frame, rows, expansions });
        }
        let windows = windows(&expand.query, &keys, &found.by_key);
        let shown = WrittenRows::through(&windows, parents);
        if navigation.collection {
            read.take(shown.times.iter().sum(), self.limits.page_rows)?;
        }
        let frame = found.frame.take(&shown.rows)?;
        let frame = frame.with_computed(feed.sets[navigation.target].columns.len(), &expand.query)?;
        let rows = match navigation.collection {
            true => {
                let rows = windows.iter().map(|rows| shown.indexes(rows).collect()).collect();
                Expanded::Many { rows, counts: expand.query.count.then(counts) }
            }
            false => Expanded::One(windows.iter().map(|rows| shown.indexes(rows).next()).collect()),
        };
        let times = shown.times;
        let expansions = self.expansions(feed, &expand.query, &Rows { frame: &frame, times }, read).await?;
        Ok(Expansion { frame, rows, expansions })
    }

    async fn target_rows(
        &self,
        feed: &Feed,
        navigation: &Navigation,
        expand: &BoundExpand,
        keys: &[Option<Arc<str>>],
        read: &Read,
    ) -> Result<TargetRows, BridgeError> {
        let set = &feed.sets[navigation.target];
        let scan = TargetScan::new(set, navigation, &expand.query, keys);
        let (frame, fetched_at) = match &set.rows {
            _ if scan.keys.is_empty() => (aggregate::empty(&set.columns)?, None),
            RowSource::List(batch) => (Frame::of_list(batch)?.filter(&scan.filter)?, None),
            RowSource::Cells(source) => self.target_cells(source, &scan, read.revision).await?,
        };
        let frame = if scan.query.order.is_empty() { frame } else { frame.order(&scan.query.order)? };
        Ok(TargetRows { by_key: by_key(&frame, scan.key), frame, fetched_at })
    }

    async fn target_cells(
        &self,
        source: &Arc<CellSource>,
        scan: &TargetScan<'_>,
        begun: Option<Revision>,
    ) -> Result<(Frame, Option<DateTime<Utc>>), BridgeError> {
        let wanted =
            Wanted { source, columns: &scan.set.columns, needed: &scan.needed, filter: Some(&scan.filter) };
        let plan = plan(&wanted, self.limits.cell_limit)?;
        if scan.needs_all() && plan.row_bound() > self.limits.max_rows {
            return Err(self.too_many(plan.row_bound()));
        }
        let read = |mode| self.read_target(&plan, &wanted, scan, mode).boxed();
        self.with_stored_fallback(&source.measurement.id, begun, read).await
    }

    async fn read_target(
        &self,
        plan: &UpstreamPlan,
        wanted: &Wanted<'_>,
        scan: &TargetScan<'_>,
        mode: RevisionMode,
    ) -> Result<(Frame, Option<DateTime<Utc>>), BridgeError> {
        let mut filling = Filling::new(scan);
        let mut frames = Vec::new();
        let mut rows = RowReader::new(self, plan, wanted, mode, &[]);
        let ahead = if scan.needs_all() { u64::MAX } else { 1 };
        while !filling.is_full()
            && let Some(frame) = rows.next(ahead).await?
        {
            frames.push(filling.take(frame)?);
        }
        let frame = match Frame::joined(&frames)? {
            Some(frame) => frame,
            None => aggregate::empty(&scan.set.columns)?,
        };
        Ok((frame, rows.fetched_at()))
    }

    fn too_many(&self, bound: u64) -> BridgeError {
        BridgeError::TooManyRows { bound, limit: self.limits.max_rows }
    }
}

/// What has been read for a page so far, and what may be.
struct Read {
    revision: Option<Revision>,
    fetched_at: Option<DateTime<Utc>>,
    /// Rows that may still be shown beside those of the page.
    left: u64,
}

impl Read {
    fn of(page: &Page) -> Self {
        // Rows of the catalogue are of no revision.
        let revision = page.revision.filter(|_| page.fetched_at.is_some());
        Self { revision, fetched_at: page.fetched_at, left: 0 }
    }

    fn take(&mut self, rows: u64, limit: u64) -> Result<(), BridgeError> {
        self.left = self.left.checked_sub(rows).ok_or(BridgeError::TooManyExpanded { limit })?;
        Ok(())
    }
}

impl<'a> TargetScan<'a> {
    fn new(set: &'a Set, navigation: &Navigation, query: &'a BoundQuery, keys: &[Option<Arc<str>>]) -> Self {
        let mut seen = HashSet::new();
        let keys: Vec<Arc<str>> =
            keys.iter().flatten().filter(|key| seen.insert(Arc::clone(key))).cloned().collect();
        let key = navigation.to_column;
        let primitive = set.columns.get(key).map(|column| column.primitive);
        let column = BoundExpr { kind: BoundExprKind::Column(key), primitive };
        let listed = keys.iter().map(|key| Value::String(Arc::clone(key))).collect();
        let among = BoundExpr::boolean(BoundExprKind::In(Box::new(column), listed));
        let filter = BoundExpr::all(query.condition(set).into_iter().chain([among]));
        let needed = query.columns(set).into_iter().chain(set.key.iter().copied()).chain([key]);
        let needed = needed.chain(filter.columns()).collect();
        Self { set, query, key, keys, filter, needed }
    }

    /// Whether every row has to be seen before the first can be shown.
    fn needs_all(&self) -> bool {
        let query = self.query;
        query.target == Target::Count || query.count || !query.order.is_empty() || query.top.is_none()
    }
}

/// How far each key has been filled with rows in the order of the set.
struct Filling<'a> {
    scan: &'a TargetScan<'a>,
    /// Rows per key that suffice; `None` for all.
    enough: Option<u64>,
    taken: HashMap<Arc<str>, u64>,
    filled: usize,
}

impl<'a> Filling<'a> {
    fn new(scan: &'a TargetScan<'a>) -> Self {
        let query = scan.query;
        let enough = query.top.filter(|_| !scan.needs_all()).map(|top| top.saturating_add(query.skip));
        Self { scan, enough, taken: HashMap::new(), filled: 0 }
    }

    fn is_full(&self) -> bool {
        self.enough == Some(0) || (self.enough.is_some() && self.filled == self.scan.keys.len())
    }

    /// The rows that are still of use.
    fn take(&mut self, frame: Frame) -> Result<Frame, BridgeError> {
        let Some(enough) = self.enough else { return Ok(frame) };
        let mut kept = Vec::new();
        for row in 0..frame.row_count() {
            let Some(key) = text_at(&frame, self.scan.key, row) else { continue };
            let taken = self.taken.entry(key).or_default();
            if *taken < enough {
                *taken += 1;
                self.filled += usize::from(*taken == enough);
                kept.extend(u32::try_from(row));
            }
        }
        Ok(frame.take(&kept)?)
    }
}

type ByKey = HashMap<Arc<str>, Vec<usize>>;

fn by_key(frame: &Frame, key: usize) -> ByKey {
    let mut rows = ByKey::new();
    for row in 0..frame.row_count() {
        if let Some(key) = text_at(frame, key, row) {
            rows.entry(key).or_default().push(row);
        }
    }
    rows
}

/// For each row of the page the rows that it shows: those of its key, within the window that was asked for.
fn windows(query: &BoundQuery, keys: &[Option<Arc<str>>], found: &ByKey) -> Vec<Vec<usize>> {
    let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
    let top = query.top.map_or(usize::MAX, |top| usize::try_from(top).unwrap_or(usize::MAX));
    let window = |key| all_of(key, found).iter().skip(skip).take(top).copied().collect();
    keys.iter().map(window).collect()
}

fn all_of<'a>(key: &Option<Arc<str>>, found: &'a ByKey) -> &'a [usize] {
    key.as_ref().and_then(|key| found.get(key)).map_or(&[], Vec::as_slice)
}

/// The text in a column of the set.
fn text_at(frame: &Frame, column: usize, row: usize) -> Option<Arc<str>> {
    let array = frame.batch.column(frame.position(column)?);
    if let Value::String(text) = value_at(array, row) { Some(text) } else { None }
}
