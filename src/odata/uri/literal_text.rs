//! Writes values as URL literals, for keys, next links and messages: the inverse of `literal.rs`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use chrono::{Datelike as _, NaiveDate, NaiveTime, TimeDelta, Timelike as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::odata::value::Value;

/// Characters that are not percent-encoded: those allowed in every part of a URL.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b',');

/// A value as percent-encoded literal.
#[must_use]
pub fn to_uri(value: &Value) -> String {
    utf8_percent_encode(&to_literal(value), &RESERVED).to_string()
}

/// A value as literal, not yet percent-encoded.
#[must_use]
pub fn to_literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Decimal(value) => value.to_string(),
        Value::Double(value) => double(*value),
        Value::String(value) => format!("'{}'", value.replace('\'', "''")),
        Value::Date(value) => date(*value),
        Value::TimeOfDay(value) => time(*value),
        Value::DateTimeOffset(value) => format!(
            "{}T{}{}",
            date(value.date_naive()),
            time(value.time()),
            offset(value.offset().local_minus_utc())
        ),
        Value::Duration(value) => format!("duration'{}'", duration(*value)),
        Value::Guid(value) => value.to_string(),
        Value::Binary(value) => format!("binary'{}'", URL_SAFE.encode(value)),
        Value::List(values) => {
            let items: Vec<String> = values.iter().map(to_literal).collect();
            format!("[{}]", items.join(","))
        }
    }
}

fn double(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "INF" } else { "-INF" }.to_owned()
    } else {
        format!("{value:e}")
    }
}

/// Years have four digits or more and no plus sign.
fn date(value: NaiveDate) -> String {
    let sign = if value.year() < 0 { "-" } else { "" };
    let year = value.year().unsigned_abs();
    format!("{sign}{year:04}-{:02}-{:02}", value.month(), value.day())
}

fn time(value: NaiveTime) -> String {
    // A leap second is kept as second 59 with more than a second's worth of nanoseconds.
    let second = value.second() + value.nanosecond() / 1_000_000_000;
    let nanos = value.nanosecond() % 1_000_000_000;
    let mut text = format!("{:02}:{:02}:{second:02}", value.hour(), value.minute());
    push_fraction(&mut text, nanos);
    text
}

fn offset(seconds: i32) -> String {
    if seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A duration as `PnDTnHnMnS`, without quotes.
#[must_use]
pub fn duration(value: TimeDelta) -> String {
    let sign = if value < TimeDelta::zero() { "-" } else { "" };
    let value = value.abs();
    let seconds = value.num_seconds();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (hours, minutes, seconds) = (rest / 3600, rest / 60 % 60, rest % 60);
    let mut text = format!("{sign}P{days}DT{hours}H{minutes}M{seconds}");
    push_fraction(&mut text, value.subsec_nanos().unsigned_abs());
    text.push('S');
    text
}

/// The digits behind the point, without the zeros at the end.
fn push_fraction(text: &mut String, nanos: u32) {
    if nanos > 0 {
        let digits = format!("{nanos:09}");
        // Writing to a string cannot fail.
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
}
