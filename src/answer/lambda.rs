//! Answers to what a query's expressions ask of figures: `any`, `all` and `$count` over `Observations`.
//!
//! Each question is read like a query of its own, with its conditions pushed down, and no figure is read that the answer cannot
//! depend on. All questions of a request together read no more rows than one answer may have. What is left is a query over
//! look-ups, which reads its rows in the revision that the questions were answered from.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::FutureExt;

use super::Answerer;
use super::rows::RowReader;
use crate::answer::error::BridgeError;
use crate::feed::{CellSource, Feed, RowSource, Set};
use crate::fetch::RevisionMode;
use crate::frame::Frame;
use crate::frame::aggregate;
use crate::odata::value::Value;
use crate::plan::{UpstreamPlan, Wanted, plan};
use crate::query::eval::evaluate;
use crate::query::lambda::{Counts, LambdaAggregate};
use crate::query::{BoundExpr, BoundExprKind, BoundQuery};
use crate::store::block::Revision;

/// A query without open questions, and what its answers rest on.
pub(super) struct ResolvedQuery<'q> {
    pub(super) query: Cow<'q, BoundQuery>,
    /// The revision that was read, or was to be.
    pub(super) revision: Option<Revision>,
    /// When the oldest figure was fetched; `None` if there was nothing to ask.
    pub(super) fetched_at: Option<DateTime<Utc>>,
    /// Rows that may still be read.
    left: u64,
}

impl Answerer {
    /// Answers the open questions of a query, in the revision that earlier pages were of.
    pub(super) async fn resolve_lambdas<'q>(
        &self,
        feed: &Feed,
        query: &'q BoundQuery,
        revision: Option<Revision>,
    ) -> Result<ResolvedQuery<'q>, BridgeError> {
        let left = self.limits.max_rows;
        let mut resolved = ResolvedQuery { query: Cow::Borrowed(query), revision, fetched_at: None, left };
        if query.lambda_aggregates().is_empty() {
            return Ok(resolved);
        }
        narrow(feed, resolved.query.to_mut());
        while let Some(lambda) = resolved.query.lambda_aggregates().first().copied().cloned() {
            let counts = match &feed.sets[lambda.set].rows {
                RowSource::List(batch) => counted(Frame::of_list(batch)?, &lambda)?,
                RowSource::Cells(source) => self.count_cells(feed, source, &lambda, &mut resolved).await?,
            };
            resolved.query.to_mut().replace_lambda(&lambda, &lambda.lookup_table(counts));
        }
        Ok(resolved)
    }

    async fn count_cells(
        &self,
        feed: &Feed,
        source: &Arc<CellSource>,
        lambda: &LambdaAggregate,
        resolved: &mut ResolvedQuery<'_>,
    ) -> Result<Counts, BridgeError> {
        let scan = LambdaScan::new(&feed.sets[lambda.set], lambda);
        let plan = self.plan_of(source, &scan)?;
        let too_many = BridgeError::TooManyInLambdas { bound: plan.row_bound(), limit: self.limits.max_rows };
        resolved.left = resolved.left.checked_sub(plan.row_bound()).ok_or(too_many)?;
        if plan.chunks.count() == 0 {
            return Ok(Counts::new());
        }
        let read = |mode| self.count(&plan, &scan, mode).boxed();
        let found = self.with_stored_fallback(&source.measurement.id, resolved.revision, read).await?;
        resolved.revision = Some(found.revision);
        resolved.fetched_at = found.fetched_at.into_iter().chain(resolved.fetched_at).min();
        Ok(found.counts)
    }

    /// What is read to answer a question.
    pub(super) fn plan_of(
        &self,
        source: &Arc<CellSource>,
        scan: &LambdaScan<'_>,
    ) -> Result<UpstreamPlan, BridgeError> {
        Ok(plan(&scan.wanted(source), self.limits.cell_limit)?)
    }

    /// Counts chunk by chunk, so that no more rows are held than those of a few.
    async fn count(
        &self,
        plan: &UpstreamPlan,
        scan: &LambdaScan<'_>,
        mode: RevisionMode,
    ) -> Result<ScanCounts, BridgeError> {
        let mut rows = RowReader::new(self, plan, &scan.wanted(&plan.source), mode, &[]);
        let mut counts = Counts::new();
        while let Some(met) = rows.next(u64::MAX).await? {
            for (key, count) in aggregate::counts(&met, scan.lambda.key)? {
                *counts.entry(key).or_default() += count;
            }
        }
        Ok(ScanCounts { counts, revision: mode.revision(), fetched_at: rows.fetched_at() })
    }
}

/// What is read of a set to answer a question.
pub(super) struct LambdaScan<'a> {
    set: &'a Set,
    lambda: &'a LambdaAggregate,
    pub(super) needed: BTreeSet<usize>,
}

impl<'a> LambdaScan<'a> {
    pub(super) fn new(set: &'a Set, lambda: &'a LambdaAggregate) -> Self {
        let needed = lambda.condition.columns().into_iter().chain(set.key.iter().copied());
        Self { set, lambda, needed: needed.chain([lambda.key]).collect() }
    }

    fn wanted<'b>(&'b self, source: &'b Arc<CellSource>) -> Wanted<'b> {
        let filter = Some(&self.lambda.condition);
        Wanted { source, columns: &self.set.columns, needed: &self.needed, filter }
    }
}

struct ScanCounts {
    counts: Counts,
    revision: Revision,
    fetched_at: Option<DateTime<Utc>>,
}

/// How many rows of a list are counted, by their keys.
fn counted(rows: Frame, lambda: &LambdaAggregate) -> Result<Counts, BridgeError> {
    Ok(aggregate::counts(&rows.filter(&lambda.condition)?, lambda.key)?)
}

/// Asks about no other rows than the answer can have: where they are of a list, those that meet the conditions that ask nothing.
pub(super) fn narrow(feed: &Feed, query: &mut BoundQuery) {
    query.expand.iter_mut().for_each(|expand| narrow(feed, &mut expand.query));
    let set = &feed.sets[query.set];
    let RowSource::List(rows) = &set.rows else { return };
    let plain = plain_terms(query.condition(set));
    if plain.is_empty() || query.apply.is_some() {
        return;
    }
    // A condition that has no value for a row fails the request where it is met, if another term does not keep it from it.
    let Ok(met) = Frame::of_list(rows).and_then(|rows| rows.filter(&BoundExpr::all(plain))) else { return };
    query.for_each_lambda(&mut |key, lambda| {
        let Ok(keys) = evaluate(key, &met.batch) else { return };
        let text = |key| if let Value::String(key) = key { Some(key) } else { None };
        lambda.narrow(keys.values(met.row_count()).filter_map(text).collect());
    });
}

/// The terms of a condition that ask nothing of figures.
fn plain_terms(condition: Option<BoundExpr>) -> Vec<BoundExpr> {
    let terms = condition.map(|condition| match condition.kind {
        BoundExprKind::And(terms) => terms,
        _ => vec![condition],
    });
    terms.unwrap_or_default().into_iter().filter(|term| term.lambda_aggregates().is_empty()).collect()
}
