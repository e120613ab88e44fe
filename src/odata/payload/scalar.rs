//! Writes single values as bytes, without allocating.

use std::io::Write;

use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use chrono_tz::Tz;

use crate::clock;

/// Appends a comma, unless the object or array has just begun.
pub(super) fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

/// A JSON string.
pub(super) fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// The content of a JSON string; runs of bytes that need no escape are copied at once.
pub(super) fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut rest = bytes;
    while let Some(position) = rest.iter().position(|byte| is_special(*byte)) {
        let (plain, special) = rest.split_at(position);
        out.extend_from_slice(plain);
        if let Some((byte, after)) = special.split_first() {
            write_special(out, *byte);
            rest = after;
        }
    }
    out.extend_from_slice(rest);
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_special(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    }
}

/// The numbers below a hundred in two digits each.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// The digits of a number.
pub(super) fn write_digits(out: &mut Vec<u8>, number: u128) {
    write_padded(out, number, 1);
}

/// The digits of a number with zeros in front up to a width.
fn write_padded(out: &mut Vec<u8>, number: u128, width: usize) {
    let mut digits = [b'0'; 40];
    let mut start = digits.len();
    let mut rest = number;
    // Dividing 128-bit numbers is slow, and nearly all fit in 64 bits.
    while rest > u128::from(u64::MAX) {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let mut rest = rest as u64;
    while rest >= 100 {
        start -= 2;
        digits[start..start + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    while rest > 0 {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let start = start.min(digits.len().saturating_sub(width));
    out.extend_from_slice(&digits[start..]);
}

/// A whole number.
pub(super) fn write_integer(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    write_digits(out, number.unsigned_abs().into());
}

/// A power of ten that decimals are scaled by.
#[derive(Debug, Clone, Copy)]
pub(super) struct DecimalScale {
    digits: usize,
    power: u128,
}

impl DecimalScale {
    /// The scale of an arrow column; `None` if it is negative or too large.
    pub(super) fn new(scale: i8) -> Option<Self> {
        let digits = u32::try_from(scale).ok()?;
        Some(Self { digits: usize::try_from(digits).ok()?, power: 10_u128.checked_pow(digits)? })
    }
}

/// An exact decimal: no exponent, no trailing zeros, no fraction where there is none.
pub(super) fn write_decimal(out: &mut Vec<u8>, scaled: i128, scale: DecimalScale) {
    if scaled < 0 {
        out.push(b'-');
    }
    let (whole, fraction) = parts(scaled.unsigned_abs(), scale.power);
    write_digits(out, whole);
    if fraction > 0 {
        out.push(b'.');
        write_padded(out, fraction, scale.digits);
        let zeros = out.iter().rev().take_while(|byte| **byte == b'0').count();
        out.truncate(out.len() - zeros);
    }
}

/// The whole part of a number of units, and the units that are left. Dividing by 64 bits is many times faster than by 128.
fn parts(units: u128, power: u128) -> (u128, u128) {
    match (u64::try_from(units), u64::try_from(power)) {
        (Ok(units), Ok(power)) => ((units / power).into(), (units % power).into()),
        _ => (units / power, units % power),
    }
}

/// A double as JSON: infinities and NaN, which JSON lacks, are strings.
pub(super) fn write_double(out: &mut Vec<u8>, number: f64) {
    match number.is_finite() {
        true => write_raw_double(out, number),
        false => {
            out.push(b'"');
            write_raw_double(out, number);
            out.push(b'"');
        }
    }
}

/// A double as text: the shortest that reads back the same.
pub(super) fn write_raw_double(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"INF" } else { b"-INF" });
    } else {
        // Writing to a vector cannot fail.
        let _ = write!(out, "{number:?}");
    }
}

/// A date from days since 1970; `None` if it is outside the calendar's range.
pub(super) fn write_date(out: &mut Vec<u8>, days: i32) -> Option<()> {
    const DAYS_TO_1970: i32 = 719_163;
    let date = NaiveDate::from_num_days_from_ce_opt(days.checked_add(DAYS_TO_1970)?)?;
    write_calendar_date(out, date);
    Some(())
}

fn write_calendar_date(out: &mut Vec<u8>, date: NaiveDate) {
    if date.year() < 0 {
        out.push(b'-');
    }
    write_padded(out, date.year().unsigned_abs().into(), 4);
    out.push(b'-');
    write_padded(out, date.month().into(), 2);
    out.push(b'-');
    write_padded(out, date.day().into(), 2);
}

/// An instant from milliseconds since 1970, with the offset of a zone; `None` if it is outside the calendar's range.
pub(super) fn write_timestamp(out: &mut Vec<u8>, milliseconds: i64, zone: Tz) -> Option<()> {
    let instant = clock::in_zone(DateTime::from_timestamp_millis(milliseconds)?, zone);
    write_calendar_date(out, instant.date_naive());
    for (mark, part) in [(b'T', instant.hour()), (b':', instant.minute()), (b':', instant.second())] {
        out.push(mark);
        write_padded(out, part.into(), 2);
    }
    let fraction = milliseconds.rem_euclid(1000);
    if fraction > 0 {
        out.push(b'.');
        write_padded(out, fraction.unsigned_abs().into(), 3);
    }
    write_offset(out, instant.offset().local_minus_utc() / 60);
    Some(())
}

fn write_offset(out: &mut Vec<u8>, minutes: i32) {
    if minutes == 0 {
        out.push(b'Z');
        return;
    }
    out.push(if minutes < 0 { b'-' } else { b'+' });
    write_padded(out, (minutes.unsigned_abs() / 60).into(), 2);
    out.push(b':');
    write_padded(out, (minutes.unsigned_abs() % 60).into(), 2);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_are_exact_and_never_longer_than_they_must_be() {
        for (scaled, scale, text) in [
            (0, 18, "0"),
            (3_000_000_000_000_000_000, 18, "3"),
            (-3_000_000_000_000_000_000, 18, "-3"),
            (12_500_000_000_000_000_000, 18, "12.5"),
            (1, 18, "0.000000000000000001"),
            (-1, 18, "-0.000000000000000001"),
            (100, 0, "100"),
            (1050, 2, "10.5"),
            (i128::MAX, 0, "170141183460469231731687303715884105727"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ] {
            let scale = DecimalScale::new(scale).unwrap();
            assert_eq!(written(|out| write_decimal(out, scaled, scale)), text);
        }
        assert!(DecimalScale::new(-1).is_none());
        assert!(DecimalScale::new(39).is_none());
    }

    proptest! {
        #[test]
        fn any_string_reads_back(text in any::<String>()) {
            let json = written(|out| write_string(out, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        #[test]
        fn any_decimal_is_written_as_its_shortest_digits(number in any::<i64>(), scale in 0..=28_i8) {
            let expected = Decimal::new(number, scale.unsigned_abs().into()).normalize();
            let scale = DecimalScale::new(scale).unwrap();
            let found = written(|out| write_decimal(out, number.into(), scale));
            prop_assert_eq!(found, expected.to_string());
        }
    }

    #[test]
    fn strings_read_back_whatever_they_hold() {
        for text in [
            "",
            "\"",
            "\\",
            "a\u{0}b\u{1f}\u{7f}",
            "\r\n\t\u{8}\u{c}",
            "Ærø <&> 'x' 🐎 \u{2028}",
            "{\"a\":[1]}",
        ] {
            let json = written(|out| write_string(out, text));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn instants_have_the_offset_of_their_zone_and_milliseconds_only_where_there_are_any() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_785_139_200_000, "2026-07-27T08:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00Z"),
        ] {
            let found = written(|out| write_timestamp(out, milliseconds, Tz::UTC).unwrap());
            assert_eq!(found, text);
        }
        for (instant, text) in [
            ("2026-08-10T22:00:00Z", "2026-08-11T00:00:00+02:00"),
            ("2026-01-31T23:00:00Z", "2026-02-01T00:00:00+01:00"),
            ("2026-10-25T00:30:00.5Z", "2026-10-25T02:30:00.500+02:00"),
            ("2026-10-25T01:30:00.5Z", "2026-10-25T02:30:00.500+01:00"),
            // No text of an instant has the seconds of the mean solar time, or a year of five digits.
            ("1890-01-01T00:00:00Z", "1890-01-01T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ] {
            let milliseconds = instant.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis();
            let found = written(|out| write_timestamp(out, milliseconds, Tz::Europe__Copenhagen).unwrap());
            assert_eq!(found, text);
            assert_eq!(text.parse::<DateTime<chrono::Utc>>().unwrap().timestamp_millis(), milliseconds);
        }
        assert_eq!(write_timestamp(&mut Vec::new(), i64::MAX, Tz::UTC), None);
        assert_eq!(write_date(&mut Vec::new(), i32::MAX), None);
        assert_eq!(written(|out| write_date(out, -1).unwrap()), "1969-12-31");
    }

    #[test]
    fn doubles_that_json_lacks_are_strings() {
        for (number, text) in [
            (12.5, "12.5"),
            (1e300, "1e300"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"INF\""),
            (f64::NEG_INFINITY, "\"-INF\""),
        ] {
            assert_eq!(written(|out| write_double(out, number)), text);
        }
    }

    #[test]
    fn whole_numbers_reach_both_ends() {
        for number in [0, 7, -7, i64::MAX, i64::MIN] {
            assert_eq!(written(|out| write_integer(out, number)), number.to_string());
        }
    }
}
