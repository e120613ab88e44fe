//! Rows gathered for a page, and where the next page begins.
//!
//! A page ends where a row is left over. Its link names that row, so that the next page is read from the chunk that holds it.

use chrono::{DateTime, Utc};

use super::{Page, RowScan};
use crate::answer::error::BridgeError;
use crate::feed::facts::{self, Axis};
use crate::feed::{CellForm, CellSource};
use crate::fetch::error::FetchError;
use crate::frame::Frame;
use crate::odata::skip_token::{Fingerprint, SkipToken, SkipTokenError};
use crate::odata::value::Value;
use crate::plan::selection::Selection;
use crate::query::Target;
use crate::store::block::Revision;

/// Rows gathered for a page.
pub(super) struct Gathered<'a> {
    scan: &'a RowScan<'a>,
    /// The place of the page's first row, where earlier pages end before it.
    from: Option<Vec<u32>>,
    frames: Vec<Frame>,
    taken: u64,
    to_skip: u64,
    /// The row behind the page, alone in its frame.
    next_row: Option<Frame>,
    /// Rows that match, as far as they are known.
    pub(super) matched: u64,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(scan: &'a RowScan<'a>, from: Option<Vec<u32>>) -> Self {
        let to_skip = if scan.token.is_some() { 0 } else { scan.query.skip };
        Self { scan, from, frames: Vec::new(), taken: 0, to_skip, next_row: None, matched: 0 }
    }

    /// Whether more rows have to be looked at than to count them.
    pub(super) fn has_room(&self) -> bool {
        let query = self.scan.query;
        let has_reached_top =
            query.top.is_some_and(|top| self.scan.delivered.saturating_add(self.taken) >= top);
        let is_full = self.next_row.is_some() || has_reached_top;
        query.target != Target::Count && (!query.order.is_empty() || !is_full)
    }

    /// So many more rows the page is certain to look at.
    pub(super) fn wanted(&self) -> u64 {
        match self.scan.needs_all() {
            true => u64::MAX,
            false => self.to_skip.saturating_add(self.scan.limit - self.taken),
        }
    }

    /// Takes rows that match. Those in the order of the set: those from the page's beginning on, as far as it has room.
    pub(super) fn add(&mut self, frame: Frame) {
        self.matched += frame.row_count() as u64;
        if self.scan.query.order.is_empty() {
            let first = self.from.as_ref().map_or(0, |from| frame.first_at(from));
            self.cut(&frame, first);
        } else {
            self.frames.push(frame);
        }
    }

    fn cut(&mut self, frame: &Frame, first: usize) {
        let left = frame.row_count() - first;
        let skipped = usize::try_from(self.to_skip).map_or(left, |skip| skip.min(left));
        self.to_skip -= skipped as u64;
        let room = usize::try_from(self.scan.limit - self.taken).unwrap_or(usize::MAX);
        let take = (left - skipped).min(room);
        self.taken += take as u64;
        if left - skipped > take && self.next_row.is_none() {
            self.next_row = Some(frame.slice(first + skipped + take, 1));
        }
        if take > 0 {
            self.frames.push(frame.slice(first + skipped, take));
        }
    }

    pub(super) fn into_page(
        mut self,
        revision: Revision,
        fetched_at: Option<DateTime<Utc>>,
        key: impl Fn(&Frame, usize) -> Vec<Value>,
    ) -> Result<Page, BridgeError> {
        if !self.scan.query.order.is_empty() {
            self.put_in_order()?;
        }
        let delivered = self.scan.delivered + self.taken;
        let goes_on = self.scan.query.target == Target::Collection
            && self.taken > 0
            && self.scan.query.top.is_none_or(|top| delivered < top);
        let next = self.next_row.as_ref().filter(|_| goes_on).map(|row| SkipToken {
            fingerprint: Fingerprint::of(""),
            revision: revision.to_string(),
            first_key: key(row, 0),
            delivered,
            total: self.total(),
        });
        Ok(Page {
            count: self.total(),
            frames: Frame::joined(&self.frames)?.into_iter().collect(),
            next,
            fetched_at,
            revision: Some(revision),
            expansions: Vec::new(),
        })
    }

    /// How many rows match: counted on the first page, carried by the token from then on.
    fn total(&self) -> Option<u64> {
        let carried = self.scan.token.as_ref().and_then(|token| token.total);
        if self.scan.counts() { Some(self.matched) } else { carried.filter(|_| self.scan.query.count) }
    }

    fn put_in_order(&mut self) -> Result<(), BridgeError> {
        let Some(all) = Frame::joined(&std::mem::take(&mut self.frames))? else { return Ok(()) };
        let all = all.order(&self.scan.query.order)?;
        let first = match &self.from {
            Some(from) => all.row_at(from).ok_or(SkipTokenError::Damaged)?,
            None => 0,
        };
        self.cut(&all, first);
        Ok(())
    }
}

/// The ids of a row's place, which mean the same when the catalogue has been read anew.
pub(super) fn ids_of(source: &CellSource, frame: &Frame, row: usize) -> Vec<Value> {
    let measurement = &source.measurement;
    let id = |(axis, at): (Option<Axis>, u32)| match axis {
        Some(axis) => facts::id_at(measurement, axis, at as usize).map_or(Value::Null, Value::string),
        None => Value::Integer(at.into()),
    };
    sort_key_axes(source).zip(frame.sort_keys().at(row)).map(id).collect()
}

/// The place where a page begins that earlier ones end before.
pub(super) fn begin_of(
    source: &CellSource,
    token: Option<&SkipToken>,
) -> Result<Option<Vec<u32>>, BridgeError> {
    let Some(token) = token else { return Ok(None) };
    let measurement = &source.measurement;
    let gone = || FetchError::Gone { table: measurement.id.clone() };
    let position = |(axis, value): (Option<Axis>, &Value)| {
        let at = match (axis, value) {
            (Some(axis), Value::String(id)) => facts::position_of(measurement, axis, id),
            (None, Value::Integer(number)) => usize::try_from(*number).ok(),
            _ => None,
        };
        at.and_then(|at| u32::try_from(at).ok()).ok_or_else(gone)
    };
    Ok(Some(sort_key_axes(source).zip(&token.first_key).map(position).collect::<Result<_, _>>()?))
}

/// The axes that rows of a set are placed by; `None` for the number that tells labels without a member apart.
fn sort_key_axes(source: &CellSource) -> impl Iterator<Item = Option<Axis>> {
    let long = (source.form == CellForm::Long).then_some(Some(Axis::Measure));
    let shown: Vec<usize> = Selection::of_set(source).shown().map(|(dimension, _)| dimension).collect();
    let dimensions = shown.into_iter().map(|dimension| Some(Axis::Dimension(dimension)));
    [Some(Axis::Period)].into_iter().chain(dimensions).chain([None]).chain(long)
}
