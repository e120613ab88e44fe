//! Evaluates OData's functions on columns. Texts are counted and cut in characters (Unicode code points), not in bytes, so that æ, ø
//! and å count as one. Parts of instants are those in their own offset, which for columns and `now()` is Denmark's.

use std::sync::Arc;

use arrow_array::{BooleanArray, Int64Array, StringArray};
use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use rust_decimal::{Decimal, RoundingStrategy};

use super::EvalError;
use super::column::{ColumnarValue, Texts};
use crate::budget::work;
use crate::odata::functions::Function;
use crate::odata::value::Value;

/// The function's values; null in any argument gives null.
pub(super) fn call(
    function: Function,
    arguments: &[ColumnarValue],
    rows: usize,
) -> Result<ColumnarValue, EvalError> {
    let is_constant = arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    let rows = if is_constant { 1 } else { rows };
    let texts = |index| arguments.get(index).map_or(Texts::Scalar(None), Texts::of);
    let result = Call { arguments, text: texts(0), other: texts(1), rows }.result(function)?;
    Ok(if is_constant { ColumnarValue::Scalar(result.value(0)) } else { result })
}

/// A function's arguments, and the number of rows.
struct Call<'a> {
    arguments: &'a [ColumnarValue],
    text: Texts<'a>,
    other: Texts<'a>,
    rows: usize,
}

impl Call<'_> {
    fn result(&self, function: Function) -> Result<ColumnarValue, EvalError> {
        const HALVES: RoundingStrategy = RoundingStrategy::MidpointAwayFromZero;
        match function {
            Function::Contains => Ok(self.compared(|text, other| text.contains(other))),
            Function::StartsWith => Ok(self.compared(|text, other| text.starts_with(other))),
            Function::EndsWith => Ok(self.compared(|text, other| text.ends_with(other))),
            Function::Length => Ok(self.counted(|row| count(self.text.get(row)?))),
            Function::IndexOf => Ok(self.counted(|row| {
                let (text, other) = (self.text.get(row)?, self.other.get(row)?);
                text.find(other).map_or(Some(-1), |at| count(text.get(..at)?))
            })),
            Function::Concat => self.concatenated(),
            Function::ToLower => self.written(|row| Some(self.text.get(row)?.to_lowercase())),
            Function::ToUpper => self.written(|row| Some(self.text.get(row)?.to_uppercase())),
            Function::Trim => self.written(|row| Some(self.text.get(row)?.trim())),
            Function::Substring => self.written(|row| self.substring(row)),
            Function::Year => self.each(|value| whole(date(value)?.year())),
            Function::Month => self.each(|value| whole(date(value)?.month())),
            Function::Day => self.each(|value| whole(date(value)?.day())),
            Function::Hour => self.each(|value| whole(time(value)?.hour())),
            Function::Minute => self.each(|value| whole(time(value)?.minute())),
            Function::Second => self.each(|value| whole(time(value)?.second())),
            Function::FractionalSeconds => {
                self.each(|value| Some(seconds(0, time(value)?.nanosecond() % 1_000_000_000)))
            }
            Function::TotalOffsetMinutes => self.each(|value| match value {
                Value::DateTimeOffset(instant) => whole(instant.offset().local_minus_utc() / 60),
                _ => None,
            }),
            Function::TotalSeconds => self.each(|value| match value {
                Value::Duration(duration) => Some(seconds(duration.num_seconds(), duration.subsec_nanos())),
                _ => None,
            }),
            Function::Date => self.each(|value| date(value).map(Value::Date)),
            Function::Time => self.each(|value| time(value).map(Value::TimeOfDay)),
            // Halves are rounded away from zero, as OData says.
            Function::Round => self.rounded(|exact| exact.round_dp_with_strategy(0, HALVES), f64::round),
            Function::Floor => self.rounded(|exact| exact.floor(), f64::floor),
            Function::Ceiling => self.rounded(|exact| exact.ceil(), f64::ceil),
        }
    }

    /// Applies a predicate to pairs of texts.
    fn compared(&self, holds: impl Fn(&str, &str) -> bool) -> ColumnarValue {
        let holds = |row| Some(holds(self.text.get(row)?, self.other.get(row)?));
        (0..self.rows).map(holds).collect::<BooleanArray>().into()
    }

    /// Applies a function with a whole number as its result.
    fn counted(&self, number: impl Fn(usize) -> Option<i64>) -> ColumnarValue {
        ColumnarValue::Array(Arc::new((0..self.rows).map(number).collect::<Int64Array>()))
    }

    /// Pairs of texts as one. What grows is counted before it is made: one text may be larger than everything that is allowed.
    fn concatenated(&self) -> Result<ColumnarValue, EvalError> {
        let joined = |row| {
            let (text, other) = (self.text.get(row)?, self.other.get(row)?);
            Some(work::write_text(text.len() + other.len()).map(|()| [text, other].concat()))
        };
        let texts = (0..self.rows).map(|row| joined(row).transpose());
        Ok(ColumnarValue::Array(Arc::new(texts.collect::<Result<StringArray, _>>()?)))
    }

    /// Applies a function with a text as its result.
    fn written<T: AsRef<str>>(&self, text: impl Fn(usize) -> Option<T>) -> Result<ColumnarValue, EvalError> {
        let counted = |text: T| work::write_text(text.as_ref().len()).map(|()| text);
        let texts = (0..self.rows).map(|row| text(row).map(counted).transpose());
        Ok(ColumnarValue::Array(Arc::new(texts.collect::<Result<StringArray, _>>()?)))
    }

    /// Applies a function to each value.
    fn each(&self, to: impl Fn(&Value) -> Option<Value>) -> Result<ColumnarValue, EvalError> {
        let to = |value: &Value| match value {
            Value::Null => Ok(Value::Null),
            value => to(value).ok_or(EvalError::Undefined { operation: "a function" }),
        };
        self.arguments
            .first()
            .map_or(Ok(ColumnarValue::Scalar(Value::Null)), |column| column.map(self.rows, to))
    }

    fn rounded(
        &self,
        exact: impl Fn(&Decimal) -> Decimal,
        nearest: impl Fn(f64) -> f64,
    ) -> Result<ColumnarValue, EvalError> {
        self.each(|value| match value {
            Value::Integer(_) => Some(value.clone()),
            Value::Decimal(number) => Some(Value::Decimal(exact(number))),
            Value::Double(number) => Some(Value::Double(nearest(*number))),
            _ => None,
        })
    }

    /// A negative start counts from the end; positions outside the text are ignored.
    fn substring(&self, row: usize) -> Option<String> {
        let (text, start) = (self.text.get(row)?, self.whole_number(1, row)?);
        let size = text.chars().count();
        let distance = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
        let skipped = if start < 0 { size.saturating_sub(distance) } else { distance };
        let taken = match self.arguments.get(2) {
            Some(_) => usize::try_from(self.whole_number(2, row)?).unwrap_or(0),
            None => size,
        };
        Some(text.chars().skip(skipped).take(taken).collect())
    }

    fn whole_number(&self, argument: usize, row: usize) -> Option<i64> {
        match self.arguments.get(argument)?.value(row) {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }
}

/// How many characters a text has.
fn count(text: &str) -> Option<i64> {
    i64::try_from(text.chars().count()).ok()
}

fn whole(number: impl Into<i64>) -> Option<Value> {
    Some(Value::Integer(number.into()))
}

fn seconds(whole: i64, nanoseconds: impl Into<i64>) -> Value {
    Value::Decimal((Decimal::from(whole) + Decimal::new(nanoseconds.into(), 9)).normalize())
}

/// The date of a date or an instant.
fn date(value: &Value) -> Option<NaiveDate> {
    match value {
        Value::Date(date) => Some(*date),
        Value::DateTimeOffset(instant) => Some(instant.date_naive()),
        _ => None,
    }
}

/// The time of a time of day or an instant.
fn time(value: &Value) -> Option<NaiveTime> {
    match value {
        Value::TimeOfDay(time) => Some(*time),
        Value::DateTimeOffset(instant) => Some(instant.time()),
        _ => None,
    }
}
