//! Conversions between primitive types: for `cast`, and for text literals where another type is expected.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, SecondsFormat};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::clock;
use crate::odata::uri::literal;
use crate::odata::value::{PrimitiveType, Value};

/// The primitive type of that name, if values can be cast to it.
pub(super) fn target(type_name: &str) -> Option<PrimitiveType> {
    const TARGETS: [PrimitiveType; 14] = [
        PrimitiveType::Boolean,
        PrimitiveType::Byte,
        PrimitiveType::Date,
        PrimitiveType::DateTimeOffset,
        PrimitiveType::Decimal,
        PrimitiveType::Double,
        PrimitiveType::Guid,
        PrimitiveType::Int16,
        PrimitiveType::Int32,
        PrimitiveType::Int64,
        PrimitiveType::SByte,
        PrimitiveType::Single,
        PrimitiveType::String,
        PrimitiveType::TimeOfDay,
    ];
    TARGETS.into_iter().find(|target| target.name() == type_name)
}

/// The value converted to that type; null where OData defines no conversion.
pub(super) fn cast(value: &Value, to: PrimitiveType) -> Value {
    let result = match value {
        Value::String(text) => from_text(text, to),
        _ if to == PrimitiveType::String => as_text(value).map(|text| Value::string(&text)),
        Value::Integer(_) | Value::Decimal(_) | Value::Double(_) => as_number(value, to),
        Value::Date(date) => match to {
            PrimitiveType::Date => Some(Value::Date(*date)),
            PrimitiveType::DateTimeOffset => midnight(*date).map(Value::DateTimeOffset),
            _ => None,
        },
        Value::DateTimeOffset(instant) => match to {
            PrimitiveType::DateTimeOffset => Some(value.clone()),
            PrimitiveType::Date => Some(Value::Date(instant.date_naive())),
            PrimitiveType::TimeOfDay => Some(Value::TimeOfDay(instant.time())),
            _ => None,
        },
        same => (type_of(same) == Some(to)).then(|| same.clone()),
    };
    result.unwrap_or(Value::Null)
}

/// The value of a text in that type, written as in a payload.
pub(super) fn from_text(text: &str, to: PrimitiveType) -> Option<Value> {
    match to {
        PrimitiveType::String => Some(Value::string(text)),
        PrimitiveType::Boolean => literal::boolean(text).map(Value::Boolean),
        PrimitiveType::Binary => literal::binary(text).map(Value::Binary),
        PrimitiveType::Duration => literal::duration(text).map(Value::Duration),
        PrimitiveType::DateTimeOffset => instant(text).map(Value::DateTimeOffset),
        _ if to.is_numeric() => as_number(&literal::bare_value(text)?, to),
        _ => literal::bare_value(text).filter(|value| type_of(value) == Some(to)),
    }
}

/// An instant; Danish time if it has no offset, midnight if it has no time.
fn instant(text: &str) -> Option<DateTime<FixedOffset>> {
    match literal::bare_value(text) {
        Some(Value::DateTimeOffset(instant)) => Some(instant),
        Some(Value::Date(day)) => midnight(day),
        _ => text.parse::<NaiveDateTime>().ok().map(|shown| clock::local(clock::at_local(shown))),
    }
}

/// The instant at which a day begins in Denmark; in UTC where that instant has no Danish offset (before 1894) or no midnight.
fn midnight(date: NaiveDate) -> Option<DateTime<FixedOffset>> {
    let midnight = date.and_hms_opt(0, 0, 0)?;
    let local = clock::local(clock::start_of_day(date));
    Some(if local.naive_local() == midnight { local } else { midnight.and_utc().fixed_offset() })
}

/// The number in another numeric type. Fractions are truncated for whole numbers; `None` if it is out of range.
fn as_number(value: &Value, to: PrimitiveType) -> Option<Value> {
    let whole = |min: i64, max: i64| {
        let number = match value {
            Value::Integer(number) => *number,
            Value::Decimal(number) => number.trunc().to_i64()?,
            Value::Double(number) => number.trunc().to_i64()?,
            _ => return None,
        };
        (min..=max).contains(&number).then_some(Value::Integer(number))
    };
    match to {
        PrimitiveType::Byte => whole(0, u8::MAX.into()),
        PrimitiveType::SByte => whole(i8::MIN.into(), i8::MAX.into()),
        PrimitiveType::Int16 => whole(i16::MIN.into(), i16::MAX.into()),
        PrimitiveType::Int32 => whole(i32::MIN.into(), i32::MAX.into()),
        PrimitiveType::Int64 => whole(i64::MIN, i64::MAX),
        PrimitiveType::Decimal => match value {
            Value::Double(number) => Decimal::try_from(*number).ok().map(Value::Decimal),
            exact => exact.as_decimal().map(Value::Decimal),
        },
        PrimitiveType::Single | PrimitiveType::Double => value.as_double().map(Value::Double),
        _ => None,
    }
}

/// The value written as in a payload.
fn as_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Boolean(known) => known.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.normalize().to_string(),
        Value::Double(number) if number.is_infinite() => {
            if *number > 0.0 {
                "INF".to_owned()
            } else {
                "-INF".to_owned()
            }
        }
        Value::Double(number) => number.to_string(),
        Value::Date(date) => date.to_string(),
        Value::TimeOfDay(time) => time.to_string(),
        Value::DateTimeOffset(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        Value::Guid(guid) => guid.to_string(),
        _ => return None,
    })
}

/// The type of a value; `None` for null and for lists. Whole numbers have the smaller type that holds them.
pub(super) fn type_of(value: &Value) -> Option<PrimitiveType> {
    Some(match value {
        Value::Null | Value::List(_) => return None,
        Value::Boolean(_) => PrimitiveType::Boolean,
        Value::Integer(number) if i32::try_from(*number).is_ok() => PrimitiveType::Int32,
        Value::Integer(_) => PrimitiveType::Int64,
        Value::Decimal(_) => PrimitiveType::Decimal,
        Value::Double(_) => PrimitiveType::Double,
        Value::String(_) => PrimitiveType::String,
        Value::Date(_) => PrimitiveType::Date,
        Value::TimeOfDay(_) => PrimitiveType::TimeOfDay,
        Value::DateTimeOffset(_) => PrimitiveType::DateTimeOffset,
        Value::Duration(_) => PrimitiveType::Duration,
        Value::Guid(_) => PrimitiveType::Guid,
        Value::Binary(_) => PrimitiveType::Binary,
    })
}
