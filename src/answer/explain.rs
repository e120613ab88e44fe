//! What answering a query would ask of the upstream, without asking it.

use std::borrow::Cow;

use serde::Serialize;

use crate::answer::error::BridgeError;
use crate::answer::gather::Gathered;
use crate::answer::lambda::{self, LambdaScan};
use crate::answer::{Answerer, PageRequest, RowScan, Start, apply};
use crate::feed::{Feed, RowSource, Set};
use crate::fetch::request;
use crate::plan::chunk::Chunk;
use crate::plan::{UpstreamPlan, Wanted, plan};
use crate::query::axis_filter::{AxisScope, mixed_terms};
use crate::query::lambda::LambdaAggregate;
use crate::query::{BoundExpr, BoundQuery, Target};

/// Requests that are listed; a plan may have more.
const LISTED: usize = 200;

/// A plan, for people to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The table that is asked for; none for rows that the catalogue itself holds.
    pub table: Option<String>,
    pub rows_at_most: u64,
    /// All requests of the plan, and their cells.
    pub requests: u64,
    pub cells: u64,
    /// How many of the requests the first page is certain to need; more follow only if rows are missing or dropped.
    pub first_page_requests: u64,
    /// How many of the listed requests are answered from store.
    pub in_store: usize,
    /// The first requests of the plan, in the order of the rows.
    pub plan: Vec<PlannedRequest>,
    /// What the upstream is not asked to do.
    pub evaluated_here: Vec<EvaluatedHere>,
}

/// One request to the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedRequest {
    /// Path and query below the upstream's root.
    pub request: String,
    pub rows_at_most: u64,
    /// Cells of the answer at most, counted with all columns.
    pub cells: u64,
    pub in_store: bool,
}

/// A part of the query that is worked out on the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvaluatedHere {
    pub option: &'static str,
    /// The columns that it depends on.
    pub columns: Vec<String>,
}

impl Answerer {
    /// The plan of a query. No figures are fetched.
    ///
    /// # Errors
    /// When the query asks for too much.
    pub async fn explain(
        &self,
        feed: &Feed,
        query: &BoundQuery,
        request: &PageRequest<'_>,
    ) -> Result<Explanation, BridgeError> {
        let mut asked = Cow::Borrowed(query);
        if !query.lambda_aggregates().is_empty() {
            lambda::narrow(feed, asked.to_mut());
        }
        let mut explanation = self.explain_rows(feed, &asked, request).await?;
        for lambda in asked.lambda_aggregates() {
            explanation.add(self.explain_lambda(feed, lambda).await?);
        }
        Ok(explanation)
    }

    /// What answering a question takes, whatever the answers to others that it waits for.
    async fn explain_lambda(
        &self,
        feed: &Feed,
        lambda: &LambdaAggregate,
    ) -> Result<Explanation, BridgeError> {
        let set = &feed.sets[lambda.set];
        let RowSource::Cells(source) = &set.rows else { return Ok(Explanation::default()) };
        let query = BoundQuery {
            filter: Some(lambda.condition.clone()),
            count: true,
            ..BoundQuery::of(lambda.set, Target::Collection)
        };
        let lambda_scan = LambdaScan::new(set, lambda);
        let plan = self.plan_of(source, &lambda_scan)?;
        let scan = RowScan {
            filter: query.filter.clone(),
            needed: lambda_scan.needed,
            ..self.row_scan(set, &query, &PageRequest::default(), Start::default())
        };
        let held = self.held(&plan).await?;
        Ok(explained(&plan, &scan, &held))
    }

    async fn explain_rows(
        &self,
        feed: &Feed,
        query: &BoundQuery,
        request: &PageRequest<'_>,
    ) -> Result<Explanation, BridgeError> {
        let source_query = query.apply.as_ref().map(|apply| apply::source_query(query.set, apply));
        let scan = match (&query.apply, &source_query) {
            (Some(applied), Some(source_query)) => apply::source_scan(applied, source_query, None),
            _ => self.row_scan(&feed.sets[query.set], query, request, Start::of(request)?),
        };
        let RowSource::Cells(source) = &scan.set.rows else { return Ok(Explanation::default()) };
        let wanted =
            Wanted { source, columns: &scan.set.columns, needed: &scan.needed, filter: scan.filter.as_ref() };
        let plan = plan(&wanted, self.limits.cell_limit)?;
        self.check_bound(&plan, &scan)?;
        let held = self.held(&plan).await?;
        Ok(explained(&plan, &scan, &held))
    }

    /// Which of the requests that are listed are answered from store.
    async fn held(&self, plan: &UpstreamPlan) -> Result<Vec<bool>, BridgeError> {
        let measurement = &plan.source.measurement;
        let mode = self.fetcher.open(&measurement.id, None).await?;
        let mut held = Vec::new();
        for chunk in plan.chunks.iter().take(LISTED) {
            held.push(self.fetcher.holds(measurement, &chunk, mode).await);
        }
        Ok(held)
    }
}

impl Explanation {
    /// Adds what has to be asked before the rows can be read.
    fn add(&mut self, asked: Self) {
        self.table = self.table.take().or(asked.table);
        self.rows_at_most = self.rows_at_most.saturating_add(asked.rows_at_most);
        self.requests += asked.requests;
        self.cells = self.cells.saturating_add(asked.cells);
        self.first_page_requests += asked.first_page_requests;
        self.in_store += asked.in_store;
        self.plan.extend(asked.plan);
        self.evaluated_here.extend(asked.evaluated_here);
    }
}

fn explained(plan: &UpstreamPlan, scan: &RowScan<'_>, held: &[bool]) -> Explanation {
    let measurement = &plan.source.measurement;
    let planned = |(chunk, &in_store): (Chunk, &bool)| {
        Some(PlannedRequest {
            request: request::data_request(measurement, &chunk)?.path_and_query(),
            rows_at_most: chunk.row_bound().saturating_mul(plan.rows_per_place()),
            cells: chunk.cell_bound(measurement),
            in_store,
        })
    };
    Explanation {
        table: Some(measurement.id.to_string()),
        rows_at_most: plan.row_bound(),
        requests: plan.chunks.count(),
        cells: plan.chunks.cells(),
        first_page_requests: plan.chunks_for(Gathered::new(scan, None).wanted()),
        in_store: held.iter().filter(|held| **held).count(),
        plan: plan.chunks.iter().zip(held).filter_map(planned).collect(),
        evaluated_here: evaluated_here(plan, scan),
    }
}

fn evaluated_here(plan: &UpstreamPlan, scan: &RowScan<'_>) -> Vec<EvaluatedHere> {
    let (set, query) = (scan.set, scan.query);
    let scope = AxisScope { measurement: &plan.source.measurement, columns: &set.columns };
    let terms = scan.filter.iter().flat_map(|filter| mixed_terms(filter, &scope));
    let part = |option, expr: &BoundExpr| EvaluatedHere { option, columns: names(set, expr) };
    let alone = |option| EvaluatedHere { option, columns: Vec::new() };
    let filters = terms.map(|term| part("$filter", term));
    let orders = query.order.iter().map(|key| part("$orderby", &key.expr));
    let skips = (query.skip > 0).then(|| alone("$skip"));
    let counts = scan.counts().then(|| alone("$count"));
    filters.chain(orders).chain(skips).chain(counts).collect()
}

fn names(set: &Set, expr: &BoundExpr) -> Vec<String> {
    expr.columns().into_iter().filter_map(|column| Some(set.columns.get(column)?.name.clone())).collect()
}
