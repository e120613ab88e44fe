//! What is known of all rows of a request before any of them is read.

use chrono::{DateTime, Utc};

use super::page_start::PageStart;
use super::scan::{PlannedRows, Scan};
use super::stages::Stage;
use super::{Answerer, Bound, BoundRows, Request, Resource, lambda};
use crate::answer::error::BridgeError;
use crate::feed::{Feed, RowSource};
use crate::plan::UpstreamPlan;
use crate::query::BoundQuery;
use crate::store::block::Revision;

/// All rows that a request is about, unread.
#[derive(Debug, Clone)]
pub struct Estimate {
    pub query: BoundQuery,
    /// The canonical text of the query.
    pub identity: String,
    /// The revision that stands now; rows for which no figures are read have none.
    pub revision: Option<Revision>,
    pub rows_at_most: u64,
    /// The requests for the figures; `None` if there are none, or if they depend on rows that are read before.
    plan: Option<UpstreamPlan>,
}

/// Whether what is read depends on rows that are read before.
fn is_open(query: &BoundQuery) -> bool {
    query.origin.is_some() || !query.lambda_aggregates().is_empty()
}

impl Answerer {
    /// What a request for all rows would read. The caller negotiates the format as for [`Answerer::answer`].
    ///
    /// # Errors
    /// When the request is not valid, not about rows, or may exceed a limit.
    pub async fn estimate<F>(
        &self,
        request: &Request<'_>,
        negotiate: impl FnOnce(&Resource<'_>) -> Result<F, BridgeError>,
    ) -> Result<(F, Estimate), BridgeError> {
        let (format, bound) = self.bind(request, negotiate)?;
        let Bound::Rows(bound) = bound else {
            return Err(BridgeError::UnknownPath(request.path.to_owned()));
        };
        let BoundRows { query, text } = *bound;
        let feed = request.feed;
        let of_lambdas = query.lambda_aggregates().into_iter().map(|lambda| lambda.set);
        let read: Vec<_> = [query.set].into_iter().chain(of_lambdas).collect();
        let identity = text.identity;
        let plan = || self.estimate_rows(feed, &query, &identity);
        let (rows_at_most, plan) = request.stages.time(Stage::Plan, plan)?;
        let mut revision = None;
        // All figures of a feed are of one table.
        for set in read {
            if let RowSource::Cells(source) = &feed.sets[set].rows {
                revision = Some(self.fetcher.open(&source.measurement.id, None).await?.revision());
                break;
            }
        }
        Ok((format, Estimate { query, identity, revision, rows_at_most, plan }))
    }

    /// Whether all figures that would be read are stored, and fresh.
    pub async fn has_all(&self, estimate: &Estimate, now: DateTime<Utc>) -> bool {
        let Some(plan) = &estimate.plan else { return !is_open(&estimate.query) };
        for chunk in plan.chunks.iter() {
            if !self.fetcher.is_ready(&plan.source.measurement, &chunk, now).await {
                return false;
            }
        }
        true
    }

    /// How many rows there are at most, and the requests for their figures.
    fn estimate_rows(
        &self,
        feed: &Feed,
        query: &BoundQuery,
        identity: &str,
    ) -> Result<(u64, Option<UpstreamPlan>), BridgeError> {
        let start = PageStart::read(None, identity, None, true)?;
        let (narrowed, is_open) = (lambda::narrowed(feed, query), is_open(query));
        let (rows, plan) = match self.plan_page(feed, &narrowed, None, &start) {
            Ok((Scan { rows: PlannedRows::List(batch), .. }, _)) => (batch.num_rows() as u64, None),
            Ok((Scan { rows: PlannedRows::Cells(plan), .. }, _)) => (plan.row_bound(), Some(plan)),
            // Fewer may be left when it is known what it depends on.
            Err(_) if is_open => (self.limits.max_rows, None),
            Err(error) => return Err(error),
        };
        Ok((query.top.map_or(rows, |top| rows.min(top)), plan.filter(|_| !is_open)))
    }
}
