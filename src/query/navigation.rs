//! Paths in expressions: to a column, a computed value, or through the navigation properties of the model.
//!
//! A navigation property to one row of a list becomes a lookup table. `any`, `all` or `$count` over a navigation property to many rows
//! of a list is computed for all keys and becomes a lookup table too. Binding does not fetch, so the same over figures stays a lambda
//! aggregate, which `answer/lambda.rs` resolves.

use arrow_array::RecordBatch;

use super::error::{NotOfferedReason, QueryError, QueryErrorKind, Shape};
use super::eval::{EvalError, evaluate};
use super::expr::{Binder, Bound};
use super::lambda::{AggregateKind, Counts, LambdaAggregate};
use super::lookup_table::LookupTable;
use super::select::unknown_property;
use super::{BoundExpr, BoundExprKind, Comparison, search};
use crate::feed::list::ListRow;
use crate::feed::{Navigation, RowSource, Set};
use crate::odata::uri::literal;
use crate::odata::uri::syntax::{Expr, ExprKind, LambdaOp, Literal, MemberPath, MemberStep, PathRoot};
use crate::odata::value::{PrimitiveType, Value};

/// The nodes that a lambda aggregate over figures counts as, against the limit of a request's expressions.
const FETCHED_LAMBDA_NODES: usize = 10_000;

/// The current row while the steps of a path are followed.
struct PathRow<'a> {
    set: &'a Set,
    /// The navigation property that led here, and its key as an expression over the first row; `None` at the first row.
    by: Option<(&'a Navigation, BoundExpr)>,
}

impl<'a> Binder<'a> {
    /// The value that a path leads to.
    pub(super) fn path(&self, expr: &Expr, path: &MemberPath) -> Bound {
        let mut steps = self.own_steps(expr, path)?;
        let mut at = PathRow { set: self.set, by: None };
        while let [step, rest @ ..] = steps {
            let MemberStep::Name { name, key, .. } = step else { break };
            if key.is_none() && !rest.is_empty() && self.feed.is_type_of(at.set, name) {
                steps = rest;
                continue;
            }
            // The name of a computed value is none of the set's, but it may be a second name of one.
            if let (None, Some(computed)) = (&at.by, self.computed(name)) {
                self.check_end(expr, at.set, name, key.is_some(), rest)?;
                self.charge(computed.nodes().count())?;
                return Ok(computed.clone());
            }
            if let Some(column) = at.set.column_index(name) {
                self.check_end(expr, at.set, name, key.is_some(), rest)?;
                return self.column_of(&at, column);
            }
            if let (None, Some(duration)) = (&at.by, bare_duration(path, at.set)) {
                return Ok(duration);
            }
            let navigation = self.navigation(expr, at.set, step)?;
            let here = self.column_of(&at, navigation.from_column)?;
            if navigation.collection {
                return self.many(expr, navigation, here, rest);
            }
            let set = self.feed.sets.get(navigation.target).ok_or_else(|| self.lost(expr))?;
            at = PathRow { set, by: Some((navigation, here)) };
            steps = rest;
        }
        match steps.first() {
            None => Err(self.mismatch(expr, Shape::Value, Shape::Entity)),
            Some(_) => Err(self.not_offered(expr, "any/all/$count/$filter", NotOfferedReason::OneRow)),
        }
    }

    /// `Navigation eq null` and `ne null`: whether the target row exists. `None` if this is another comparison.
    pub(super) fn presence(
        &self,
        comparison: Comparison,
        left: &Expr,
        right: &Expr,
    ) -> Result<Option<BoundExpr>, QueryError> {
        let is_null = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(Literal::Value(Value::Null)));
        let path = match (&left.kind, &right.kind) {
            (ExprKind::Path(path), _) if is_null(right) => path,
            (_, ExprKind::Path(path)) if is_null(left) => path,
            _ => return Ok(None),
        };
        if !matches!(comparison, Comparison::Eq | Comparison::Ne) {
            return Ok(None);
        }
        let Ok([MemberStep::Name { name, key: None, .. }]) = self.own_steps(left, path) else {
            return Ok(None);
        };
        let navigation = self.set.navigation(name).filter(|navigation| !navigation.collection);
        let Some(navigation) = navigation else { return Ok(None) };
        let here = self.column_of(&PathRow { set: self.set, by: None }, navigation.from_column)?;
        let set = self.feed.sets.get(navigation.target).ok_or_else(|| self.lost(left))?;
        let there = self.column_of(&PathRow { set, by: Some((navigation, here)) }, navigation.to_column)?;
        let null = BoundExpr::literal(Value::Null, None);
        let kind = BoundExprKind::Compare(comparison, Box::new(there), Box::new(null));
        Ok(Some(BoundExpr::boolean(kind)))
    }

    /// The steps from the row that the expression is about.
    fn own_steps<'e>(&self, expr: &Expr, path: &'e MemberPath) -> Result<&'e [MemberStep], QueryError> {
        match path.root {
            PathRoot::Root | PathRoot::These => {
                Err(self.not_offered(expr, "$root/$these", NotOfferedReason::NotBuilt))
            }
            PathRoot::It if self.is_inner() => Err(self.not_offered(expr, "$it", NotOfferedReason::OuterRow)),
            PathRoot::It | PathRoot::This => Ok(&path.steps),
            PathRoot::Implicit => match (self.variable, path.steps.as_slice()) {
                (None, steps) => Ok(steps),
                (Some(own), [MemberStep::Name { name, key: None, .. }, rest @ ..]) if own == name => Ok(rest),
                (Some(_), [MemberStep::Name { name, .. }, ..]) => Err(self.not_of_this_row(expr, name)),
                (Some(_), steps) => Ok(steps),
            },
        }
    }

    /// The error for a name in a lambda expression that does not begin with its variable: it refers to an outer row or is unknown.
    fn not_of_this_row(&self, expr: &Expr, name: &str) -> QueryError {
        let is_variable = self.around.iter().any(|(variable, _)| *variable == Some(name));
        match self.around.first() {
            Some((_, set)) if !is_variable && !set.has(name) => {
                self.part.error(expr.span.start, unknown_property(set, name))
            }
            _ => self.not_offered(expr, name, NotOfferedReason::OuterRow),
        }
    }

    /// Checks that the path ends at the column.
    fn check_end(
        &self,
        expr: &Expr,
        set: &Set,
        name: &str,
        has_key: bool,
        rest: &[MemberStep],
    ) -> Result<(), QueryError> {
        match rest.first() {
            None if !has_key => Ok(()),
            Some(MemberStep::Name { name: annotation, .. }) if annotation.starts_with('@') => {
                Err(self.not_offered(expr, annotation, NotOfferedReason::NotBuilt))
            }
            Some(MemberStep::Name { name: below, span, .. }) if !has_key => {
                Err(self.part.error(span.start, unknown_property(set, &format!("{name}/{below}"))))
            }
            _ => Err(self.not_offered(expr, name, NotOfferedReason::NoCollections)),
        }
    }

    /// The navigation property that a step names, or the error.
    fn navigation<'s>(
        &self,
        expr: &Expr,
        set: &'s Set,
        step: &MemberStep,
    ) -> Result<&'s Navigation, QueryError> {
        let MemberStep::Name { name, key, span } = step else { return Err(self.lost(expr)) };
        match (set.navigation(name), key) {
            (Some(navigation), None) => Ok(navigation),
            (Some(_), Some(_)) => {
                Err(self.not_offered(expr, &format!("{name}(…)"), NotOfferedReason::NotBuilt))
            }
            (None, _) if name.starts_with('@') => {
                Err(self.not_offered(expr, name, NotOfferedReason::NotBuilt))
            }
            (None, _) if self.feed.has_type(name) => {
                Err(self.not_offered(expr, name, NotOfferedReason::NoDerivedTypes))
            }
            (None, Some(_)) => Err(self.unknown_function(expr, name)),
            (None, None) => Err(self.part.error(span.start, unknown_property(set, name))),
        }
    }

    /// A column of the current row of the path.
    fn column_of(&self, at: &PathRow<'_>, column: usize) -> Bound {
        let primitive = at.set.columns.get(column).map(|column| column.primitive);
        let Some((navigation, key)) = &at.by else {
            return Ok(BoundExpr { kind: BoundExprKind::Column(column), primitive });
        };
        let RowSource::List(rows) = &at.set.rows else {
            let kind = QueryErrorKind::NotOffered {
                construct: navigation.name.clone(),
                reason: NotOfferedReason::UnboundedCells,
            };
            return Err(self.part.fault(kind));
        };
        let table = self.tables.borrow().get(&(navigation.target, navigation.to_column, column)).cloned();
        let table = table.unwrap_or_else(|| {
            let table = lookup_table(rows, navigation.to_column, column);
            self.tables.borrow_mut().insert((navigation.target, navigation.to_column, column), table.clone());
            table
        });
        Ok(BoundExpr { kind: BoundExprKind::Lookup(Box::new(key.clone()), table), primitive })
    }

    /// An aggregate over the rows that a navigation property leads to.
    fn many(&self, expr: &Expr, navigation: &Navigation, here: BoundExpr, steps: &[MemberStep]) -> Bound {
        let target = self.feed.sets.get(navigation.target).ok_or_else(|| self.lost(expr))?;
        let Some((last, filters)) = steps.split_last() else {
            return Err(self.mismatch(expr, Shape::Value, Shape::List));
        };
        let mut conditions = Vec::new();
        for filter in filters {
            let MemberStep::Filter { expr: filter, .. } = filter else {
                return Err(self.mismatch(expr, Shape::Value, Shape::List));
            };
            conditions.push(self.within(target, None, |inner| inner.condition(filter))?);
        }
        let operator = self.last_step(expr, target, last, &mut conditions)?;
        let condition = BoundExpr::all(conditions);
        let lambda =
            LambdaAggregate { set: navigation.target, key: navigation.to_column, kind: operator, condition };
        let kind = match &target.rows {
            RowSource::List(rows) if lambda.condition.lambda_aggregates().is_empty() => {
                self.charge(lambda.condition.nodes().count().saturating_mul(rows.num_rows()))?;
                let counts = count(rows, lambda.key, &lambda.condition)
                    .map_err(|error| self.part.error(expr.span.start, QueryErrorKind::Evaluation(error)))?;
                BoundExprKind::Lookup(Box::new(here), lambda.lookup_table(counts))
            }
            _ => {
                self.charge(FETCHED_LAMBDA_NODES)?;
                BoundExprKind::LambdaAggregate(Box::new(here), Box::new(lambda))
            }
        };
        Ok(BoundExpr { kind, primitive: Some(operator.primitive()) })
    }

    /// The kind of aggregate in the last step; its conditions are added to `conditions`.
    fn last_step(
        &self,
        expr: &Expr,
        target: &Set,
        step: &MemberStep,
        conditions: &mut Vec<BoundExpr>,
    ) -> Result<AggregateKind, QueryError> {
        match step {
            MemberStep::Lambda { op, variable, body, .. } => {
                let body = body
                    .as_deref()
                    .map(|body| self.within(target, variable.as_deref(), |inner| inner.condition(body)));
                match (op, body.transpose()?) {
                    (LambdaOp::Any, body) => {
                        conditions.extend(body);
                        Ok(AggregateKind::Any)
                    }
                    (LambdaOp::All, body) => {
                        conditions.extend(body.map(BoundExpr::not_true));
                        Ok(AggregateKind::All)
                    }
                }
            }
            MemberStep::Count { filter, search, .. } => {
                if let Some(filter) = filter {
                    conditions.push(self.within(target, None, |inner| inner.condition(filter))?);
                }
                if let Some(search) = search {
                    conditions.push(self.within(target, None, |inner| search::condition(inner, search))?);
                }
                Ok(AggregateKind::Count)
            }
            _ => Err(self.mismatch(expr, Shape::Value, Shape::List)),
        }
    }

    fn lost(&self, expr: &Expr) -> QueryError {
        self.not_offered(expr, "path", NotOfferedReason::NotBuilt)
    }
}

/// A duration without quotes, as some clients write it, if the set has no such name.
fn bare_duration(path: &MemberPath, set: &Set) -> Option<BoundExpr> {
    let [MemberStep::Name { name, key: None, .. }] = path.steps.as_slice() else { return None };
    let value = literal::duration(name).filter(|_| !set.has(name))?;
    Some(BoundExpr::literal(Value::Duration(value), Some(PrimitiveType::Duration)))
}

/// A lookup table from one column of a list to another.
fn lookup_table(rows: &RecordBatch, key: usize, column: usize) -> LookupTable {
    let entry = |row: usize| {
        let row = ListRow { rows, row };
        if let Value::String(key) = row.at(key) { Some((key, row.at(column))) } else { None }
    };
    LookupTable::new((0..rows.num_rows()).filter_map(entry).collect(), Value::Null)
}

/// For each key the number of rows that meet the condition.
fn count(rows: &RecordBatch, key: usize, condition: &BoundExpr) -> Result<Counts, EvalError> {
    let met = evaluate(condition, rows)?.truths(rows.num_rows())?;
    let mut counts = Counts::new();
    for (row, _) in met.iter().enumerate().filter(|(_, met)| *met == Some(true)) {
        if let Value::String(key) = (ListRow { rows, row }).at(key) {
            *counts.entry(key).or_default() += 1;
        }
    }
    Ok(counts)
}
