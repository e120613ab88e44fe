//! `explain=plan`: the upstream requests that answering a query needs, without sending them.

use serde::Serialize;

use super::page_start::PageStart;
use super::scan::{PlannedRows, RowSink, Scan};
use super::{Answerer, lambda};
use crate::answer::error::BridgeError;
use crate::feed::{Feed, Set};
use crate::fetch::request;
use crate::plan::UpstreamPlan;
use crate::plan::chunk::Chunk;
use crate::query::axis_filter::{AxisScope, mixed_terms};
use crate::query::{BoundExpr, BoundQuery, OrderKey};

/// The most requests that are listed; a plan may have more.
const LISTED: usize = 200;

/// The answer: a plan in readable form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The table; `None` for lists.
    pub table: Option<String>,
    pub rows_at_most: u64,
    /// All requests of the plan, and their cells.
    pub requests: u64,
    pub cells: u64,
    /// How many requests the first page needs at least; it needs more if rows are missing or filtered out.
    pub first_page_requests: u64,
    /// How many of the listed requests are answered from store.
    pub in_store: usize,
    /// The first requests of the plan, in the order of the rows.
    pub plan: Vec<PlannedRequest>,
    /// The parts of the query that the bridge evaluates itself.
    pub evaluated_here: Vec<EvaluatedHere>,
}

/// One request to the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedRequest {
    /// Path and query below the upstream's root.
    pub request: String,
    pub rows_at_most: u64,
    /// The most cells of the answer, counted with all columns.
    pub cells: u64,
    pub in_store: bool,
}

/// A part of the query that is evaluated on the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvaluatedHere {
    pub option: &'static str,
    /// The columns that it depends on.
    pub columns: Vec<String>,
}

/// Whether the custom option `explain` asks for the plan instead of the rows.
pub(super) fn is_asked_for(custom: &[(String, String)]) -> Result<bool, BridgeError> {
    match custom.iter().find(|(name, _)| name == "explain") {
        None => Ok(false),
        Some((_, what)) if what == "plan" => Ok(true),
        Some((_, what)) => Err(BridgeError::NotOffered {
            what: format!("explain={what}"),
            reason: "the only thing that is explained is the plan: explain=plan".to_owned(),
        }),
    }
}

impl Answerer {
    /// The plan of a query and of its lambda aggregates. An outer lambda aggregate is planned without the values of inner ones, because no
    /// figures are fetched.
    pub(super) async fn explain(
        &self,
        feed: &Feed,
        query: &BoundQuery,
        start: &PageStart,
    ) -> Result<Explanation, BridgeError> {
        let query = lambda::narrowed(feed, query);
        let (scan, rows) = self.plan_page(feed, &query, None, start)?;
        let here = match &query.apply {
            None => evaluated_here(&scan, &query.order, query.skip > 0, rows.counts_all()),
            Some(_) => evaluated_here(&scan, &[], false, true),
        };
        let wanted = if rows.needs_all() { u64::MAX } else { rows.wanted().unwrap_or_default() };
        let mut explanation = self.explain_scan(&scan, wanted, here).await?;
        for lambda in query.lambda_aggregates() {
            let scan = self.plan_lambda(feed, lambda)?;
            let here = evaluated_here(&scan, &[], false, true);
            explanation.add(self.explain_scan(&scan, u64::MAX, here).await?);
        }
        Ok(explanation)
    }

    /// The plan of a scan that needs at least so many rows.
    async fn explain_scan(
        &self,
        scan: &Scan<'_>,
        wanted: u64,
        evaluated_here: Vec<EvaluatedHere>,
    ) -> Result<Explanation, BridgeError> {
        let PlannedRows::Cells(plan) = &scan.rows else { return Ok(Explanation::default()) };
        let measurement = &plan.source.measurement;
        let mode = self.fetcher.open(&measurement.id, None).await?;
        let mut listed = Vec::new();
        for chunk in plan.chunks.iter().take(LISTED) {
            let in_store = self.fetcher.holds(measurement, &chunk, mode).await;
            listed.extend(planned(plan, &chunk, in_store));
        }
        Ok(Explanation {
            table: Some(measurement.id.to_string()),
            rows_at_most: plan.row_bound(),
            requests: plan.chunks.count(),
            cells: plan.chunks.cells(),
            first_page_requests: plan.chunks_for(wanted),
            in_store: listed.iter().filter(|request| request.in_store).count(),
            plan: listed,
            evaluated_here,
        })
    }
}

impl Explanation {
    /// Adds the plan of a lambda aggregate.
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

fn planned(plan: &UpstreamPlan, chunk: &Chunk, in_store: bool) -> Option<PlannedRequest> {
    let measurement = &plan.source.measurement;
    Some(PlannedRequest {
        request: request::data_request(measurement, chunk)?.path_and_query(),
        rows_at_most: chunk.row_bound().saturating_mul(plan.rows_per_place()),
        cells: chunk.cell_bound(measurement),
        in_store,
    })
}

fn evaluated_here(scan: &Scan<'_>, order: &[OrderKey], skips: bool, counts: bool) -> Vec<EvaluatedHere> {
    let PlannedRows::Cells(plan) = &scan.rows else { return Vec::new() };
    let set = scan.set;
    let scope = AxisScope { measurement: &plan.source.measurement, columns: &set.columns };
    let terms = scan.filter.iter().flat_map(|filter| mixed_terms(filter, &scope));
    let part = |option, expr: &BoundExpr| EvaluatedHere { option, columns: names(set, expr) };
    let alone = |option| EvaluatedHere { option, columns: Vec::new() };
    let filters = terms.map(|term| part("$filter", term));
    let orders = order.iter().map(|key| part("$orderby", &key.expr));
    filters
        .chain(orders)
        .chain(skips.then(|| alone("$skip")))
        .chain(counts.then(|| alone("$count")))
        .collect()
}

fn names(set: &Set, expr: &BoundExpr) -> Vec<String> {
    expr.columns().into_iter().filter_map(|column| Some(set.columns.get(column)?.name.clone())).collect()
}
