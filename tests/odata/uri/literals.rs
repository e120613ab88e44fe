//! Literals keep their exact value when they are parsed and written again.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use jobindsats_bridge::odata::uri::literal_text::{to_literal, to_uri};
use jobindsats_bridge::odata::uri::syntax::{ExprKind, Literal};
use jobindsats_bridge::odata::uri::{Limits, parse_literal};
use jobindsats_bridge::odata::value::Value;
use proptest::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::shape::shape;
use super::{expression, options};

fn read(text: &str) -> Value {
    match parse_literal(text, &Limits::default()) {
        Ok(Literal::Value(value) | Literal::Typed(_, value)) => value,
        other => panic!("{text}: {other:?}"),
    }
}

fn decimal(text: &str) -> Value {
    Value::Decimal(Decimal::from_str_exact(text).unwrap())
}

#[test]
fn numbers_are_exact_as_long_as_they_fit() {
    assert_eq!(read("12"), Value::Integer(12));
    assert_eq!(read("-9223372036854775808"), Value::Integer(i64::MIN));
    assert_eq!(read("9223372036854775808"), decimal("9223372036854775808"));
    assert_eq!(read("0.1"), decimal("0.1"));
    assert_eq!(read("1e3"), decimal("1000"));
    assert_eq!(read("1.25E-2"), decimal("0.0125"));
    assert_eq!(read("0.1234567890123456789012345678"), decimal("0.1234567890123456789012345678"));
    assert_eq!(read("1e-101"), Value::Double(1e-101));
    assert_eq!(read("1e300"), Value::Double(1e300));
    assert_eq!(read("-2.2072493542045057e-9").as_double(), Some(-2.2072493542045057e-9));
    assert_eq!(read("5L"), Value::Integer(5));
    assert_eq!(read("5M"), decimal("5"));
    assert_eq!(read("5.5d"), Value::Double(5.5));
    assert_eq!(read("-INF"), Value::Double(f64::NEG_INFINITY));
}

#[test]
fn dates_and_times_are_calendar_dates_and_clock_times() {
    assert_eq!(read("2024-02-29"), Value::Date(NaiveDate::from_ymd_opt(2024, 2, 29).unwrap()));
    assert_eq!(read("-10000-04-01"), Value::Date(NaiveDate::from_ymd_opt(-10000, 4, 1).unwrap()));
    assert_eq!(read("11:22"), Value::TimeOfDay(NaiveTime::from_hms_opt(11, 22, 0).unwrap()));
    assert_eq!(
        read("2024-01-31T00:00:00.5+01:00"),
        Value::DateTimeOffset(DateTime::parse_from_rfc3339("2024-01-31T00:00:00.5+01:00").unwrap())
    );
    assert_eq!(read("duration'-PT1.5S'"), Value::Duration(-TimeDelta::milliseconds(1500)));
    for wrong in [
        "2023-02-29",
        "24:00",
        "23:60",
        "2024-01-01T00:00",
        "duration'P'",
        "duration'PT'",
        "1.",
        ".5",
        "1e",
        "5x",
        "02024-01-01",
    ] {
        assert!(parse_literal(wrong, &Limits::default()).is_err(), "{wrong}");
    }
}

#[test]
fn a_date_is_no_subtraction() {
    assert_eq!(shape(&expression("D eq 2024-01-01").unwrap()), "(eq D 2024-01-01)");
    assert_eq!(shape(&expression("A sub -1").unwrap()), "(sub A -1)");
    assert_eq!(
        shape(&expression("G eq abcdef01-89ab-cdef-0123-456789abcdef").unwrap()),
        "(eq G abcdef01-89ab-cdef-0123-456789abcdef)"
    );
    assert_eq!(shape(&expression("abcdef01 eq 1").unwrap()), "(eq abcdef01 1)");
}

fn values() -> impl Strategy<Value = Value> {
    let date = (-200_000..200_000i32, 1..=366u32)
        .prop_filter_map("not a day", |(year, day)| NaiveDate::from_yo_opt(year, day));
    let time = (0..86_400u32, 0..1_000_000_000u32).prop_filter_map("not a time", |(second, nano)| {
        NaiveTime::from_num_seconds_from_midnight_opt(second, nano)
    });
    let instant = (date.clone(), time.clone(), -840..=840i32).prop_filter_map(
        "not an instant",
        |(date, time, minutes)| {
            let offset = chrono::FixedOffset::east_opt(minutes * 60)?;
            date.and_time(time).and_local_timezone(offset).single()
        },
    );
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        (any::<i64>(), 1..=28u32).prop_map(|(n, scale)| Value::Decimal(Decimal::new(n, scale))),
        any::<f64>().prop_filter("not a number", |n| !n.is_nan()).prop_map(Value::Double),
        any::<String>().prop_map(|text| Value::String(Arc::from(text.as_str()))),
        date.prop_map(Value::Date),
        time.prop_map(Value::TimeOfDay),
        instant.prop_map(Value::DateTimeOffset),
        (any::<i32>(), any::<i32>()).prop_map(|(seconds, nanos)| Value::Duration(
            TimeDelta::seconds(i64::from(seconds)) + TimeDelta::nanoseconds(i64::from(nanos))
        )),
        any::<u128>().prop_map(|bits| Value::Guid(Uuid::from_u128(bits))),
        any::<Vec<u8>>().prop_map(|bytes| Value::Binary(Arc::from(bytes))),
    ]
}

/// Whether two values are the same; numbers by what they count, for a double may be read as the decimal that it is.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Double(_), _) => a.as_double() == b.as_double(),
        _ => a == b,
    }
}

proptest! {
    #[test]
    fn every_value_comes_back(value in values()) {
        let back = read(&to_literal(&value));
        prop_assert!(same(&value, &back), "{value:?} {back:?}");
    }

    #[test]
    fn every_value_comes_back_from_a_url(value in values()) {
        let is_clean = |text: &str| !text.chars().any(char::is_control);
        prop_assume!(!matches!(&value, Value::String(text) if !is_clean(text)));
        let filter = options(&format!("$filter={}", to_uri(&value))).filter.unwrap();
        let ExprKind::Literal(Literal::Value(back) | Literal::Typed(_, back)) = filter.kind else {
            panic!("{filter:?}");
        };
        prop_assert!(same(&value, &back), "{value:?} {back:?}");
    }
}
