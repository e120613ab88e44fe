//! Answers to `$apply`. All rows that take part are read before the first of the result is known, so more than the limit is
//! refused before anything is fetched. The result is a list: its pages go on by number, in the revision of the first.

use chrono::{DateTime, Utc};

use super::{Answerer, Page, Start, Walk, Wishes, write_revision};
use crate::error::BridgeError;
use crate::feed::RowSource;
use crate::frame::Frame;
use crate::frame::aggregate;
use crate::query::apply::BoundApply;
use crate::query::{BoundQuery, Target};
use crate::store::block::Revision;

/// Every row that takes part, and where it is from.
struct Whole {
    rows: Frame,
    fetched_at: Option<DateTime<Utc>>,
    revision: Option<Revision>,
}

impl Answerer {
    pub(super) async fn applied(
        &self,
        query: &BoundQuery,
        apply: &BoundApply,
        wishes: &Wishes<'_>,
        start: Start,
    ) -> Result<Page, BridgeError> {
        let mut walk = self.walk(&apply.result, query, wishes, start);
        if let RowSource::Cells(_) = apply.source.rows {
            walk.limit = walk.limit.min(self.limits.page_rows.max(1));
        }
        let whole = self.whole(query.set, apply, walk.revision).await?;
        let mut page = walk.list(aggregate::apply(whole.rows, &apply.steps)?)?;
        if let (Some(next), Some(revision)) = (&mut page.next, whole.revision) {
            next.revision = write_revision(revision);
        }
        Ok(Page { fetched_at: whole.fetched_at, revision: whole.revision.or(page.revision), ..page })
    }

    async fn whole(
        &self,
        set: usize,
        apply: &BoundApply,
        revision: Option<Revision>,
    ) -> Result<Whole, BridgeError> {
        let source = match &apply.source.rows {
            RowSource::Cells(source) => source,
            RowSource::List(batch) => {
                let rows = Frame::of_list(batch);
                let rows = apply.filter.iter().try_fold(rows, Frame::filter)?;
                return Ok(Whole { rows, fetched_at: None, revision: None });
            }
        };
        let query = reading(set, apply);
        let walk = walk_of(apply, &query, revision);
        let page = self.cells(source, &walk).await?;
        let rows = match Frame::joined(&page.frames)? {
            Some(rows) => rows,
            None => aggregate::empty(&apply.source.columns)?,
        };
        Ok(Whole { rows, fetched_at: page.fetched_at, revision: page.revision })
    }
}

/// The walk through the rows that take part.
pub(super) fn walk_of<'a>(
    apply: &'a BoundApply,
    query: &'a BoundQuery,
    revision: Option<Revision>,
) -> Walk<'a> {
    Walk {
        set: &apply.source,
        query,
        filter: query.filter.clone(),
        needed: apply.needed.clone(),
        limit: u64::MAX,
        delivered: 0,
        whole: true,
        token: None,
        revision,
    }
}

/// The plain query that reads the rows. It counts, for that needs them all.
pub(super) fn reading(set: usize, apply: &BoundApply) -> BoundQuery {
    BoundQuery { filter: apply.filter.clone(), count: true, ..BoundQuery::of(set, Target::Collection) }
}
