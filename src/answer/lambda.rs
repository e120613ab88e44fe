//! Lambda aggregates over figures: `any`, `all` and `$count` over `Observations`.
//!
//! Each is read by a scan of its own, with its condition pushed down, and replaced by a lookup table. All of a request together read
//! at most as many rows as one answer may have. The rows of the query are then read in the same revision.

use std::borrow::Cow;

use super::Answerer;
use super::scan::{Provenance, RowSink, Scan};
use super::stages::{Stage, Stages};
use crate::answer::error::BridgeError;
use crate::feed::{Feed, RowSource};
use crate::frame::Frame;
use crate::frame::aggregate;
use crate::odata::value::Value;
use crate::query::eval::evaluate;
use crate::query::lambda::{Counts, LambdaAggregate};
use crate::query::{BoundExpr, BoundExprKind, BoundQuery};
use crate::store::block::Revision;

/// A query in which lookup tables stand for lambda aggregates, and the provenance of these tables.
pub(super) struct ResolvedQuery<'q> {
    pub(super) query: Cow<'q, BoundQuery>,
    pub(super) provenance: Provenance,
}

/// Counts rows by the text in a column. It keeps no rows.
#[derive(Clone)]
struct RowCounter {
    key: usize,
    counts: Counts,
}

impl RowSink for RowCounter {
    fn wanted(&self) -> Option<u64> {
        Some(u64::MAX)
    }

    fn take(&mut self, rows: Frame) -> Result<(), BridgeError> {
        for (key, count) in aggregate::counts(&rows, self.key)? {
            *self.counts.entry(key).or_default() += count;
        }
        Ok(())
    }
}

impl Answerer {
    /// Replaces the lambda aggregates of a query, inner ones first, by lookup tables. They are read in the revision of earlier pages.
    pub(super) async fn resolve_lambdas<'q>(
        &self,
        feed: &Feed,
        stages: &Stages,
        query: &'q BoundQuery,
        begun: Option<Revision>,
    ) -> Result<ResolvedQuery<'q>, BridgeError> {
        let mut query = narrowed(feed, query);
        let mut provenance = Provenance { revision: begun, fetched_at: None };
        let limit = self.limits.max_rows;
        let mut left = limit;
        while let Some(lambda) = query.lambda_aggregates().first().copied().cloned() {
            let scan = stages.time(Stage::Plan, || self.plan_lambda(feed, &lambda))?;
            let bound = scan.row_bound();
            left = left.checked_sub(bound).ok_or(BridgeError::TooManyInLambdas { bound, limit })?;
            let sink = RowCounter { key: lambda.key, counts: Counts::new() };
            let (counted, read) = self.scan(stages, &scan, provenance.revision, &sink).await?;
            provenance = provenance.and(read);
            query.to_mut().replace_lambda(&lambda, &lambda.lookup_table(counted.counts));
        }
        Ok(ResolvedQuery { query, provenance })
    }

    /// Plans what is read for a lambda aggregate.
    pub(super) fn plan_lambda<'a>(
        &self,
        feed: &'a Feed,
        lambda: &LambdaAggregate,
    ) -> Result<Scan<'a>, BridgeError> {
        self.plan(&feed.sets[lambda.set], Some(lambda.condition.clone()), [lambda.key], |_| 0)
    }
}

/// The query with lambda aggregates that read no more than they need: if its rows are of a list, only the keys of those rows that
/// meet the conditions without lambda aggregates.
pub(super) fn narrowed<'q>(feed: &Feed, query: &'q BoundQuery) -> Cow<'q, BoundQuery> {
    let mut query = Cow::Borrowed(query);
    if !query.lambda_aggregates().is_empty() {
        narrow(feed, query.to_mut());
    }
    query
}

fn narrow(feed: &Feed, query: &mut BoundQuery) {
    query.expand.iter_mut().for_each(|expand| narrow(feed, &mut expand.query));
    let set = &feed.sets[query.set];
    let RowSource::List(rows) = &set.rows else { return };
    let plain = plain_terms(query.condition(set));
    if plain.is_empty() || query.apply.is_some() {
        return;
    }
    // A condition that fails for a row is left to be evaluated with the others: another term may exclude that row.
    let Ok(met) = Frame::of_list(rows).and_then(|rows| rows.filter(&BoundExpr::all(plain))) else { return };
    query.for_each_lambda(&mut |key, lambda| {
        let Ok(keys) = evaluate(key, &met.batch) else { return };
        let text = |key| if let Value::String(key) = key { Some(key) } else { None };
        lambda.narrow(keys.values(met.row_count()).filter_map(text).collect());
    });
}

/// The terms of a condition without lambda aggregates.
fn plain_terms(condition: Option<BoundExpr>) -> Vec<BoundExpr> {
    let terms = condition.map(|condition| match condition.kind {
        BoundExprKind::And(terms) => terms,
        _ => vec![condition],
    });
    terms.unwrap_or_default().into_iter().filter(|term| term.lambda_aggregates().is_empty()).collect()
}
