//! Values as bytes: a type tag, then the content, with its length where the type does not determine it.

use std::sync::Arc;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Timelike};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::odata::value::Value;

/// The deepest nesting of lists; tokens made here never nest deeper.
const MAX_DEPTH: u8 = 8;

#[derive(Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Seven bits a byte, low ones first; the high bit says that more follow.
    pub(super) fn unsigned(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.unsigned(bytes.len() as u64);
        self.raw(bytes);
    }

    pub(super) fn values(&mut self, values: &[Value]) {
        self.unsigned(values.len() as u64);
        values.iter().for_each(|value| self.value(value));
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.byte(0),
            Value::Boolean(value) => self.tagged(1, &[u8::from(*value)]),
            Value::Integer(number) => self.tagged(2, &number.to_le_bytes()),
            Value::Decimal(number) => self.tagged(3, &number.serialize()),
            Value::Double(number) => self.tagged(4, &number.to_le_bytes()),
            Value::String(text) => {
                self.byte(5);
                self.bytes(text.as_bytes());
            }
            Value::Date(date) => self.tagged(6, &date.num_days_from_ce().to_le_bytes()),
            Value::TimeOfDay(time) => {
                self.tagged(7, &time.num_seconds_from_midnight().to_le_bytes());
                self.raw(&time.nanosecond().to_le_bytes());
            }
            Value::DateTimeOffset(instant) => {
                self.tagged(8, &instant.timestamp().to_le_bytes());
                self.raw(&instant.timestamp_subsec_nanos().to_le_bytes());
                self.raw(&instant.offset().local_minus_utc().to_le_bytes());
            }
            Value::Duration(duration) => {
                self.tagged(9, &duration.num_seconds().to_le_bytes());
                self.raw(&duration.subsec_nanos().to_le_bytes());
            }
            Value::Guid(guid) => self.tagged(10, guid.as_bytes()),
            Value::Binary(bytes) => {
                self.byte(11);
                self.bytes(bytes);
            }
            Value::List(items) => {
                self.byte(12);
                self.values(items);
            }
        }
    }

    fn tagged(&mut self, tag: u8, content: &[u8]) {
        self.byte(tag);
        self.raw(content);
    }
}

/// Reads what a [`Writer`] wrote; `None` for anything else.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    depth: u8,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }

    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let placed = bits << shift;
            if placed >> shift != bits {
                return None;
            }
            number |= placed;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.unsigned()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn values(&mut self) -> Option<Vec<Value>> {
        let count = usize::try_from(self.unsigned()?).ok()?;
        // Every value takes at least one byte, so a forged count cannot make us reserve more memory than the token has bytes.
        if count > self.rest.len() || self.depth >= MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let values = (0..count).map(|_| self.value()).collect();
        self.depth -= 1;
        values
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.byte()? {
            0 => Value::Null,
            1 => Value::Boolean(self.byte()? != 0),
            2 => Value::Integer(self.i64()?),
            3 => Value::Decimal(Decimal::deserialize(self.array()?)),
            4 => Value::Double(f64::from_le_bytes(self.array()?)),
            5 => Value::string(self.text()?),
            6 => Value::Date(NaiveDate::from_num_days_from_ce_opt(self.i32()?)?),
            7 => Value::TimeOfDay(NaiveTime::from_num_seconds_from_midnight_opt(self.u32()?, self.u32()?)?),
            8 => Value::DateTimeOffset(self.instant()?),
            9 => Value::Duration(self.duration()?),
            10 => Value::Guid(Uuid::from_bytes(self.array()?)),
            11 => Value::Binary(Arc::from(self.bytes()?)),
            12 => Value::List(self.values()?),
            _ => return None,
        })
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn instant(&mut self) -> Option<DateTime<FixedOffset>> {
        let utc = DateTime::from_timestamp(self.i64()?, self.u32()?)?;
        Some(utc.with_timezone(&FixedOffset::east_opt(self.i32()?)?))
    }

    /// Seconds and the rest of one, both of the same sign.
    fn duration(&mut self) -> Option<TimeDelta> {
        let seconds = TimeDelta::try_seconds(self.i64()?)?;
        seconds.checked_add(&TimeDelta::nanoseconds(self.i32()?.into()))
    }
}
