//! Primitive types of OData and their values, as literals in URLs and as cells in payloads.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta};
use rust_decimal::Decimal;
use uuid::Uuid;

/// The primitive types that this service knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrimitiveType {
    Binary,
    Boolean,
    Byte,
    Date,
    DateTimeOffset,
    Decimal,
    Double,
    Duration,
    Guid,
    Int16,
    Int32,
    Int64,
    SByte,
    Single,
    String,
    TimeOfDay,
}

impl PrimitiveType {
    /// The types whose values are numbers.
    pub const NUMERIC: &[Self] = &[
        Self::Byte,
        Self::SByte,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Decimal,
        Self::Single,
        Self::Double,
    ];

    /// The qualified name, as `$metadata` and control information write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "Edm.Binary",
            Self::Boolean => "Edm.Boolean",
            Self::Byte => "Edm.Byte",
            Self::Date => "Edm.Date",
            Self::DateTimeOffset => "Edm.DateTimeOffset",
            Self::Decimal => "Edm.Decimal",
            Self::Double => "Edm.Double",
            Self::Duration => "Edm.Duration",
            Self::Guid => "Edm.Guid",
            Self::Int16 => "Edm.Int16",
            Self::Int32 => "Edm.Int32",
            Self::Int64 => "Edm.Int64",
            Self::SByte => "Edm.SByte",
            Self::Single => "Edm.Single",
            Self::String => "Edm.String",
            Self::TimeOfDay => "Edm.TimeOfDay",
        }
    }

    /// Whether values of the type are numbers, and so compare with each other after promotion.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        Self::NUMERIC.contains(&self)
    }

    /// Whether numbers of the type may have decimals.
    #[must_use]
    pub fn is_fractional(self) -> bool {
        matches!(self, Self::Decimal | Self::Single | Self::Double)
    }
}

impl fmt::Display for PrimitiveType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One value of a primitive type, or null, or a list of values.
///
/// Whole numbers are [`Value::Integer`] until arithmetic needs more; exact fractions are [`Value::Decimal`]; only literals
/// such as `INF` and operations that the standard defines on doubles give [`Value::Double`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Double(f64),
    String(Arc<str>),
    Date(NaiveDate),
    TimeOfDay(NaiveTime),
    DateTimeOffset(DateTime<FixedOffset>),
    Duration(TimeDelta),
    Guid(Uuid),
    Binary(Arc<[u8]>),
    List(Vec<Value>),
}

impl Value {
    /// A string value.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::String(Arc::from(text))
    }

    /// Whether this is the null value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// How two values of comparable types relate; `None` when either is null, not a number, or the types do not compare.
    ///
    /// Strings compare by code point: case and accents matter, and the result does not depend on a locale.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => Some(a.cmp(b)),
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) => Some(a.cmp(b)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::TimeOfDay(a), Self::TimeOfDay(b)) => Some(a.cmp(b)),
            (Self::DateTimeOffset(a), Self::DateTimeOffset(b)) => Some(a.cmp(b)),
            (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (Self::Guid(a), Self::Guid(b)) => Some(a.cmp(b)),
            (Self::Binary(a), Self::Binary(b)) => Some(a.cmp(b)),
            (Self::Double(_), _) | (_, Self::Double(_)) => self.as_double()?.partial_cmp(&other.as_double()?),
            _ => Some(self.as_decimal()?.cmp(&other.as_decimal()?)),
        }
    }

    /// The number as an exact decimal, if it is one.
    #[must_use]
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Integer(number) => Some(Decimal::from(*number)),
            Self::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    /// The number as the nearest double, if it is a number.
    #[must_use]
    pub fn as_double(&self) -> Option<f64> {
        match self {
            Self::Double(number) => Some(*number),
            // Parsed from the digits: the direct conversion is off by one bit for some.
            other => other.as_decimal()?.to_string().parse().ok(),
        }
    }
}
