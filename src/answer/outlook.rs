//! What is known of all rows of a request before any of them is read.

use chrono::{DateTime, Utc};

use super::page_start::PageStart;
use super::scan::{PlannedRows, Scan};
use super::stages::Stage;
use super::{Answerer, Bound, BoundRows, Request, Resource, lambda};
use crate::answer::error::BridgeError;
use crate::feed::{Feed, RowSource};
use crate::query::BoundQuery;
use crate::store::block::Revision;

/// All rows that a request is about, unread.
#[derive(Debug, Clone)]
pub struct Outlook {
    pub query: BoundQuery,
    /// The canonical text of the query.
    pub identity: String,
    /// The revision that stands now; rows of lists have none.
    pub revision: Option<Revision>,
    pub rows_at_most: u64,
}

impl Outlook {
    /// Whether what is read depends on rows that are read before.
    fn is_open(&self) -> bool {
        self.query.origin.is_some() || !self.query.lambda_aggregates().is_empty()
    }
}

impl Answerer {
    /// What a request for all rows would read. The caller negotiates the format as for [`Answerer::answer`].
    ///
    /// # Errors
    /// When the request is not valid, not about rows, or may exceed a limit.
    pub async fn outlook<F>(
        &self,
        request: &Request<'_>,
        negotiate: impl FnOnce(&Resource<'_>) -> Result<F, BridgeError>,
    ) -> Result<(F, Outlook), BridgeError> {
        let (format, bound) = self.bind(request, negotiate)?;
        let Bound::Rows(bound) = bound else {
            return Err(BridgeError::UnknownPath(request.path.to_owned()));
        };
        let BoundRows { query, text } = *bound;
        let mut outlook = Outlook { query, identity: text.identity, revision: None, rows_at_most: 0 };
        outlook.rows_at_most =
            request.stages.time(Stage::Plan, || self.rows_at_most(request.feed, &outlook))?;
        if let RowSource::Cells(source) = &request.feed.sets[outlook.query.set].rows {
            outlook.revision = Some(self.fetcher.open(&source.measurement.id, None).await?.revision());
        }
        Ok((format, outlook))
    }

    /// Whether all figures that would be read are stored, and fresh.
    pub async fn has_all(&self, feed: &Feed, outlook: &Outlook, now: DateTime<Utc>) -> bool {
        if outlook.is_open() {
            return false;
        }
        let Ok(start) = PageStart::read(None, &outlook.identity, None, true) else { return false };
        let Ok((scan, _)) = self.plan_page(feed, &outlook.query, None, &start) else { return false };
        let PlannedRows::Cells(plan) = &scan.rows else { return true };
        for chunk in plan.chunks.iter() {
            if !self.fetcher.is_ready(&plan.source.measurement, &chunk, now).await {
                return false;
            }
        }
        true
    }

    fn rows_at_most(&self, feed: &Feed, outlook: &Outlook) -> Result<u64, BridgeError> {
        let start = PageStart::read(None, &outlook.identity, None, true)?;
        let query = lambda::narrowed(feed, &outlook.query);
        let read = match self.plan_page(feed, &query, None, &start) {
            Ok((scan, _)) => read_at_most(&scan),
            // Fewer may be left when it is known what it depends on.
            Err(_) if outlook.is_open() => self.limits.max_rows,
            Err(error) => return Err(error),
        };
        Ok(outlook.query.top.map_or(read, |top| read.min(top)))
    }
}

fn read_at_most(scan: &Scan<'_>) -> u64 {
    match &scan.rows {
        PlannedRows::List(batch) => batch.num_rows() as u64,
        PlannedRows::Cells(plan) => plan.row_bound(),
    }
}
