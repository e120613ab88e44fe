//! `$apply`: transformations of a set's rows, which are applied before the other options. Rows are filtered, ordered, cut, grouped
//! and counted as in any OData service, but figures are never summed: a measure is a custom aggregate whose value is the published
//! total. `totals` decides whether there is one.
//!
//! Filters at the beginning become the filter of the rows that are read, so that no more is fetched than is needed.

pub mod error;
mod group;
mod totals;

use std::collections::BTreeSet;

use super::error::{NotOfferedReason, QueryError, QueryErrorKind, Shape};
use super::expr::{Binder, Scope};
use super::request_part::{APPLY, RequestPart};
use super::{BoundExpr, Computed, OrderKey, compute, filter, orderby, search};
use crate::feed::Set;
use crate::feed::column::{Column, Fact};
use crate::odata::uri::syntax::{Expr, ExprKind, Literal, QueryOptions, Transformation};
use crate::odata::value::Value;

/// The rows that are read, and the transformations of them.
#[derive(Debug, Clone)]
pub struct BoundApply {
    /// The set whose rows are read; dimensions whose published total is needed are at their total.
    pub source: Set,
    /// The filter of the rows that are read.
    pub filter: Option<BoundExpr>,
    /// Indexes of the columns that are read.
    pub needed: BTreeSet<usize>,
    pub steps: Vec<Step>,
    /// The result as a set: its columns, and a key unless rows are grouped.
    pub result: Set,
}

impl BoundApply {
    /// Whether rows are grouped, so that they are not entities of the set.
    #[must_use]
    pub fn is_grouped(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Group(_)))
    }

    /// The expressions of all steps.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &BoundExpr> {
        self.filter.iter().chain(self.steps.iter().flat_map(Step::expressions))
    }

    pub(super) fn expressions_mut(&mut self) -> impl Iterator<Item = &mut BoundExpr> {
        self.filter.iter_mut().chain(self.steps.iter_mut().flat_map(Step::expressions_mut))
    }
}

/// The sets themselves cannot be compared; both come from the same feed, so comparing the result's columns is enough.
impl PartialEq for BoundApply {
    fn eq(&self, other: &Self) -> bool {
        (&self.filter, &self.needed, &self.steps, &self.result.columns)
            == (&other.filter, &other.needed, &other.steps, &other.result.columns)
    }
}

/// One transformation. Columns are indexes into the columns of the step before it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Filter(BoundExpr),
    Order(Vec<OrderKey>),
    Top(u64),
    Skip(u64),
    /// The first so many rows by an order key, in their earlier order.
    Extremes(u64, OrderKey),
    /// Computed values, which become columns after so many existing ones.
    Compute(usize, Vec<Computed>),
    Group(Grouping),
}

impl Step {
    pub(super) fn expressions(&self) -> Vec<&BoundExpr> {
        match self {
            Self::Filter(condition) => vec![condition],
            Self::Order(keys) => keys.iter().map(|key| &key.expr).collect(),
            Self::Extremes(_, key) => vec![&key.expr],
            Self::Compute(_, computed) => computed.iter().map(|computed| &computed.expr).collect(),
            Self::Top(_) | Self::Skip(_) | Self::Group(_) => Vec::new(),
        }
    }

    fn expressions_mut(&mut self) -> Vec<&mut BoundExpr> {
        match self {
            Self::Filter(condition) => vec![condition],
            Self::Order(keys) => keys.iter_mut().map(|key| &mut key.expr).collect(),
            Self::Extremes(_, key) => vec![&mut key.expr],
            Self::Compute(_, computed) => computed.iter_mut().map(|computed| &mut computed.expr).collect(),
            Self::Top(_) | Self::Skip(_) | Self::Group(_) => Vec::new(),
        }
    }
}

/// Grouping: one row per combination of values, or one row in total if there are no columns to group by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    pub by: Vec<usize>,
    pub aggregates: Vec<Aggregate>,
}

/// An aggregate over the rows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    Count,
    /// The number of distinct values of a column, without null.
    CountDistinct(usize),
    Least(usize),
    Greatest(usize),
    /// A published figure: that of the group's only row, or of the first of several rows with the same figures.
    Published(usize),
    /// The status of that row's figures; `mangler` where there is no row.
    State(usize),
}

/// Binds the transformations.
pub(super) fn bind(
    scope: Scope<'_>,
    set: &Set,
    transformations: &[Transformation],
) -> Result<BoundApply, QueryError> {
    let mut line = Line::new(scope, set);
    transformations.iter().try_for_each(|transformation| line.add(transformation))?;
    Ok(line.finish())
}

/// Refuses options that OData allows together with `$apply` and that are not supported there.
pub(super) fn refuse_beside(options: &QueryOptions) -> Result<(), QueryError> {
    let unoffered = [
        ("$expand", options.expand.is_some()),
        ("$search", options.search.is_some()),
        ("$compute", options.compute.is_some()),
    ];
    match unoffered.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => {
            let construct = format!("{option} sammen med $apply");
            Err(RequestPart(option)
                .fault(QueryErrorKind::NotOffered { construct, reason: NotOfferedReason::NotBuilt }))
        }
        None => Ok(()),
    }
}

/// The transformations bound so far, and the columns after the last of them.
struct Line<'a> {
    scope: Scope<'a>,
    source: Set,
    filter: Option<BoundExpr>,
    steps: Vec<Step>,
    shape: Set,
}

impl<'a> Line<'a> {
    fn new(scope: Scope<'a>, set: &Set) -> Self {
        Self { scope, source: set.clone(), filter: None, steps: Vec::new(), shape: set.clone() }
    }

    fn binder(&self) -> Binder<'_> {
        Binder::new(self.scope, &self.shape, APPLY)
    }

    fn add(&mut self, transformation: &Transformation) -> Result<(), QueryError> {
        match transformation {
            Transformation::Identity => {}
            Transformation::Filter(expr) => {
                if let Some(condition) = filter::bind(&self.binder(), Some(expr))? {
                    self.add_filter(condition);
                }
            }
            Transformation::OrderBy(terms) => {
                let keys = orderby::bind(&self.binder(), terms)?;
                self.steps.push(Step::Order(keys));
            }
            Transformation::Top(rows) => self.steps.push(Step::Top(whole_number(rows)?)),
            Transformation::Skip(rows) => self.steps.push(Step::Skip(whole_number(rows)?)),
            Transformation::GroupBy { groups, then } => {
                let by = self.group_columns(groups)?;
                match then.as_slice() {
                    [] => self.group(by, &[])?,
                    [Transformation::Aggregate(terms)] => self.group(by, terms)?,
                    _ => return Err(not_offered("groupby((…),…)", NotOfferedReason::Separately)),
                }
            }
            Transformation::Aggregate(terms) => self.group(Vec::new(), terms)?,
            Transformation::Search(words) => {
                let condition = search::condition(&self.binder(), words)?;
                self.add_filter(condition);
            }
            Transformation::Compute(terms) => {
                let computed = compute::bind(|| self.binder(), terms)?;
                self.compute(computed);
            }
            Transformation::Extremes { greatest, count, by } => {
                let expr = self.binder().bind(by)?;
                let key = OrderKey { expr, descending: *greatest };
                self.steps.push(Step::Extremes(self.positive(count)?, key));
            }
            Transformation::Concat(_) => return Err(not_offered("concat(…)", NotOfferedReason::Separately)),
            Transformation::Other { name, span } => {
                let (construct, reason) = (format!("{name}(…)"), reason(name));
                return Err(APPLY.error(span.start, QueryErrorKind::NotOffered { construct, reason }));
            }
        }
        Ok(())
    }

    /// Adds a step that computes values, which are columns from then on.
    fn compute(&mut self, mut computed: Vec<Computed>) {
        let width = self.shape.columns.len();
        for value in &mut computed {
            let primitive = value.column_type();
            let Computed { name, expr } = value;
            let read = expr.columns().into_iter().filter_map(|column| self.shape.columns.get(column));
            // Values computed from figures may not be summed either.
            let fact = read.map(|column| column.fact).find(|fact| group::shows_figures(*fact));
            expr.primitive = Some(primitive);
            let fact = fact.unwrap_or(Fact::Listed(self.shape.columns.len()));
            self.shape.columns.push(Column { name: name.clone(), primitive, nullable: true, fact });
        }
        self.steps.push(Step::Compute(width, computed));
    }

    /// A constant number of rows, at least one.
    fn positive(&self, count: &Expr) -> Result<u64, QueryError> {
        let found = match self.binder().bind(count)?.as_literal() {
            Some(Value::Integer(number)) => u64::try_from(*number).ok().filter(|number| *number > 0),
            _ => None,
        };
        found.ok_or_else(|| {
            let kind = QueryErrorKind::TypeMismatch { expected: Shape::Positive, found: Shape::Value };
            APPLY.error(count.span.start, kind)
        })
    }

    /// Whether the rows at this point are all rows of the set that meet the filter, in any order.
    fn is_whole(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Order(_)))
    }

    fn add_filter(&mut self, condition: BoundExpr) {
        if self.is_whole() {
            self.filter = filter::joined(self.filter.take().into_iter().chain([condition]));
        } else {
            self.steps.push(Step::Filter(condition));
        }
    }

    fn finish(self) -> BoundApply {
        let needed = self.needed();
        let Self { source, filter, steps, shape: result, .. } = self;
        BoundApply { source, filter, needed, steps, result }
    }

    /// The columns that are needed until rows are grouped; all if they are not grouped.
    fn needed(&self) -> BTreeSet<usize> {
        let width = self.source.columns.len();
        let mut needed: BTreeSet<usize> = self.filter.iter().flat_map(BoundExpr::columns).collect();
        for step in &self.steps {
            needed.extend(step.expressions().into_iter().flat_map(BoundExpr::columns));
            if let Step::Group(grouping) = step {
                needed.extend(grouping.columns());
                // Computed values are not read from the set.
                needed.retain(|&column| column < width);
                if needed.is_empty() {
                    // Rows that are only counted need one column, so that the frame has rows.
                    needed.extend(self.source.key.first());
                }
                return needed;
            }
        }
        (0..width).collect()
    }
}

impl Grouping {
    /// The columns that are read.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.by.iter().copied().chain(self.aggregates.iter().filter_map(|aggregate| aggregate.column()))
    }
}

impl Aggregate {
    /// The column that is read, if any is.
    #[must_use]
    pub fn column(self) -> Option<usize> {
        match self {
            Self::Count => None,
            Self::CountDistinct(column)
            | Self::Least(column)
            | Self::Greatest(column)
            | Self::Published(column)
            | Self::State(column) => Some(column),
        }
    }
}

fn whole_number(expr: &Expr) -> Result<u64, QueryError> {
    match &expr.kind {
        ExprKind::Literal(Literal::Value(Value::Integer(number))) => u64::try_from(*number).ok(),
        _ => None,
    }
    .ok_or_else(|| not_offered("top/skip", NotOfferedReason::NotBuilt))
}

/// Why a transformation that was parsed by name only is not supported.
fn reason(name: &str) -> NotOfferedReason {
    match name {
        "topsum" | "toppercent" | "bottomsum" | "bottompercent" => NotOfferedReason::Sums,
        "join" | "outerjoin" | "nest" | "addnested" => NotOfferedReason::NoProducts,
        "ancestors" | "descendants" | "traverse" => NotOfferedReason::Hierarchies,
        _ => NotOfferedReason::NoOperations,
    }
}

fn not_offered(construct: &str, reason: NotOfferedReason) -> QueryError {
    APPLY.fault(QueryErrorKind::NotOffered { construct: construct.to_owned(), reason })
}
