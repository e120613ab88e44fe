//! `explain=plan`: the upstream requests that answering a query needs, without sending them.

use serde::Serialize;

use super::page_start::PageStart;
use super::scan::{PlannedRows, RowSink, Scan};
use super::{Answerer, lambda};
use crate::answer::error::BridgeError;
use crate::error::{DescribeError, excerpt};
use crate::feed::{Feed, Set};
use crate::fetch::request;
use crate::plan::UpstreamPlan;
use crate::plan::chunk::Chunk;
use crate::query::axis_filter::{AxisScope, mixed_terms};
use crate::query::{BoundExpr, BoundQuery, OrderKey};

/// Parts of an answer that are looked up in store, and requests that are listed; a plan may have more.
const LISTED: usize = 200;

/// The answer: a plan in readable form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The table; `None` for lists.
    pub table: Option<String>,
    pub rows_at_most: u64,
    /// The requests that would be sent, and their cells. Beyond the first parts of a large answer they are counted as if nothing
    /// were in store.
    pub requests: u64,
    pub cells: u64,
    /// How many requests the first page would be certain to need if nothing were in store; more follow only if rows are missing
    /// or dropped.
    pub first_page_requests: u64,
    /// Figures of the first parts of the answer, and how many of them come from store.
    pub figures: u64,
    pub figures_in_store: u64,
    /// The first requests that would be sent, in the order of the rows.
    pub plan: Vec<PlannedRequest>,
    /// The parts of the query that the bridge evaluates itself.
    pub evaluated_here: Vec<EvaluatedHere>,
    /// Conditions on members that do not exist: which, and what may be meant.
    pub unknown_members: Vec<String>,
}

/// One request to the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedRequest {
    /// Path and query below the upstream's root.
    pub request: String,
    pub rows_at_most: u64,
    /// The most cells of the answer, counted with all columns.
    pub cells: u64,
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
        Some((_, what)) => Err(BridgeError::Unexplained { what: excerpt(what) }),
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
        explanation.unknown_members =
            query.unknown_members.iter().map(|unknown| unknown.error().describe().danish).collect();
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
        let mut explanation = Explanation {
            table: Some(measurement.id.to_string()),
            rows_at_most: plan.row_bound(),
            requests: plan.chunks.count(),
            cells: plan.chunks.cells(),
            first_page_requests: plan.chunks_for(wanted),
            evaluated_here,
            ..Explanation::default()
        };
        for chunk in plan.chunks.iter().take(LISTED) {
            let outlook = self.fetcher.outlook(measurement, &chunk, mode).await?;
            explanation.requests -= 1;
            explanation.cells = explanation.cells.saturating_sub(chunk.cell_bound(measurement));
            explanation.figures += outlook.figures;
            explanation.figures_in_store += outlook.stored;
            for asked in &outlook.requests {
                explanation.ask(plan, asked);
            }
        }
        Ok(explanation)
    }
}

impl Explanation {
    /// Adds a request that would be sent.
    fn ask(&mut self, plan: &UpstreamPlan, chunk: &Chunk) {
        let measurement = &plan.source.measurement;
        let cells = chunk.cell_bound(measurement);
        self.requests += 1;
        self.cells = self.cells.saturating_add(cells);
        let listed = request::data_request(measurement, chunk).filter(|_| self.plan.len() < LISTED);
        self.plan.extend(listed.map(|request| PlannedRequest {
            request: request.path_and_query(),
            rows_at_most: chunk.row_bound().saturating_mul(plan.rows_per_place()),
            cells,
        }));
    }

    /// Adds the plan of a lambda aggregate.
    fn add(&mut self, asked: Self) {
        self.table = self.table.take().or(asked.table);
        self.rows_at_most = self.rows_at_most.saturating_add(asked.rows_at_most);
        self.requests += asked.requests;
        self.cells = self.cells.saturating_add(asked.cells);
        self.first_page_requests += asked.first_page_requests;
        self.figures = self.figures.saturating_add(asked.figures);
        self.figures_in_store = self.figures_in_store.saturating_add(asked.figures_in_store);
        self.plan.extend(asked.plan);
        self.evaluated_here.extend(asked.evaluated_here);
    }
}

fn evaluated_here(scan: &Scan<'_>, order: &[OrderKey], skips: bool, counts: bool) -> Vec<EvaluatedHere> {
    let PlannedRows::Cells(plan) = &scan.rows else { return Vec::new() };
    let set = scan.set;
    let scope = AxisScope { source: &plan.source, columns: &set.columns };
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
