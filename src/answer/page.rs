//! Makes a page of the rows of a scan. [`PageRows::apply`] is the order in which query options apply, whatever their order in the
//! URL. After it come `$compute` for the columns that `$select` shows, in [`PageRows::into_page`], and `$expand`, in
//! [`super::expand`].
//!
//! The skip token contains the key of the first row that did not fit, so that the next page is read from the chunk with that row.
//! Where a page depends on all rows, the same rows must be there as for the pages before: the token says at which places rows could
//! stand, because a table's metadata may be read again, with a new period, before its update is noticed.

use super::page_start::{PageStart, key_of, places_of};
use super::scan::{PlannedRows, Provenance, RowSink, Scan};
use super::{Answerer, Page, rows};
use crate::answer::error::BridgeError;
use crate::budget::work;
use crate::feed::{CellSource, Feed, RowSource, Set};
use crate::fetch::error::FetchError;
use crate::frame::{Frame, aggregate};
use crate::odata::skip_token::{Fingerprint, SkipToken, SkipTokenError};
use crate::query::{BoundExpr, BoundExprKind, BoundQuery, Target, text_size};

/// The rows of a page as far as they have been read.
#[derive(Clone)]
pub(super) struct PageRows<'a> {
    query: &'a BoundQuery,
    start: &'a PageStart,
    /// The cells whose axes are the sort key of the rows; `None` if the sort key is the number of the row.
    source: Option<&'a CellSource>,
    /// The sort key of the page's first row, from the skip token.
    first: Option<Vec<u32>>,
    /// The most rows of this page.
    room: u64,
    to_skip: u64,
    /// Rows that wait for the others, because options apply to all rows together.
    waiting: Vec<Frame>,
    frames: Vec<Frame>,
    taken: u64,
    /// The first row after the page, alone in its frame.
    next_row: Option<Frame>,
    matched: u64,
    /// A hash of the places that rows can stand at, if the page depends on all rows.
    places: Option<Fingerprint>,
    /// How many columns the set has; the indexes of computed values continue from there.
    width: usize,
}

impl Answerer {
    /// Plans the scan of a page. `condition` applies in addition to the conditions of the query.
    pub(super) fn plan_page<'a>(
        &self,
        feed: &'a Feed,
        query: &'a BoundQuery,
        condition: Option<BoundExpr>,
        start: &'a PageStart,
    ) -> Result<(Scan<'a>, PageRows<'a>), BridgeError> {
        let set = query.apply.as_ref().map_or(&feed.sets[query.set], |apply| &apply.source);
        let source = if let RowSource::Cells(source) = &set.rows { Some(&**source) } else { None };
        let mut page =
            PageRows::new(query, start, source.filter(|_| query.apply.is_none()), set.columns.len())?;
        page.room = page.room.min(self.page_rows(query, start, source.is_some()));
        let mut scan = match &query.apply {
            Some(apply) => {
                let needed = apply.needed.iter().copied();
                self.plan(set, apply.filter.clone(), needed, |_| u64::MAX)?
            }
            None => {
                let conditions = query.condition(set).into_iter().chain(condition);
                let condition = conditions.reduce(|all, next| BoundExpr::all([all, next]));
                let needed = query.columns(set).into_iter().chain(set.key.iter().copied());
                self.plan(set, condition, needed, |is_open| page.looks_at(is_open))?
            }
        };
        page.hold_places(&scan)?;
        check_text(query, &feed.sets[query.set], &scan, &page)?;
        if query.apply.is_none() {
            let worked_out = query.order.iter().map(|key| &key.expr);
            let worked_out = worked_out.filter(|expr| !matches!(expr.kind, BoundExprKind::Column(_)));
            rows::check_work(scan.row_bound(), worked_out)?;
        }
        if let (Some(first), false, PlannedRows::Cells(_)) = (&page.first, page.needs_all(), &scan.rows) {
            scan.from.clone_from(first);
        }
        page.end_at_top(&mut scan);
        let last_row = page.last_row().filter(|_| query.apply.is_none() && query.target != Target::Count);
        if let Some(last) = last_row {
            scan.end_after(&query.order, last);
        }
        Ok((scan, page))
    }

    /// The most rows of a page. If all pages will be requested and the first row depends on the last, one page has all rows.
    fn page_rows(&self, query: &BoundQuery, start: &PageStart, is_of_cells: bool) -> u64 {
        let needs_all = !query.order.is_empty() || query.apply.is_some();
        let own = match is_of_cells {
            true if start.all_pages && needs_all => self.limits.max_rows,
            true => self.limits.page_rows,
            false => u64::MAX,
        };
        own.min(start.max_page_size.unwrap_or(u64::MAX)).max(1)
    }
}

/// Refuses texts that are too long together for so many rows.
fn check_text(
    query: &BoundQuery,
    set: &Set,
    scan: &Scan<'_>,
    page: &PageRows<'_>,
) -> Result<(), BridgeError> {
    let rows = match &scan.rows {
        PlannedRows::List(batch) => batch.num_rows() as u64,
        PlannedRows::Cells(plan) => plan.row_bound(),
    };
    Ok(work::check_text(text_size::written(query, set, rows, page.room))?)
}

impl RowSink for PageRows<'_> {
    fn wanted(&self) -> Option<u64> {
        let is_full = self.next_row.is_some() || self.has_reached_top();
        match self.query.target {
            _ if self.query.apply.is_some() => Some(u64::MAX),
            Target::Count => None,
            _ if !self.query.order.is_empty() => Some(u64::MAX),
            _ if is_full => None,
            _ if self.counts_all() => Some(u64::MAX),
            Target::Collection | Target::Entity(_) | Target::Property { .. } => {
                Some(self.to_skip.saturating_add(self.room - self.taken))
            }
        }
    }

    fn take(&mut self, rows: Frame) -> Result<(), BridgeError> {
        if self.query.apply.is_some() {
            self.waiting.push(rows.without_sort_key()?);
            return Ok(());
        }
        // With `$apply`, `$filter` is still to come.
        self.count(rows.row_count() as u64);
        if self.query.order.is_empty() { self.apply(rows) } else { self.keep_first(rows) }
    }

    fn counts(&self) -> bool {
        self.counts_all() && self.query.apply.is_none()
    }

    fn count(&mut self, rows: u64) {
        self.matched += rows;
    }
}

impl<'a> PageRows<'a> {
    fn new(
        query: &'a BoundQuery,
        start: &'a PageStart,
        source: Option<&'a CellSource>,
        width: usize,
    ) -> Result<Self, BridgeError> {
        let left = query.top.map_or(u64::MAX, |top| top.saturating_sub(start.delivered()));
        Ok(Self {
            query,
            start,
            source,
            first: start.sort_key(source)?,
            room: if query.target == Target::Count { 0 } else { left },
            to_skip: if start.token.is_some() { 0 } else { query.skip },
            waiting: Vec::new(),
            frames: Vec::new(),
            taken: 0,
            next_row: None,
            matched: 0,
            places: None,
            width,
        })
    }

    /// Applies the options to rows in the order of the set: to all rows together if there is `$apply` or `$orderby`, else to the
    /// rows of one chunk after the other.
    fn apply(&mut self, mut rows: Frame) -> Result<(), BridgeError> {
        let query = self.query;
        if let Some(apply) = &query.apply {
            rows = aggregate::apply(rows, &apply.steps)?;
            // Without `$apply`, `$filter` and `$search` are conditions of the scan.
            rows = query.filter.iter().try_fold(rows, Frame::filter)?;
            self.count(rows.row_count() as u64);
        }
        if !query.order.is_empty() {
            let first = usize::try_from(self.before_in_order()).unwrap_or(usize::MAX);
            rows = rows.order(&query.order, first..self.last_row().unwrap_or(usize::MAX))?;
            self.check_first(&rows)?;
        }
        self.skip_and_top(&rows)
    }

    /// Keeps rows of which some may be among the first of the order.
    fn keep_first(&mut self, rows: Frame) -> Result<(), BridgeError> {
        let Some(last) = self.last_row() else {
            self.waiting.push(rows);
            return Ok(());
        };
        let first = |rows: Frame| {
            if rows.row_count() > last { rows.first(&self.query.order, last) } else { Ok(rows) }
        };
        self.waiting.push(first(rows)?);
        if self.waiting.iter().map(Frame::row_count).sum::<usize>() > last.saturating_mul(2) {
            let joined = Frame::joined(&std::mem::take(&mut self.waiting))?;
            self.waiting = joined.map(first).transpose()?.into_iter().collect();
        }
        Ok(())
    }

    /// How many rows of the order the page and what comes before it have, with one that shows whether a page follows.
    fn last_row(&self) -> Option<usize> {
        // In the order of the set, the rows before a skip token are not read.
        let before = if self.query.order.is_empty() { 0 } else { self.before_in_order() };
        usize::try_from(before.saturating_add(self.to_skip).saturating_add(self.room).saturating_add(1)).ok()
    }

    /// `$skip` and `$top`, within the page: from the row of the skip token, as many rows as fit.
    fn skip_and_top(&mut self, rows: &Frame) -> Result<(), BridgeError> {
        let first = match &self.first {
            Some(first) if self.query.order.is_empty() => rows.first_at(first),
            // Rows that were put in order begin where the page does.
            _ => 0,
        };
        let left = rows.row_count() - first;
        let skipped = usize::try_from(self.to_skip).map_or(left, |skip| skip.min(left));
        self.to_skip -= skipped as u64;
        let room = usize::try_from(self.room - self.taken).unwrap_or(usize::MAX);
        let take = (left - skipped).min(room);
        self.taken += take as u64;
        if left - skipped > take && self.next_row.is_none() {
            self.next_row = Some(rows.slice(first + skipped + take, 1));
        }
        if take > 0 {
            self.frames.push(rows.slice(first + skipped, take));
        }
        Ok(())
    }

    /// Notes the places that rows can stand at, where the page depends on all rows.
    ///
    /// # Errors
    /// When they are others than those of the pages before.
    fn hold_places(&mut self, scan: &Scan<'_>) -> Result<(), BridgeError> {
        let PlannedRows::Cells(plan) = &scan.rows else { return Ok(()) };
        self.places = self.applies_to_all().then(|| places_of(plan));
        match &self.start.token {
            Some(token) if token.places != self.places => {
                Err(FetchError::Gone { table: plan.source.measurement.id.clone() }.into())
            }
            _ => Ok(()),
        }
    }

    /// Checks that the page begins with the row of the skip token.
    ///
    /// # Errors
    /// When another row stands there: figures have changed, or it never was there.
    fn check_first(&self, rows: &Frame) -> Result<(), BridgeError> {
        match self.source {
            _ if self.first.as_ref().is_none_or(|first| rows.begins_with(first)) => Ok(()),
            Some(source) => Err(FetchError::Gone { table: source.measurement.id.clone() }.into()),
            None => Err(SkipTokenError::Damaged.into()),
        }
    }

    /// How many rows of the order come before the page, without those that are still to be skipped.
    fn before_in_order(&self) -> u64 {
        if self.start.token.is_some() { self.query.skip.saturating_add(self.start.delivered()) } else { 0 }
    }

    /// The page of the rows that were taken.
    pub(super) fn into_page(mut self, identity: String, read: Provenance) -> Result<Page, BridgeError> {
        if self.applies_to_all() {
            let waiting = Frame::joined(&std::mem::take(&mut self.waiting))?;
            let none = || self.query.apply.as_ref().map(|apply| aggregate::empty(&apply.source.columns));
            let rows = waiting.map(Ok).or_else(none).transpose()?;
            rows.map_or(Ok(()), |rows| self.apply(rows))?;
        }
        let rows = Frame::joined(&self.frames)?;
        let rows = match self.query.computed.is_empty() {
            true => rows,
            false => rows.map(|rows| rows.with_computed(self.width, self.query)).transpose()?,
        };
        Ok(Page {
            query: self.query.clone(),
            rows,
            count: self.total(),
            next: self.next(read),
            provenance: read,
            expansions: Vec::new(),
            identity,
        })
    }

    fn next(&self, read: Provenance) -> Option<SkipToken> {
        let delivered = self.start.delivered() + self.taken;
        let goes_on = self.query.target == Target::Collection
            && self.taken > 0
            && self.query.top.is_none_or(|top| delivered < top);
        let row = self.next_row.as_ref().filter(|_| goes_on)?;
        Some(SkipToken {
            fingerprint: self.start.fingerprint,
            revision: read.revision.map(|revision| revision.to_string()),
            first_key: key_of(self.source, row),
            delivered,
            total: self.total(),
            places: self.places,
        })
    }

    /// How many rows match: counted for the first page, later read from the skip token.
    fn total(&self) -> Option<u64> {
        let carried = self.start.token.as_ref().and_then(|token| token.total);
        if self.counts_all() { Some(self.matched) } else { carried.filter(|_| self.query.count) }
    }

    fn has_reached_top(&self) -> bool {
        self.query.top.is_some_and(|top| self.start.delivered().saturating_add(self.taken) >= top)
    }

    /// Whether all rows that match are counted.
    pub(super) fn counts_all(&self) -> bool {
        (self.query.count && self.start.token.is_none()) || self.query.target == Target::Count
    }

    /// Whether options apply to all rows together.
    fn applies_to_all(&self) -> bool {
        self.query.apply.is_some() || !self.query.order.is_empty()
    }

    /// Whether all rows are read, if only to count them.
    pub(super) fn needs_all(&self) -> bool {
        self.counts_all() || self.applies_to_all()
    }

    /// Reads no further than `$top` where it is known how many rows that takes.
    fn end_at_top(&self, scan: &mut Scan<'_>) {
        let Some(top) = self.query.top.filter(|_| !self.needs_all() && !scan.is_open) else { return };
        if let PlannedRows::Cells(plan) = &mut scan.rows {
            let rows = self.to_skip.saturating_add(top.saturating_sub(self.start.delivered()));
            plan.end_after(plan.rows_before(&scan.from).saturating_add(rows));
        }
    }

    /// How many rows are read at most. The first page in the order of the set is never refused for the number of rows, unless all
    /// pages will be requested, or a condition is evaluated here (`is_open`), which may match no row of very many.
    fn looks_at(&self, is_open: bool) -> u64 {
        let is_first = self.query.skip == 0 && self.start.token.is_none() && !self.start.all_pages;
        match self.needs_all() {
            true => u64::MAX,
            false if is_open => u64::MAX,
            false if is_first => 0,
            false => self.query.top.map_or(u64::MAX, |top| top.saturating_add(self.query.skip)),
        }
    }
}
