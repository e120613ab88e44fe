//! The functions on values. Texts are counted and cut in characters (Unicode code points), never in bytes, so that æ, ø and å
//! count as one. Instants are read in their own offset.

use chrono::{DateTime, Datelike, FixedOffset, NaiveTime, Timelike};
use rust_decimal::{Decimal, RoundingStrategy};

use super::EvalError;
use crate::odata::value::Value;
use crate::query::Function;

/// The function's value; null in any argument gives null.
pub(super) fn call(function: Function, arguments: &[Value]) -> Result<Value, EvalError> {
    if arguments.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    let result = match arguments {
        [value] => of_one(function, value),
        [Value::String(text), Value::String(other)] => of_texts(function, text, other),
        [Value::String(text), Value::Integer(start)] => Some(substring(text, *start, None)),
        [Value::String(text), Value::Integer(start), Value::Integer(length)] => {
            Some(substring(text, *start, Some(*length)))
        }
        _ => None,
    };
    result.ok_or(EvalError::Undefined { operation: function.name() })
}

fn of_one(function: Function, value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => of_text(function, text),
        Value::Integer(_) | Value::Decimal(_) | Value::Double(_) => rounded(function, value),
        Value::Date(date) if function == Function::Date => Some(Value::Date(*date)),
        Value::Date(date) => part_of_date(function, date),
        Value::TimeOfDay(time) if function == Function::Time => Some(Value::TimeOfDay(*time)),
        Value::TimeOfDay(time) => part_of_time(function, *time),
        Value::DateTimeOffset(instant) => of_instant(function, instant),
        Value::Duration(duration) if function == Function::TotalSeconds => {
            let whole = Decimal::from(duration.num_seconds());
            Some(Value::Decimal((whole + Decimal::new(duration.subsec_nanos().into(), 9)).normalize()))
        }
        _ => None,
    }
}

fn of_text(function: Function, text: &str) -> Option<Value> {
    Some(match function {
        Function::Length => count(text.chars().count()),
        Function::ToLower => Value::string(&text.to_lowercase()),
        Function::ToUpper => Value::string(&text.to_uppercase()),
        Function::Trim => Value::string(text.trim()),
        _ => return None,
    })
}

fn of_texts(function: Function, text: &str, other: &str) -> Option<Value> {
    Some(match function {
        Function::Contains => Value::Boolean(text.contains(other)),
        Function::StartsWith => Value::Boolean(text.starts_with(other)),
        Function::EndsWith => Value::Boolean(text.ends_with(other)),
        Function::Concat => Value::string(&[text, other].concat()),
        Function::IndexOf => {
            let found = text.find(other).and_then(|at| text.get(..at));
            found.map_or(Value::Integer(-1), |before| count(before.chars().count()))
        }
        _ => return None,
    })
}

/// A negative start counts from the end; what lies outside the text is not there, and no error.
fn substring(text: &str, start: i64, length: Option<i64>) -> Value {
    let size = text.chars().count();
    let distance = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
    let skipped = if start < 0 { size.saturating_sub(distance) } else { distance };
    let taken = length.map_or(size, |length| usize::try_from(length).unwrap_or(0));
    Value::string(&text.chars().skip(skipped).take(taken).collect::<String>())
}

/// Halves are rounded away from zero.
fn rounded(function: Function, value: &Value) -> Option<Value> {
    const HALVES: RoundingStrategy = RoundingStrategy::MidpointAwayFromZero;
    Some(match (function, value) {
        (Function::Round | Function::Floor | Function::Ceiling, Value::Integer(_)) => value.clone(),
        (Function::Round, Value::Decimal(n)) => Value::Decimal(n.round_dp_with_strategy(0, HALVES)),
        (Function::Floor, Value::Decimal(n)) => Value::Decimal(n.floor()),
        (Function::Ceiling, Value::Decimal(n)) => Value::Decimal(n.ceil()),
        (Function::Round, Value::Double(n)) => Value::Double(n.round()),
        (Function::Floor, Value::Double(n)) => Value::Double(n.floor()),
        (Function::Ceiling, Value::Double(n)) => Value::Double(n.ceil()),
        _ => return None,
    })
}

fn of_instant(function: Function, instant: &DateTime<FixedOffset>) -> Option<Value> {
    match function {
        Function::Date => Some(Value::Date(instant.date_naive())),
        Function::Time => Some(Value::TimeOfDay(instant.time())),
        Function::TotalOffsetMinutes => {
            Some(Value::Integer(i64::from(instant.offset().local_minus_utc() / 60)))
        }
        _ => part_of_date(function, instant).or_else(|| part_of_time(function, instant.time())),
    }
}

fn part_of_date(function: Function, date: &impl Datelike) -> Option<Value> {
    Some(match function {
        Function::Year => Value::Integer(date.year().into()),
        Function::Month => Value::Integer(date.month().into()),
        Function::Day => Value::Integer(date.day().into()),
        _ => return None,
    })
}

fn part_of_time(function: Function, time: NaiveTime) -> Option<Value> {
    Some(match function {
        Function::Hour => Value::Integer(time.hour().into()),
        Function::Minute => Value::Integer(time.minute().into()),
        Function::Second => Value::Integer(time.second().into()),
        Function::FractionalSeconds => {
            Value::Decimal(Decimal::new((time.nanosecond() % 1_000_000_000).into(), 9).normalize())
        }
        _ => return None,
    })
}

fn count(number: usize) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
