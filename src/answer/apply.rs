//! Answers to `$apply`. All rows that take part are read before the first of the result is known, so more than the limit is
//! refused before anything is fetched. The result is a list: its pages go on by number, in the revision of the first.

use chrono::{DateTime, Utc};

use super::{Answerer, Page, PageRequest, RowScan, Start};
use crate::answer::error::BridgeError;
use crate::feed::RowSource;
use crate::frame::Frame;
use crate::frame::aggregate;
use crate::query::apply::BoundApply;
use crate::query::{BoundQuery, Target};
use crate::store::block::Revision;

/// Every row that takes part, and where it is from.
struct SourceRows {
    rows: Frame,
    fetched_at: Option<DateTime<Utc>>,
    revision: Option<Revision>,
}

impl Answerer {
    pub(super) async fn applied(
        &self,
        query: &BoundQuery,
        apply: &BoundApply,
        request: &PageRequest<'_>,
        start: Start,
    ) -> Result<Page, BridgeError> {
        let mut scan = self.row_scan(&apply.result, query, request, start);
        if let RowSource::Cells(_) = apply.source.rows {
            scan.limit = scan.limit.min(self.limits.page_rows.max(1));
        }
        let source = self.source_rows(query.set, apply, scan.revision).await?;
        let mut page = scan.list(aggregate::apply(source.rows, &apply.steps)?)?;
        if let (Some(next), Some(revision)) = (&mut page.next, source.revision) {
            next.revision = revision.to_string();
        }
        Ok(Page { fetched_at: source.fetched_at, revision: source.revision.or(page.revision), ..page })
    }

    async fn source_rows(
        &self,
        set: usize,
        apply: &BoundApply,
        revision: Option<Revision>,
    ) -> Result<SourceRows, BridgeError> {
        let source = match &apply.source.rows {
            RowSource::Cells(source) => source,
            RowSource::List(batch) => {
                let rows = Frame::of_list(batch)?;
                let rows = apply.filter.iter().try_fold(rows, Frame::filter)?;
                return Ok(SourceRows { rows, fetched_at: None, revision: None });
            }
        };
        let query = source_query(set, apply);
        let scan = source_scan(apply, &query, revision);
        let page = self.cells(source, &scan).await?;
        let rows = match Frame::joined(&page.frames)? {
            Some(rows) => rows,
            None => aggregate::empty(&apply.source.columns)?,
        };
        Ok(SourceRows { rows, fetched_at: page.fetched_at, revision: page.revision })
    }
}

/// The walk through the rows that take part.
pub(super) fn source_scan<'a>(
    apply: &'a BoundApply,
    query: &'a BoundQuery,
    revision: Option<Revision>,
) -> RowScan<'a> {
    RowScan {
        set: &apply.source,
        query,
        filter: query.filter.clone(),
        needed: apply.needed.clone(),
        limit: u64::MAX,
        delivered: 0,
        all_pages: true,
        token: None,
        revision,
    }
}

/// The plain query that reads the rows. It counts, for that needs them all.
pub(super) fn source_query(set: usize, apply: &BoundApply) -> BoundQuery {
    BoundQuery { filter: apply.filter.clone(), count: true, ..BoundQuery::of(set, Target::Collection) }
}
