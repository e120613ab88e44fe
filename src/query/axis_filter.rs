//! Finds the positions of an axis (periods, members, measures) at which a condition can be true.
//!
//! A term that depends on one axis only is evaluated at every position of that axis, whatever it contains: comparisons, `in`, ranges
//! of dates, functions, negations. For an `or` of several axes the positions of all sides are kept. The id of an observation names a
//! position on every axis.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::catalogue::measurement::Measurement;
use crate::feed::column::{Column, Fact};
use crate::feed::facts::{self, Axis};
use crate::odata::value::Value;
use crate::query::eval::{ColumnarValue, EvalError, Rows, evaluate};
use crate::query::{BoundExpr, BoundExprKind, Comparison};

/// The measurement and the columns that a filter refers to.
#[derive(Debug, Clone, Copy)]
pub struct AxisScope<'a> {
    pub measurement: &'a Measurement,
    pub columns: &'a [Column],
}

/// The positions of an axis where the condition can be true; `None` if the condition does not restrict the axis.
#[must_use]
pub fn possible_positions(
    condition: &BoundExpr,
    axis: Axis,
    scope: &AxisScope<'_>,
) -> Option<BTreeSet<usize>> {
    possible(condition, axis, scope, true)
}

/// The terms of a condition that cannot be decided by single axes, because they depend on several axes or on figures.
#[must_use]
pub fn mixed_terms<'a>(condition: &'a BoundExpr, scope: &AxisScope<'_>) -> Vec<&'a BoundExpr> {
    if let BoundExprKind::And(terms) = &condition.kind {
        return terms.iter().flat_map(|term| mixed_terms(term, scope)).collect();
    }
    let is_exact = |axes: BTreeSet<Axis>| axes.len() <= 1 && !axes.contains(&Axis::Measure);
    if axes(condition, scope).is_some_and(is_exact) { Vec::new() } else { vec![condition] }
}

/// The positions of an axis where the expression can be `wanted` (true or false); `None` if it does not restrict the axis.
fn possible(expr: &BoundExpr, axis: Axis, scope: &AxisScope<'_>, wanted: bool) -> Option<BTreeSet<usize>> {
    match axes(expr, scope) {
        Some(only) if only.iter().all(|&other| other == axis) => {
            return Some(matching_positions(expr, axis, scope, wanted));
        }
        Some(others) if !others.contains(&axis) => return impossible(expr, &others, scope, wanted),
        _ => {}
    }
    if let Some(ids) = observation_ids(expr, scope).filter(|_| wanted) {
        return Some(named_positions(&ids, axis, scope));
    }
    match &expr.kind {
        BoundExprKind::Not(inner) => possible(inner, axis, scope, !wanted),
        BoundExprKind::And(terms) | BoundExprKind::Or(terms) => {
            let all_needed = matches!(expr.kind, BoundExprKind::And(_)) == wanted;
            let mut of_terms = terms.iter().map(|term| possible(term, axis, scope, wanted));
            if all_needed {
                of_terms.fold(None, intersection)
            } else {
                of_terms.try_fold(BTreeSet::new(), |all, term| Some(all.union(&term?).copied().collect()))
            }
        }
        _ => None,
    }
}

/// No position, if the expression can be `wanted` nowhere on the only axis that it depends on; otherwise `None`.
fn impossible(
    expr: &BoundExpr,
    axes: &BTreeSet<Axis>,
    scope: &AxisScope<'_>,
    wanted: bool,
) -> Option<BTreeSet<usize>> {
    let only = axes.first().filter(|_| axes.len() == 1)?;
    matching_positions(expr, *only, scope, wanted).is_empty().then(BTreeSet::new)
}

/// The ids of observations that the expression lists: each names a position on every axis.
fn observation_ids<'a>(expr: &'a BoundExpr, scope: &AxisScope<'_>) -> Option<Vec<&'a Value>> {
    let (operand, values) = match &expr.kind {
        BoundExprKind::Compare(Comparison::Eq, operand, value) => (operand, vec![value.as_literal()?]),
        BoundExprKind::In(operand, values) => (operand, values.iter().collect()),
        _ => return None,
    };
    let BoundExprKind::Column(column) = operand.kind else { return None };
    (scope.columns.get(column)?.fact == Fact::ObservationId).then_some(values)
}

/// The positions of an axis that ids of observations name.
fn named_positions(ids: &[&Value], axis: Axis, scope: &AxisScope<'_>) -> BTreeSet<usize> {
    let part = match axis {
        Axis::Period => 0,
        Axis::Measure => 1,
        Axis::Dimension(dimension) => 2 + dimension,
    };
    let part = |id: &&Value| {
        if let Value::String(id) = id { id.split('|').nth(part).map(str::to_owned) } else { None }
    };
    let parts: BTreeSet<String> = ids.iter().filter_map(part).collect();
    let named = |&at: &usize| facts::id_at(scope.measurement, axis, at).is_some_and(|id| parts.contains(id));
    (0..facts::axis_len(scope.measurement, axis)).filter(named).collect()
}

fn intersection(left: Option<BTreeSet<usize>>, right: Option<BTreeSet<usize>>) -> Option<BTreeSet<usize>> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.intersection(&right).copied().collect()),
        (one, None) | (None, one) => one,
    }
}

/// The positions where the expression, which depends on this axis only, is `wanted`. Positions where evaluating it fails are kept, so
/// that the row reports the error.
fn matching_positions(expr: &BoundExpr, axis: Axis, scope: &AxisScope<'_>, wanted: bool) -> BTreeSet<usize> {
    let count = facts::axis_len(scope.measurement, axis);
    let truths = |positions: Range<usize>| {
        let count = positions.len();
        evaluate(expr, &AxisRows { positions, scope }).and_then(|column| column.truths(count))
    };
    let holds = |truth: Option<bool>| truth == Some(wanted);
    match truths(0..count) {
        Ok(truths) => {
            truths.iter().enumerate().filter(|(_, truth)| holds(*truth)).map(|(at, _)| at).collect()
        }
        Err(_) => (0..count)
            .filter(|&at| truths(at..at + 1).map_or(true, |truth| holds(truth.iter().next().flatten())))
            .collect(),
    }
}

/// The axes that an expression depends on; `None` if it also depends on figures or on other values.
fn axes(expr: &BoundExpr, scope: &AxisScope<'_>) -> Option<BTreeSet<Axis>> {
    let mut found = BTreeSet::new();
    for column in expr.columns() {
        found.insert(facts::axis(scope.columns.get(column)?.fact)?);
    }
    Some(found)
}

/// Rows of which only one axis is known: its places.
struct AxisRows<'a> {
    positions: Range<usize>,
    scope: &'a AxisScope<'a>,
}

impl Rows for AxisRows<'_> {
    fn len(&self) -> usize {
        self.positions.len()
    }

    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError> {
        let Some(Column { fact, .. }) = self.scope.columns.get(column) else {
            return Ok(ColumnarValue::Scalar(Value::Null));
        };
        let value = |index| facts::value_at(self.scope.measurement, *fact, index);
        Ok(ColumnarValue::Values(self.positions.clone().map(value).collect()))
    }
}
