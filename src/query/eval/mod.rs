//! The value of a bound expression for one row, in the three-valued logic of OData: true, false and null for unknown.
//! Rows are anything that gives values by column; where they come from is not known here.

mod arithmetic;
mod function;

use thiserror::Error;

pub(super) use arithmetic::negate;

use super::cast;
use super::{BoundExpr, BoundExprKind, Comparison};
use crate::odata::value::Value;

/// Something that has a value for each column of a set.
pub trait Row {
    /// The value in the column of that index of the set.
    fn value(&self, column: usize) -> Value;
}

/// A row without columns: constants have their values here.
#[derive(Debug, Clone, Copy)]
pub struct NoRow;

impl Row for NoRow {
    fn value(&self, _column: usize) -> Value {
        Value::Null
    }
}

/// Why an expression has no value for a row.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvalError {
    #[error("division by zero")]
    DivisionByZero,
    #[error("the result of {operation} is out of range")]
    OutOfRange { operation: &'static str },
    #[error("{operation} is not defined on these values")]
    Undefined { operation: &'static str },
}

impl EvalError {
    /// One Danish sentence, with what to do.
    #[must_use]
    pub fn danish(&self) -> &'static str {
        match self {
            Self::DivisionByZero => "Udtrykket dividerer med nul; udeluk de rækker først.",
            Self::OutOfRange { .. } => "Udregningen giver en værdi uden for det mulige; ret udtrykket.",
            Self::Undefined { .. } => "Udregningen giver ingen mening for værdierne; ret udtrykket.",
        }
    }
}

/// The value of the expression for the row.
///
/// # Errors
/// When the standard has the request fail, as for a division by zero.
pub fn evaluate(expr: &BoundExpr, row: &impl Row) -> Result<Value, EvalError> {
    match &expr.kind {
        BoundExprKind::Literal(value) => Ok(value.clone()),
        BoundExprKind::Column(column) => Ok(row.value(*column)),
        BoundExprKind::Not(operand) => not(&evaluate(operand, row)?),
        BoundExprKind::Negate(operand) => negate(&evaluate(operand, row)?),
        BoundExprKind::And(terms) => decide(terms, row, false),
        BoundExprKind::Or(terms) => decide(terms, row, true),
        BoundExprKind::Compare(comparison, left, right) => {
            Ok(compare(*comparison, &evaluate(left, row)?, &evaluate(right, row)?))
        }
        BoundExprKind::In(operand, values) => Ok(Value::Boolean(is_in(&evaluate(operand, row)?, values))),
        BoundExprKind::Arithmetic(operator, left, right) => {
            arithmetic::apply(*operator, &evaluate(left, row)?, &evaluate(right, row)?)
        }
        BoundExprKind::Call(function, arguments) => {
            let values = arguments.iter().map(|argument| evaluate(argument, row));
            function::call(*function, &values.collect::<Result<Vec<_>, _>>()?)
        }
        BoundExprKind::Matches(operand, pattern) => Ok(match evaluate(operand, row)? {
            Value::String(text) => Value::Boolean(pattern.matches(&text)),
            _ => Value::Null,
        }),
        BoundExprKind::Cast(primitive, operand) => Ok(cast::cast(&evaluate(operand, row)?, *primitive)),
        BoundExprKind::Lookup(key, table) => Ok(table.value(&evaluate(key, row)?).clone()),
        BoundExprKind::LambdaAggregate(..) => Err(EvalError::Undefined { operation: "any/all/$count" }),
        BoundExprKind::ContainsWords(text, wanted) => {
            Ok(Value::Boolean(holds(&evaluate(text, row)?, wanted)))
        }
        BoundExprKind::Case(cases) => first_of(cases, row),
    }
}

/// `and` and `or`: a term that equals `decisive` settles the matter and later terms are not looked at; failing that, one
/// unknown term makes the whole unknown.
fn decide(terms: &[BoundExpr], row: &impl Row, decisive: bool) -> Result<Value, EvalError> {
    let mut unknown = false;
    for term in terms {
        match evaluate(term, row)? {
            Value::Boolean(found) if found == decisive => return Ok(Value::Boolean(decisive)),
            Value::Boolean(_) => {}
            _ => unknown = true,
        }
    }
    Ok(if unknown { Value::Null } else { Value::Boolean(!decisive) })
}

/// Whether a text holds another that is in small letters.
fn holds(text: &Value, wanted: &Value) -> bool {
    match (text, wanted) {
        (Value::String(text), Value::String(wanted)) => text.to_lowercase().contains(&**wanted),
        _ => false,
    }
}

/// The value beside the first condition that is true; what stands behind it is not looked at.
fn first_of(cases: &[(BoundExpr, BoundExpr)], row: &impl Row) -> Result<Value, EvalError> {
    for (condition, value) in cases {
        if evaluate(condition, row)? == Value::Boolean(true) {
            return evaluate(value, row);
        }
    }
    Ok(Value::Null)
}

fn not(value: &Value) -> Result<Value, EvalError> {
    match value {
        Value::Boolean(known) => Ok(Value::Boolean(!known)),
        Value::Null => Ok(Value::Null),
        _ => Err(EvalError::Undefined { operation: "not" }),
    }
}

/// Compares two values: `eq` and `ne` take null for a value like others; the rest is unknown where a side is null, and false
/// where a side is not a number.
#[must_use]
pub fn compare(comparison: Comparison, left: &Value, right: &Value) -> Value {
    if left.is_null() || right.is_null() {
        let same = left.is_null() && right.is_null();
        return match comparison {
            Comparison::Eq => Value::Boolean(same),
            Comparison::Ne => Value::Boolean(!same),
            _ => Value::Null,
        };
    }
    let holds = match left.compare(right) {
        Some(ordering) => comparison.holds(ordering),
        None => comparison == Comparison::Ne,
    };
    Value::Boolean(holds)
}

/// Membership is equality with any of the values, so null is in a list that holds null.
fn is_in(value: &Value, values: &[Value]) -> bool {
    values.iter().any(|candidate| compare(Comparison::Eq, value, candidate) == Value::Boolean(true))
}
