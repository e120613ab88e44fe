//! Expanded navigation properties: reads the target rows of a page's rows.
//!
//! The targets of all rows of a page are read together, never row by row. Figures are read chunk by chunk, and only until every key has
//! as many rows as are shown.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};

use super::scan::{Provenance, RowSink};
use super::stages::{Stage, Stages};
use super::{Answerer, Page};
use crate::answer::error::BridgeError;
use crate::feed::{Feed, Navigation, Set};
use crate::frame::{Frame, aggregate};
use crate::odata::value::Value;
use crate::query::{BoundExpand, BoundExpr, BoundExprKind, BoundQuery, ExpandForm, Target};

/// The target rows of an expanded navigation property.
#[derive(Debug, Clone)]
pub struct Expansion {
    pub frame: Frame,
    pub rows: Expanded,
    /// The expansions of the target rows.
    pub expansions: Vec<Expansion>,
}

/// Which rows of the frame belong to each row of the page.
#[derive(Debug, Clone)]
pub enum Expanded {
    One(Vec<Option<usize>>),
    Many { rows: Vec<Vec<usize>>, counts: Option<Vec<u64>> },
    Count(Vec<u64>),
}

/// Rows with the number of times that each is written.
struct Rows<'a> {
    frame: &'a Frame,
    times: Vec<u64>,
}

/// The shown target rows without duplicates, with the number of times that each is written.
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

/// The rows read for a page so far, and how many more may be read.
struct Read {
    provenance: Provenance,
    /// How many expanded rows may still be shown.
    left: u64,
}

impl Read {
    fn take(&mut self, rows: u64, limit: u64) -> Result<(), BridgeError> {
        self.left = self.left.checked_sub(rows).ok_or(BridgeError::TooManyExpanded { limit })?;
        Ok(())
    }
}

impl Answerer {
    /// Reads the expansions of a page.
    pub(super) async fn expand(
        &self,
        feed: &Feed,
        stages: &Stages,
        mut page: Page,
    ) -> Result<Page, BridgeError> {
        if page.query.target == Target::Count {
            return Ok(page);
        }
        if let Some(frame) = &page.rows {
            let mut read = Read { provenance: page.provenance, left: self.limits.page_rows.max(1) };
            let rows = Rows { frame, times: vec![1; frame.row_count()] };
            page.expansions = self.expansions(feed, stages, &page.query, &rows, &mut read).await?;
            page.provenance = read.provenance;
        }
        Ok(page)
    }

    fn expansions<'a>(
        &'a self,
        feed: &'a Feed,
        stages: &'a Stages,
        query: &'a BoundQuery,
        rows: &'a Rows<'a>,
        read: &'a mut Read,
    ) -> BoxFuture<'a, Result<Vec<Expansion>, BridgeError>> {
        async move {
            let mut expansions = Vec::new();
            for expand in &query.expand {
                let navigation = &feed.sets[query.set].navigation[expand.navigation];
                expansions.push(self.expansion(feed, stages, (navigation, expand), rows, read).await?);
            }
            Ok(expansions)
        }
        .boxed()
    }

    async fn expansion(
        &self,
        feed: &Feed,
        stages: &Stages,
        (navigation, expand): (&Navigation, &BoundExpand),
        parents: &Rows<'_>,
        read: &mut Read,
    ) -> Result<Expansion, BridgeError> {
        let key = |row| parents.frame.text_at(navigation.from_column, row);
        let keys: Vec<Option<Arc<str>>> = (0..parents.frame.row_count()).map(key).collect();
        let found = self.target_rows(feed, stages, (navigation, expand), &keys, read).await?;
        let by_key = by_key(&found, navigation.to_column);
        let counts = || keys.iter().map(|key| all_of(key, &by_key).len() as u64).collect();
        if expand.shown == ExpandForm::Count {
            let (rows, expansions) = (Expanded::Count(counts()), Vec::new());
            return Ok(Expansion { frame: found, rows, expansions });
        }
        let windows = windows(&expand.query, &keys, &by_key);
        let shown = WrittenRows::through(&windows, parents);
        if navigation.collection {
            read.take(shown.times.iter().sum(), self.limits.page_rows)?;
        }
        let frame = found.take(&shown.rows)?;
        let frame = frame.with_computed(feed.sets[navigation.target].columns.len(), &expand.query)?;
        let rows = match navigation.collection {
            true => {
                let rows = windows.iter().map(|rows| shown.indexes(rows).collect()).collect();
                Expanded::Many { rows, counts: expand.query.count.then(counts) }
            }
            false => Expanded::One(windows.iter().map(|rows| shown.indexes(rows).next()).collect()),
        };
        let written = Rows { frame: &frame, times: shown.times };
        let expansions = self.expansions(feed, stages, &expand.query, &written, read).await?;
        Ok(Expansion { frame, rows, expansions })
    }

    /// The target rows of all keys, in the requested order.
    async fn target_rows(
        &self,
        feed: &Feed,
        stages: &Stages,
        (navigation, expand): (&Navigation, &BoundExpand),
        keys: &[Option<Arc<str>>],
        read: &mut Read,
    ) -> Result<Frame, BridgeError> {
        let (set, query) = (&feed.sets[navigation.target], &expand.query);
        let keys: HashSet<Arc<str>> = keys.iter().flatten().cloned().collect();
        let rows = TargetRows::new(query, navigation.to_column, keys.len());
        let among = among(set, navigation.to_column, &keys);
        let filter = BoundExpr::all(query.condition(set).into_iter().chain([among]));
        let needed = query.columns(set).into_iter().chain(set.key.iter().copied());
        let looks_at = |is_open| if is_open || rows.enough.is_none() { u64::MAX } else { 0 };
        let scan = stages.time(Stage::Plan, || self.plan(set, Some(filter), needed, looks_at))?;
        let (rows, found) = self.scan(stages, &scan, read.provenance.revision, &rows).await?;
        read.provenance = read.provenance.and(found);
        stages.time(Stage::Assemble, || match Frame::joined(&rows.frames)? {
            Some(frame) if query.order.is_empty() => Ok(frame),
            Some(frame) => Ok(frame.order(&query.order, 0..usize::MAX)?),
            None => Ok(aggregate::empty(&set.columns)?),
        })
    }
}

/// Whether a column of the set has one of the values.
fn among(set: &Set, column: usize, values: &HashSet<Arc<str>>) -> BoundExpr {
    let primitive = set.columns.get(column).map(|column| column.primitive);
    let column = BoundExpr { kind: BoundExprKind::Column(column), primitive };
    let mut values: Vec<Arc<str>> = values.iter().cloned().collect();
    values.sort_unstable();
    let values = values.into_iter().map(Value::String).collect();
    BoundExpr::boolean(BoundExprKind::In(Box::new(column), values))
}

/// Takes rows in the order of the set until there are enough for every key.
#[derive(Clone)]
struct TargetRows {
    key: usize,
    keys: usize,
    /// How many rows per key are enough; `None` for all.
    enough: Option<u64>,
    taken: HashMap<Arc<str>, u64>,
    /// Keys that have enough rows.
    filled: usize,
    frames: Vec<Frame>,
}

impl TargetRows {
    fn new(query: &BoundQuery, key: usize, keys: usize) -> Self {
        let needs_all = query.target == Target::Count || query.count || !query.order.is_empty();
        let enough = query.top.filter(|_| !needs_all).map(|top| top.saturating_add(query.skip));
        Self { key, keys, enough, taken: HashMap::new(), filled: 0, frames: Vec::new() }
    }
}

impl RowSink for TargetRows {
    fn wanted(&self) -> Option<u64> {
        match self.enough {
            None => Some(u64::MAX),
            Some(enough) => (enough > 0 && self.filled < self.keys).then_some(1),
        }
    }

    /// Takes the rows of keys that do not have enough yet.
    fn take(&mut self, rows: Frame) -> Result<(), BridgeError> {
        let Some(enough) = self.enough else {
            self.frames.push(rows);
            return Ok(());
        };
        let mut kept = Vec::new();
        for row in 0..rows.row_count() {
            let Some(key) = rows.text_at(self.key, row) else { continue };
            let taken = self.taken.entry(key).or_default();
            if *taken < enough {
                *taken += 1;
                self.filled += usize::from(*taken == enough);
                kept.extend(u32::try_from(row));
            }
        }
        self.frames.push(rows.take(&kept)?);
        Ok(())
    }
}

type ByKey = HashMap<Arc<str>, Vec<usize>>;

fn by_key(frame: &Frame, key: usize) -> ByKey {
    let mut rows = ByKey::new();
    for row in 0..frame.row_count() {
        if let Some(key) = frame.text_at(key, row) {
            rows.entry(key).or_default().push(row);
        }
    }
    rows
}

/// For each row of the page the shown target rows: those of its key after `$skip` and `$top`.
fn windows(query: &BoundQuery, keys: &[Option<Arc<str>>], found: &ByKey) -> Vec<Vec<usize>> {
    let skip = usize::try_from(query.skip).unwrap_or(usize::MAX);
    let top = query.top.map_or(usize::MAX, |top| usize::try_from(top).unwrap_or(usize::MAX));
    let window = |key| all_of(key, found).iter().skip(skip).take(top).copied().collect();
    keys.iter().map(window).collect()
}

fn all_of<'a>(key: &Option<Arc<str>>, found: &'a ByKey) -> &'a [usize] {
    key.as_ref().and_then(|key| found.get(key)).map_or(&[], Vec::as_slice)
}
