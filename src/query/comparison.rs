//! Comparisons, `and` and `or`. Both sides of a comparison are converted to one type: numbers compare by value, a text literal is
//! parsed as the other side's type, and a date is compared to an instant as its first instant in Denmark.

use std::collections::HashMap;

use chrono::NaiveTime;

use super::error::{QueryError, QueryErrorKind, Shape};
use super::expr::{Binder, Bound};
use super::{BoundExpr, BoundExprKind, Comparison, cast};
use crate::error::excerpt;
use crate::odata::uri::syntax::{BinaryOp, Expr, ExprKind};
use crate::odata::value::{PrimitiveType, Value};

impl Binder<'_> {
    pub(super) fn comparison(
        &self,
        expr: &Expr,
        comparison: Comparison,
        (left, first): (&Expr, BoundExpr),
        right: &Expr,
    ) -> Bound {
        let second = self.bind(right).map_err(|error| unquoted(&first, right, error))?;
        // The side that is to be converted is put second.
        let is_text = first.primitive == Some(PrimitiveType::String);
        let turned = first.as_literal().is_some() && (is_text || second.as_literal().is_none());
        let (comparison, (column, first), (at, second)) = if turned {
            (comparison.mirrored(), (right, second), (left, first))
        } else {
            (comparison, (left, first), (right, second))
        };
        let (first, second) = self.aligned(first, at, second)?;
        if let (Comparison::Eq | Comparison::Ne, Some(value)) = (comparison, second.as_literal()) {
            self.note_unknown_members((column, &first), &[(at.span.start, value.clone())]);
        }
        let kind = BoundExprKind::Compare(comparison, Box::new(first), Box::new(second));
        self.fold_constants(expr, BoundExpr::boolean(kind))
    }

    /// Converts `second`, whose position is `at`, to the type of `first`, or `first` to that of `second`, so that they can be compared.
    /// Two texts are compared as texts: `'2026-01-01' eq '2026-01-01'` compares no dates.
    pub(super) fn aligned(
        &self,
        first: BoundExpr,
        at: &Expr,
        second: BoundExpr,
    ) -> Result<(BoundExpr, BoundExpr), QueryError> {
        let (Some(expected), Some(found)) = (first.primitive, second.primitive) else {
            return Ok((first, second));
        };
        if comparable(expected, found) {
            return Ok((first, second));
        }
        match (expected, found) {
            (PrimitiveType::Date, PrimitiveType::DateTimeOffset) => Ok(match day_of(&second) {
                Some(day) => (first, day),
                None => (to_instant(first), second),
            }),
            (PrimitiveType::DateTimeOffset, PrimitiveType::Date) => Ok((first, to_instant(second))),
            _ => {
                let second = self.read_as(at, second, expected)?;
                Ok((first, second))
            }
        }
    }

    /// Parses a text literal as a value of that type.
    pub(super) fn read_as(&self, at: &Expr, bound: BoundExpr, primitive: PrimitiveType) -> Bound {
        match bound.as_literal() {
            Some(Value::String(text)) => match cast::from_text(text, primitive) {
                Some(value) => Ok(BoundExpr::literal(value, Some(primitive))),
                None => {
                    let kind = QueryErrorKind::InvalidValue { text: excerpt(text), primitive };
                    Err(self.part.error(at.span.start, kind))
                }
            },
            _ => Err(self.mismatch(at, Shape::Primitive(primitive), Shape::of(bound.primitive))),
        }
    }

    /// A chain of `and` or `or` of any length as one flat list of terms.
    pub(super) fn junction(&self, expr: &Expr, operator: BinaryOp) -> Bound {
        let decisive = operator == BinaryOp::Or;
        let (mut terms, mut decided) = (Vec::new(), false);
        for term in chain(expr, operator) {
            let bound = self.condition(term)?;
            match bound.kind {
                BoundExprKind::Literal(Value::Boolean(known)) => decided |= known == decisive,
                BoundExprKind::And(inner) if !decisive => terms.extend(inner),
                BoundExprKind::Or(inner) if decisive => terms.extend(inner),
                _ => terms.push(bound),
            }
        }
        if decisive {
            terms = gathered(terms);
        }
        match terms.len() {
            _ if decided => Ok(BoundExpr::boolean(BoundExprKind::Literal(Value::Boolean(decisive)))),
            0 => Ok(BoundExpr::boolean(BoundExprKind::Literal(Value::Boolean(!decisive)))),
            1 => Ok(terms.swap_remove(0)),
            _ if decisive => self.fold_constants(expr, BoundExpr::boolean(BoundExprKind::Or(terms))),
            _ => self.fold_constants(expr, BoundExpr::boolean(BoundExprKind::And(terms))),
        }
    }
}

/// A name that is no column beside a text is most likely a text without its quotes.
fn unquoted(first: &BoundExpr, right: &Expr, error: QueryError) -> QueryError {
    match error.kind {
        QueryErrorKind::UnknownProperty { name, set, suggestion: None }
            if first.primitive == Some(PrimitiveType::String) && matches!(right.kind, ExprKind::Path(_)) =>
        {
            QueryError { kind: QueryErrorKind::UnquotedText { name, set }, ..error }
        }
        kind => QueryError { kind, ..error },
    }
}

/// Whether values of the two types can be compared without conversion.
fn comparable(left: PrimitiveType, right: PrimitiveType) -> bool {
    left == right || (left.is_numeric() && right.is_numeric())
}

/// The literal instant as a date, if it is midnight in its own offset: for the bounds of an incremental refresh, Power BI writes days as
/// `2026-06-01T00:00:00Z`.
fn day_of(bound: &BoundExpr) -> Option<BoundExpr> {
    match bound.as_literal() {
        Some(Value::DateTimeOffset(instant)) if instant.time() == NaiveTime::MIN => {
            let day = Value::Date(instant.date_naive());
            Some(BoundExpr::literal(day, Some(PrimitiveType::Date)))
        }
        _ => None,
    }
}

fn to_instant(bound: BoundExpr) -> BoundExpr {
    let primitive = PrimitiveType::DateTimeOffset;
    match bound.as_literal() {
        Some(value) => BoundExpr::literal(cast::cast(value, primitive), Some(primitive)),
        None => {
            BoundExpr { kind: BoundExprKind::Cast(primitive, Box::new(bound)), primitive: Some(primitive) }
        }
    }
}

/// The terms of a chain of one operator from left to right. Not recursive, because clients write lists of values as long chains.
fn chain(expr: &Expr, operator: BinaryOp) -> Vec<&Expr> {
    let (mut terms, mut open) = (Vec::new(), vec![expr]);
    while let Some(expr) = open.pop() {
        match &expr.kind {
            ExprKind::Binary(found, left, right) if *found == operator => open.extend([&**right, &**left]),
            _ => terms.push(expr),
        }
    }
    terms
}

/// `A eq 1 or A eq 2 or A in (3,4)` as `A in (1,2,3,4)`, in the position of the first of them. Comparisons are never
/// unknown, so the meaning does not change.
fn gathered(terms: Vec<BoundExpr>) -> Vec<BoundExpr> {
    let mut kept: Vec<BoundExpr> = Vec::with_capacity(terms.len());
    let mut places = HashMap::new();
    for term in terms {
        let column = listed_column(&term);
        let place = column.and_then(|column| places.get(&column).copied());
        match place.and_then(|place: usize| kept.get_mut(place)) {
            Some(first) => absorb(first, term),
            None => {
                places.extend(column.map(|column| (column, kept.len())));
                kept.push(term);
            }
        }
    }
    kept
}

/// The column whose values the term lists.
fn listed_column(term: &BoundExpr) -> Option<usize> {
    let operand = match &term.kind {
        BoundExprKind::Compare(Comparison::Eq, operand, value) if value.as_literal().is_some() => operand,
        BoundExprKind::In(operand, _) => operand,
        _ => return None,
    };
    match operand.kind {
        BoundExprKind::Column(column) => Some(column),
        _ => None,
    }
}

/// Adds the values of one term to those of another over the same column.
fn absorb(first: &mut BoundExpr, other: BoundExpr) {
    let mut values = Vec::new();
    let mut operand = None;
    let own = std::mem::replace(&mut first.kind, BoundExprKind::Literal(Value::Null));
    for kind in [own, other.kind] {
        match kind {
            BoundExprKind::In(column, listed) => {
                operand.get_or_insert(column);
                // The first list is moved, so that a long chain takes linear time.
                if values.is_empty() { values = listed } else { values.extend(listed) }
            }
            BoundExprKind::Compare(_, column, value) => {
                operand.get_or_insert(column);
                values.extend(value.as_literal().cloned());
            }
            _ => {}
        }
    }
    if let Some(operand) = operand {
        first.kind = BoundExprKind::In(operand, values);
    }
}
