//! Arithmetic on values. Whole numbers that would overflow become decimals, and decimals become doubles; nothing wraps around.

use chrono::{DateTime, FixedOffset, TimeDelta};
use rust_decimal::Decimal;

use super::EvalError;
use crate::clock;
use crate::odata::value::Value;
use crate::query::Arithmetic;

/// Applies the operator; null on either side gives null.
pub(super) fn apply(operator: Arithmetic, left: &Value, right: &Value) -> Result<Value, EvalError> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Integer(a), Value::Integer(b)) => integers(operator, *a, *b),
        _ => match (left.as_decimal(), right.as_decimal(), left.as_double(), right.as_double()) {
            (Some(a), Some(b), ..) => decimals(operator, a, b),
            (_, _, Some(a), Some(b)) => doubles(operator, a, b),
            _ => times(operator, left, right),
        },
    }
}

/// The unary minus.
pub(in crate::query) fn negate(value: &Value) -> Result<Value, EvalError> {
    Ok(match value {
        Value::Null => Value::Null,
        Value::Integer(number) => match number.checked_neg() {
            Some(negated) => Value::Integer(negated),
            None => Value::Decimal(-Decimal::from(*number)),
        },
        Value::Decimal(number) => Value::Decimal(-*number),
        Value::Double(number) => Value::Double(-number),
        Value::Duration(duration) => Value::Duration(-*duration),
        _ => return Err(EvalError::Undefined { operation: "-" }),
    })
}

/// `div` of whole numbers truncates; `divby` keeps the fraction.
fn integers(operator: Arithmetic, a: i64, b: i64) -> Result<Value, EvalError> {
    let exact = match operator {
        Arithmetic::Div | Arithmetic::Mod if b == 0 => return Err(EvalError::DivisionByZero),
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Sub => a.checked_sub(b),
        Arithmetic::Mul => a.checked_mul(b),
        Arithmetic::Div => a.checked_div(b),
        Arithmetic::Mod => Some(a.checked_rem(b).unwrap_or(0)),
        Arithmetic::DivBy => None,
    };
    match exact {
        Some(number) => Ok(Value::Integer(number)),
        None => decimals(operator, Decimal::from(a), Decimal::from(b)),
    }
}

fn decimals(operator: Arithmetic, a: Decimal, b: Decimal) -> Result<Value, EvalError> {
    let exact = match operator {
        Arithmetic::Div | Arithmetic::DivBy | Arithmetic::Mod if b.is_zero() => {
            return Err(EvalError::DivisionByZero);
        }
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Sub => a.checked_sub(b),
        Arithmetic::Mul => a.checked_mul(b),
        Arithmetic::Div | Arithmetic::DivBy => a.checked_div(b),
        Arithmetic::Mod => a.checked_rem(b),
    };
    match (exact, Value::Decimal(a).as_double(), Value::Decimal(b).as_double()) {
        (Some(number), ..) => Ok(Value::Decimal(number)),
        (None, Some(a), Some(b)) => doubles(operator, a, b),
        _ => Err(EvalError::OutOfRange { operation: "arithmetic" }),
    }
}

/// As in IEEE 754, except that by the OData standard a finite number divided by zero is an error.
fn doubles(operator: Arithmetic, a: f64, b: f64) -> Result<Value, EvalError> {
    Ok(Value::Double(match operator {
        Arithmetic::Div | Arithmetic::DivBy | Arithmetic::Mod if b == 0.0 && !a.is_infinite() => {
            return Err(EvalError::DivisionByZero);
        }
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        Arithmetic::Div | Arithmetic::DivBy => a / b,
        Arithmetic::Mod => a % b,
    }))
}

/// The sum with the offset that the clocks of its first summand have then: Danish clocks change between them.
fn in_its_zone(sum: DateTime<FixedOffset>, first: DateTime<FixedOffset>) -> DateTime<FixedOffset> {
    let is_danish = clock::local(first.to_utc()).offset() == first.offset();
    if is_danish { clock::local(sum.to_utc()) } else { sum }
}

/// Addition and subtraction of dates, instants and durations.
fn times(operator: Arithmetic, left: &Value, right: &Value) -> Result<Value, EvalError> {
    let (name, signed): (_, fn(TimeDelta) -> TimeDelta) = match operator {
        Arithmetic::Add => ("add", |duration| duration),
        Arithmetic::Sub => ("sub", |duration| -duration),
        _ => return Err(EvalError::Undefined { operation: "arithmetic" }),
    };
    let result = match (left, right) {
        (Value::Date(a), Value::Duration(b)) => a.checked_add_signed(signed(*b)).map(Value::Date),
        (Value::DateTimeOffset(a), Value::Duration(b)) => {
            a.checked_add_signed(signed(*b)).map(|sum| Value::DateTimeOffset(in_its_zone(sum, *a)))
        }
        (Value::Duration(a), Value::Duration(b)) => a.checked_add(&signed(*b)).map(Value::Duration),
        (Value::Date(a), Value::Date(b)) => Some(Value::Duration(a.signed_duration_since(*b))),
        (Value::DateTimeOffset(a), Value::DateTimeOffset(b)) => {
            Some(Value::Duration(a.signed_duration_since(*b)))
        }
        _ => return Err(EvalError::Undefined { operation: name }),
    };
    result.ok_or(EvalError::OutOfRange { operation: name })
}
