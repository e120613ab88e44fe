//! Literals: numbers, dates, times, durations, GUIDs, binary and enumeration members, in the syntax of URLs. A number is an integer
//! or an exact decimal if it fits, otherwise a double. Fractions of a second beyond nanoseconds are truncated.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::error::{Expected, SyntaxErrorKind};
use super::lexer::{Parsed, Parser, is_identifier_part};
use super::syntax::Literal;
use crate::error::excerpt;
use crate::odata::value::{PrimitiveType, Value};

/// A scanned literal: how many characters it has, and the value if it is in range.
type Scanned<T> = Option<(usize, Option<T>)>;

impl Parser<'_> {
    /// A literal that stands without quotes and begins with a digit, a sign or a hexadecimal letter; `None` if there is none.
    pub(super) fn bare_literal(&mut self) -> Parsed<Option<Literal>> {
        let start = self.position();
        let Some((length, value)) = bare(self.rest()) else {
            return Ok(None);
        };
        self.advance(length);
        match value {
            Some(value) if !self.peek().is_some_and(is_identifier_part) => Ok(Some(Literal::Value(value))),
            _ => Err(self.invalid_literal(start)),
        }
    }

    /// Any primitive literal.
    pub(super) fn literal(&mut self) -> Parsed<Literal> {
        if self.peek() == Some('\'') {
            return Ok(Literal::Value(Value::string(&self.quoted()?)));
        }
        if let Some(literal) = self.bare_literal()? {
            return Ok(literal);
        }
        let start = self.position();
        if let Ok(word) = self.dotted_name() {
            if self.peek() == Some('\'') {
                return self.prefixed_literal(&word, start);
            }
            if let Some(value) = constant(&word) {
                return Ok(Literal::Value(value));
            }
        }
        self.rewind(start);
        Err(self.unexpected(Expected::Literal))
    }

    /// A text in single quotes, in which two quotes stand for one.
    pub(super) fn quoted(&mut self) -> Parsed<String> {
        self.expect("'")?;
        let mut text = String::new();
        while let Some(char) = self.peek() {
            self.advance(1);
            if char != '\'' {
                text.push(char);
            } else if self.eat('\'') {
                text.push('\'');
            } else {
                return Ok(text);
            }
        }
        Err(self.unexpected(Expected::ClosingQuote))
    }

    /// The quoted part of a literal whose type stood in front, from `start`.
    pub(super) fn prefixed_literal(&mut self, prefix: &str, start: usize) -> Parsed<Literal> {
        if prefix.eq_ignore_ascii_case("geography") || prefix.eq_ignore_ascii_case("geometry") {
            return self.geo_literal(start);
        }
        let text = self.quoted()?;
        let literal = if prefix.eq_ignore_ascii_case("duration") {
            duration(&text).map(|value| Literal::Typed(PrimitiveType::Duration, Value::Duration(value)))
        } else if prefix.eq_ignore_ascii_case("binary") {
            binary(&text).map(|value| Literal::Typed(PrimitiveType::Binary, Value::Binary(value)))
        } else if prefix.contains('.') && is_enum_value(&text) {
            Some(Literal::Enum { type_name: prefix.to_owned(), members: text })
        } else {
            None
        };
        literal.ok_or_else(|| self.invalid_literal(start))
    }

    /// An error about the literal that began at `start`.
    pub(super) fn invalid_literal(&mut self, start: usize) -> super::error::SyntaxError {
        self.take_while(|char| is_identifier_part(char) || matches!(char, '-' | '.' | ':' | '+'));
        let text = excerpt(&self.since(start));
        self.error_at(start, SyntaxErrorKind::InvalidLiteral { text })
    }
}

/// The words that are values. Booleans are read in any letter case, the others only as written.
pub(super) fn constant(word: &str) -> Option<Value> {
    match word {
        "null" => Some(Value::Null),
        "INF" => Some(Value::Double(f64::INFINITY)),
        "NaN" => Some(Value::Double(f64::NAN)),
        _ => boolean(word).map(Value::Boolean),
    }
}

/// `true` or `false`, in any letter case.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn bare(chars: &[char]) -> Scanned<Value> {
    map(guid(chars), Value::Guid)
        .or_else(|| map(date_time_offset(chars), Value::DateTimeOffset))
        .or_else(|| map(date(chars), Value::Date))
        .or_else(|| map(time_of_day(chars), Value::TimeOfDay))
        .or_else(|| number(chars))
}

fn map<T>(found: Scanned<T>, wrap: impl FnOnce(T) -> Value) -> Scanned<Value> {
    found.map(|(length, value)| (length, value.map(wrap)))
}

/// A cursor over characters that does not count towards the limits.
struct Scan<'a> {
    chars: &'a [char],
    at: usize,
}

impl<'a> Scan<'a> {
    fn new(chars: &'a [char]) -> Self {
        Self { chars, at: 0 }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn one(&mut self, choices: &[char]) -> Option<char> {
        let found = self.peek().filter(|char| choices.contains(char))?;
        self.at += 1;
        Some(found)
    }

    /// Between `min` and `max` characters of a kind.
    fn run(&mut self, min: usize, max: usize, fits: fn(&char) -> bool) -> Option<String> {
        let run: String = self.chars.get(self.at..)?.iter().take_while(|char| fits(char)).take(max).collect();
        if run.len() < min {
            return None;
        }
        self.at += run.len();
        Some(run)
    }

    fn digits(&mut self, min: usize, max: usize) -> Option<String> {
        self.run(min, max, char::is_ascii_digit)
    }

    fn two_digits(&mut self) -> Option<u32> {
        self.digits(2, 2)?.parse().ok()
    }

    /// An optional part: goes back to its start if it is not complete.
    fn optional<T>(&mut self, part: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let found = part(self);
        if found.is_none() {
            self.at = start;
        }
        found
    }
}

fn guid(chars: &[char]) -> Scanned<Uuid> {
    let mut scan = Scan::new(chars);
    let mut text = scan.run(8, 8, char::is_ascii_hexdigit)?;
    for length in [4, 4, 4, 12] {
        scan.one(&['-'])?;
        text.push_str(&scan.run(length, length, char::is_ascii_hexdigit)?);
    }
    Some((scan.at, Uuid::try_parse(&text).ok()))
}

fn date(chars: &[char]) -> Scanned<NaiveDate> {
    let mut scan = Scan::new(chars);
    let date = scan_date(&mut scan)?;
    Some((scan.at, date))
}

fn scan_date(scan: &mut Scan<'_>) -> Option<Option<NaiveDate>> {
    let sign = scan.one(&['-']).is_some();
    let year = scan.digits(4, 9)?;
    scan.one(&['-'])?;
    let month = scan.two_digits()?;
    scan.one(&['-'])?;
    let day = scan.two_digits()?;
    let leading_zero = year.starts_with('0') && year.len() > 4;
    let year: i32 = year.parse().ok()?;
    let year = if sign { -year } else { year };
    Some(NaiveDate::from_ymd_opt(year, month, day).filter(|_| !leading_zero))
}

fn time_of_day(chars: &[char]) -> Scanned<NaiveTime> {
    let mut scan = Scan::new(chars);
    let time = scan_time(&mut scan)?;
    Some((scan.at, time))
}

fn scan_time(scan: &mut Scan<'_>) -> Option<Option<NaiveTime>> {
    let hour = scan.two_digits()?;
    scan.one(&[':'])?;
    let minute = scan.two_digits()?;
    let (second, nanos) = scan
        .optional(|scan| {
            scan.one(&[':'])?;
            let second = scan.two_digits()?;
            let fraction = scan.optional(|scan| {
                scan.one(&['.'])?;
                scan.digits(1, 12)
            });
            Some((second, fraction.map_or(0, |digits| nanoseconds(&digits))))
        })
        .unwrap_or((0, 0));
    // A leap second is second 59 with more than a second's worth of nanoseconds.
    let (second, nanos) = if second == 60 { (59, nanos + 1_000_000_000) } else { (second, nanos) };
    Some(NaiveTime::from_hms_nano_opt(hour, minute, second, nanos))
}

/// The digits behind the point, as nanoseconds.
fn nanoseconds(digits: &str) -> u32 {
    let nine: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
    nine.parse().unwrap_or(0)
}

fn date_time_offset(chars: &[char]) -> Scanned<DateTime<FixedOffset>> {
    let mut scan = Scan::new(chars);
    let date = scan_date(&mut scan)?;
    scan.one(&['T', 't'])?;
    let time = scan_time(&mut scan)?;
    let seconds = scan_offset(&mut scan)?;
    let value = date.zip(time).and_then(|(date, time)| {
        let offset = FixedOffset::east_opt(seconds?)?;
        offset.from_local_datetime(&NaiveDateTime::new(date, time)).single()
    });
    Some((scan.at, value))
}

/// Seconds east of UTC; the inner `None` for an invalid hour or minute.
fn scan_offset(scan: &mut Scan<'_>) -> Option<Option<i32>> {
    let sign = match scan.one(&['Z', 'z', '+', '-'])? {
        '+' => 1,
        '-' => -1,
        _ => return Some(Some(0)),
    };
    let hours = i32::try_from(scan.two_digits()?).ok()?;
    scan.one(&[':'])?;
    let minutes = i32::try_from(scan.two_digits()?).ok()?;
    Some((hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60)))
}

fn number(chars: &[char]) -> Scanned<Value> {
    let mut scan = Scan::new(chars);
    let sign = scan.one(&['+', '-']);
    if sign == Some('-') && chars.get(1..4) == Some(&['I', 'N', 'F']) {
        return Some((4, Some(Value::Double(f64::NEG_INFINITY))));
    }
    let mut text = String::from(if sign == Some('-') { "-" } else { "" });
    text.push_str(&scan.digits(1, usize::MAX)?);
    if let Some(fraction) = scan.optional(|scan| {
        scan.one(&['.'])?;
        scan.digits(1, usize::MAX)
    }) {
        text = format!("{text}.{fraction}");
    }
    if let Some(exponent) = scan.optional(scan_exponent) {
        text = format!("{text}e{exponent}");
    }
    let suffix = scan.one(&['L', 'l', 'M', 'm', 'D', 'd', 'F', 'f']);
    Some((scan.at, number_value(&text, suffix)))
}

fn scan_exponent(scan: &mut Scan<'_>) -> Option<String> {
    scan.one(&['e', 'E'])?;
    let sign = scan.one(&['+', '-']).filter(|sign| *sign == '-');
    let digits = scan.digits(1, usize::MAX)?;
    Some(sign.into_iter().collect::<String>() + &digits)
}

/// The value of a number's text; older clients append a suffix for the type.
fn number_value(text: &str, suffix: Option<char>) -> Option<Value> {
    match suffix {
        Some('L' | 'l') => text.parse().ok().map(Value::Integer),
        Some('M' | 'm') => exact_decimal(text).map(Value::Decimal),
        Some(_) => double(text),
        None => text
            .parse()
            .map(Value::Integer)
            .ok()
            .or_else(|| exact_decimal(text).map(Value::Decimal))
            .or_else(|| double(text)),
    }
}

fn exact_decimal(text: &str) -> Option<Decimal> {
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return Decimal::from_str_exact(text).ok();
    };
    // Moving the decimal point keeps every digit or fails; parsing scientific notation would round.
    let shift: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let scale = i64::try_from(fraction.len()).ok()?.checked_sub(shift)?;
    let digits = format!("{whole}{fraction}");
    if (0..=28).contains(&scale) {
        let number: i128 = digits.parse().ok()?;
        return Decimal::try_from_i128_with_scale(number, u32::try_from(scale).ok()?).ok();
    }
    let zeros = usize::try_from(-scale).ok().filter(|zeros| *zeros <= 28)?;
    Decimal::from_str_exact(&format!("{digits}{}", "0".repeat(zeros))).ok()
}

fn double(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Value::Double(number))
}

/// A duration of days and time, such as `P1DT2H` or `-PT0.5S`, without quotes.
#[must_use]
pub fn duration(text: &str) -> Option<TimeDelta> {
    let chars: Vec<char> = text.chars().collect();
    let mut scan = Scan::new(&chars);
    let negative = scan.one(&['-']).is_some();
    scan.one(&['P', 'p'])?;
    let days = scan.optional(|scan| amount(scan, &['D', 'd']));
    let (time, nanos) = match scan.one(&['T', 't']) {
        Some(_) => scan_duration_time(&mut scan)?,
        None => (0, 0),
    };
    if scan.at != chars.len() || chars.last().is_some_and(|last| matches!(last, 'P' | 'p' | 'T' | 't')) {
        return None;
    }
    let seconds = days.unwrap_or(0).checked_mul(86_400)?.checked_add(time)?;
    let sum = TimeDelta::new(seconds, nanos)?;
    Some(if negative { -sum } else { sum })
}

fn scan_duration_time(scan: &mut Scan<'_>) -> Option<(i64, u32)> {
    let hours = scan.optional(|scan| amount(scan, &['H', 'h'])).unwrap_or(0);
    let minutes = scan.optional(|scan| amount(scan, &['M', 'm'])).unwrap_or(0);
    let (seconds, nanos) = scan.optional(scan_seconds).unwrap_or((0, 0));
    let total = hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    Some((total, nanos))
}

fn scan_seconds(scan: &mut Scan<'_>) -> Option<(i64, u32)> {
    let seconds: i64 = scan.digits(1, usize::MAX)?.parse().ok()?;
    let fraction = scan.optional(|scan| {
        scan.one(&['.'])?;
        scan.digits(1, usize::MAX)
    });
    scan.one(&['S', 's'])?;
    Some((seconds, fraction.map_or(0, |digits| nanoseconds(&digits))))
}

/// A whole number with its unit behind it.
fn amount(scan: &mut Scan<'_>, unit: &[char]) -> Option<i64> {
    let number = scan.digits(1, usize::MAX)?.parse().ok()?;
    scan.one(unit)?;
    Some(number)
}

/// Bytes in the URL-safe base64 alphabet, with or without padding.
#[must_use]
pub fn binary(text: &str) -> Option<Arc<[u8]>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::URL_SAFE, config);
    engine.decode(text).ok().map(Arc::from)
}

/// Members of an enumeration, by name or by number, with commas between them.
#[must_use]
pub fn is_enum_value(text: &str) -> bool {
    text.split(',').all(|member| {
        let digits = member.strip_prefix(['+', '-']).unwrap_or(member);
        let is_number =
            !digits.is_empty() && digits.len() <= 19 && digits.chars().all(|char| char.is_ascii_digit());
        is_number || is_identifier(member)
    })
}

/// Whether a text is a simple identifier of the data model.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(super::lexer::is_identifier_start)
        && chars.all(is_identifier_part)
        && text.chars().count() <= super::lexer::NAME_LENGTH
}

/// The value of a text that holds one literal without quotes and nothing else: a date, a number, a GUID and so on.
#[must_use]
pub fn bare_value(text: &str) -> Option<Value> {
    let chars: Vec<char> = text.chars().collect();
    match bare(&chars) {
        Some((length, value)) if length == chars.len() => value,
        _ => constant(text),
    }
}
