//! Finds the positions of an axis (periods, members, measures) at which a condition can be true.
//!
//! A term that depends on one axis only is evaluated at every position of that axis, whatever it contains: comparisons, `in`, ranges
//! of dates, functions, negations. For an `or` of several axes the positions of all sides are kept. The id of an observation names a
//! position on every axis.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::feed::CellSource;
use crate::feed::column::{Column, Fact};
use crate::feed::facts::{self, Axis};
use crate::odata::value::Value;
use crate::query::eval::{ColumnarValue, EvalError, Rows, evaluate};
use crate::query::{BoundExpr, BoundExprKind, Comparison};

/// The cells and the columns that a filter refers to.
#[derive(Debug, Clone, Copy)]
pub struct AxisScope<'a> {
    pub source: &'a CellSource,
    pub columns: &'a [Column],
}

/// Where a condition can be true: the positions on each axis that it restricts; `None` if it can be true nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possible(Option<BTreeMap<Axis, BTreeSet<usize>>>);

impl Possible {
    /// Where the condition can be true.
    #[must_use]
    pub fn of(condition: &BoundExpr, scope: &AxisScope<'_>) -> Self {
        possible(condition, scope, true)
    }

    /// The positions on an axis; `None` if the condition does not restrict it.
    #[must_use]
    pub fn on(&self, axis: Axis) -> Option<&BTreeSet<usize>> {
        const NONE: &BTreeSet<usize> = &BTreeSet::new();
        self.0.as_ref().map_or(Some(NONE), |axes| axes.get(&axis))
    }

    fn everywhere() -> Self {
        Self(Some(BTreeMap::new()))
    }

    /// Only at these positions of an axis.
    fn at(axis: Axis, positions: BTreeSet<usize>) -> Self {
        Self((!positions.is_empty()).then(|| BTreeMap::from([(axis, positions)])))
    }

    fn and(self, other: Self) -> Self {
        let (Some(mut all), Some(other)) = (self.0, other.0) else { return Self(None) };
        for (axis, positions) in other {
            let both = match all.get(&axis) {
                Some(own) => own.intersection(&positions).copied().collect(),
                None => positions,
            };
            all.insert(axis, both);
        }
        Self(all.values().all(|positions| !positions.is_empty()).then_some(all))
    }

    fn or(self, other: Self) -> Self {
        let (mut any, mut other) = match (self.0, other.0) {
            (Some(any), Some(other)) => (any, other),
            (one, other) => return Self(one.or(other)),
        };
        any.retain(|axis, positions| match other.remove(axis) {
            Some(more) => {
                positions.extend(more);
                true
            }
            None => false,
        });
        Self(Some(any))
    }
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

/// Where the expression can be `wanted`, true or false.
fn possible(expr: &BoundExpr, scope: &AxisScope<'_>, wanted: bool) -> Possible {
    if let Some(axes) = axes(expr, scope).filter(|axes| axes.len() <= 1) {
        return match axes.first() {
            Some(&axis) => {
                let count = facts::axis_len(&scope.source.measurement, axis);
                Possible::at(axis, matching_positions(expr, count, scope, wanted))
            }
            None if matching_positions(expr, 1, scope, wanted).is_empty() => Possible(None),
            None => Possible::everywhere(),
        };
    }
    if let Some(ids) = observation_ids(expr, scope).filter(|_| wanted) {
        return named(&ids, scope);
    }
    match &expr.kind {
        BoundExprKind::Not(inner) => possible(inner, scope, !wanted),
        BoundExprKind::And(terms) | BoundExprKind::Or(terms) => {
            let all_needed = matches!(expr.kind, BoundExprKind::And(_)) == wanted;
            let of_terms = terms.iter().map(|term| possible(term, scope, wanted));
            if all_needed {
                of_terms.fold(Possible::everywhere(), Possible::and)
            } else {
                of_terms.fold(Possible(None), Possible::or)
            }
        }
        _ => Possible::everywhere(),
    }
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

/// The positions that ids of observations name.
fn named(ids: &[&Value], scope: &AxisScope<'_>) -> Possible {
    let dimensions = (0..scope.source.measurement.dimensions.len()).map(Axis::Dimension);
    let axes = [Axis::Period, Axis::Measure].into_iter().chain(dimensions);
    let on_axis = |(part, axis): (usize, Axis)| {
        let part = |id: &&Value| {
            if let Value::String(id) = id { id.split('|').nth(part).map(str::to_owned) } else { None }
        };
        let parts: BTreeSet<String> = ids.iter().filter_map(part).collect();
        let named = |&at: &usize| {
            facts::id_at(&scope.source.measurement, axis, at).is_some_and(|id| parts.contains(id))
        };
        Possible::at(axis, (0..facts::axis_len(&scope.source.measurement, axis)).filter(named).collect())
    };
    axes.enumerate().map(on_axis).fold(Possible::everywhere(), Possible::and)
}

/// The positions where the expression, which depends on one axis with so many positions only, is `wanted`. Positions where evaluating it
/// fails are kept, so that the row reports the error.
fn matching_positions(
    expr: &BoundExpr,
    count: usize,
    scope: &AxisScope<'_>,
    wanted: bool,
) -> BTreeSet<usize> {
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
        let values = self.scope.columns.get(column).and_then(|column| self.scope.source.axis_column(column));
        Ok(values.map_or(ColumnarValue::Scalar(Value::Null), |values| {
            ColumnarValue::Array(values.slice(self.positions.start, self.positions.len()))
        }))
    }
}
