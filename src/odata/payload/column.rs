//! A column of a record batch, cast to its array type once, so that writing a cell needs no type check.

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal64Array, Decimal128Array, DictionaryArray,
    Float64Array, Int16Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use chrono_tz::Tz;

use super::scalar::{self, DecimalScale};
use super::{OutputProperty, PayloadError};

/// The cells of one column.
#[derive(Debug)]
pub(super) enum ColumnValues<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Int16(&'a Int16Array),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Double(&'a Float64Array),
    /// A decimal of 64 bits.
    Narrow(&'a Decimal64Array, DecimalScale),
    Decimal(&'a Decimal128Array, DecimalScale),
    Text(&'a StringArray),
    Coded(&'a Int32Array, &'a StringArray),
    Date(&'a Date32Array),
    /// Instants, and the zone whose offset they are written with.
    Timestamp(&'a TimestampMillisecondArray, Tz),
    List(&'a ListArray, Box<ColumnValues<'a>>),
}

impl<'a> ColumnValues<'a> {
    /// The cells of a property.
    pub(super) fn of(batch: &'a RecordBatch, property: &OutputProperty<'_>) -> Result<Self, PayloadError> {
        let column = property.column;
        let array = batch.columns().get(column).ok_or_else(|| PayloadError::NoSuchColumn {
            property: property.name.to_owned(),
            column,
            columns: batch.num_columns(),
        })?;
        Self::of_array(array).ok_or_else(|| unsupported(property.name, array))
    }

    pub(super) fn of_array(array: &'a ArrayRef) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_any().downcast_ref()?),
            DataType::Int16 => Self::Int16(array.as_any().downcast_ref()?),
            DataType::Int32 => Self::Int32(array.as_any().downcast_ref()?),
            DataType::Int64 => Self::Int64(array.as_any().downcast_ref()?),
            DataType::Float64 => Self::Double(array.as_any().downcast_ref()?),
            DataType::Decimal64(_, scale) => {
                Self::Narrow(array.as_any().downcast_ref()?, DecimalScale::new(*scale)?)
            }
            DataType::Decimal128(_, scale) => {
                Self::Decimal(array.as_any().downcast_ref()?, DecimalScale::new(*scale)?)
            }
            DataType::Utf8 => Self::Text(array.as_any().downcast_ref()?),
            DataType::Dictionary(_, _) => {
                let coded: &DictionaryArray<Int32Type> = array.as_any().downcast_ref()?;
                Self::Coded(coded.keys(), coded.values().as_any().downcast_ref()?)
            }
            DataType::Date32 => Self::Date(array.as_any().downcast_ref()?),
            DataType::Timestamp(TimeUnit::Millisecond, zone) => {
                let zone = zone.as_deref().map_or(Ok(Tz::UTC), str::parse).ok()?;
                Self::Timestamp(array.as_any().downcast_ref()?, zone)
            }
            DataType::List(_) => {
                let list: &ListArray = array.as_any().downcast_ref()?;
                Self::List(list, Box::new(Self::of_array(list.values())?))
            }
            _ => return None,
        })
    }

    /// Whether the cell is null. The row must be one of the batch, here and below.
    #[inline]
    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(array) => array.is_null(row),
            Self::Int16(array) => array.is_null(row),
            Self::Int32(array) => array.is_null(row),
            Self::Int64(array) => array.is_null(row),
            Self::Double(array) => array.is_null(row),
            Self::Narrow(array, _) => array.is_null(row),
            Self::Decimal(array, _) => array.is_null(row),
            Self::Text(array) => array.is_null(row),
            Self::Coded(keys, values) => keys.is_null(row) || values.is_null(code(keys, row)),
            Self::Date(array) => array.is_null(row),
            Self::Timestamp(array, _) => array.is_null(row),
            Self::List(array, _) => array.is_null(row),
        }
    }

    /// Whether the cell, a double, is a number that JSON can write.
    pub(super) fn is_finite(&self, row: usize) -> bool {
        matches!(self, Self::Double(array) if array.value(row).is_finite())
    }

    /// The number of a day or an instant.
    pub(super) fn moment(&self, row: usize) -> Option<i64> {
        match self {
            Self::Date(days) => Some(days.value(row).into()),
            Self::Timestamp(instants, _) => Some(instants.value(row)),
            _ => None,
        }
    }

    /// The cell as a JSON value; `quoted` numbers are strings.
    pub(super) fn write_json(&self, out: &mut Vec<u8>, row: usize, quoted: bool) -> Result<(), PayloadError> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match self {
            Self::Text(array) => scalar::write_string(out, array.value(row)),
            Self::Coded(keys, values) => {
                scalar::write_string(out, values.value(code(keys, row)));
            }
            Self::Double(array) => scalar::write_double(out, array.value(row)),
            Self::List(array, items) => {
                let offsets = array.value_offsets();
                let bounds = (offsets.get(row), offsets.get(row + 1));
                let (Some(start), Some(end)) = bounds else {
                    return Err(no_such_row(row, array.len()));
                };
                return write_list(out, items, *start as usize..*end as usize, quoted);
            }
            Self::Date(_) | Self::Timestamp(..) => return self.write_quoted(out, row),
            _ if quoted => return self.write_quoted(out, row),
            _ => return self.write_raw(out, row),
        }
        Ok(())
    }

    fn write_quoted(&self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        out.push(b'"');
        self.write_raw(out, row)?;
        out.push(b'"');
        Ok(())
    }

    /// The cell as text without quotes or escapes; null is empty, and a list is its JSON.
    pub(super) fn write_raw(&self, out: &mut Vec<u8>, row: usize) -> Result<(), PayloadError> {
        match self {
            Self::Null => {}
            Self::Boolean(array) => {
                let text: &[u8] = if array.value(row) { b"true" } else { b"false" };
                out.extend_from_slice(text);
            }
            Self::Int16(array) => scalar::write_integer(out, array.value(row).into()),
            Self::Int32(array) => scalar::write_integer(out, array.value(row).into()),
            Self::Int64(array) => scalar::write_integer(out, array.value(row)),
            Self::Double(array) => scalar::write_raw_double(out, array.value(row)),
            Self::Narrow(array, scale) => scalar::write_decimal(out, array.value(row).into(), *scale),
            Self::Decimal(array, scale) => scalar::write_decimal(out, array.value(row), *scale),
            Self::Text(array) => out.extend_from_slice(array.value(row).as_bytes()),
            Self::Coded(keys, values) => {
                out.extend_from_slice(values.value(code(keys, row)).as_bytes());
            }
            Self::Date(array) => {
                scalar::write_date(out, array.value(row)).ok_or(PayloadError::BeyondCalendar { row })?
            }
            Self::Timestamp(array, zone) => scalar::write_timestamp(out, array.value(row), *zone)
                .ok_or(PayloadError::BeyondCalendar { row })?,
            Self::List(_, _) => self.write_json(out, row, false)?,
        }
        Ok(())
    }
}

fn write_list(
    out: &mut Vec<u8>,
    items: &ColumnValues<'_>,
    rows: std::ops::Range<usize>,
    quoted: bool,
) -> Result<(), PayloadError> {
    out.push(b'[');
    for row in rows.clone() {
        if row != rows.start {
            out.push(b',');
        }
        items.write_json(out, row, quoted)?;
    }
    out.push(b']');
    Ok(())
}

/// The index of a dictionary-encoded text among the values; arrow guarantees that a key that is not null is valid.
pub(super) fn code(keys: &Int32Array, row: usize) -> usize {
    keys.value(row) as usize
}

pub(super) fn unsupported(property: &str, array: &ArrayRef) -> PayloadError {
    PayloadError::UnsupportedColumn { property: property.to_owned(), found: array.data_type().to_string() }
}

pub(super) fn no_such_row(row: usize, rows: usize) -> PayloadError {
    PayloadError::NoSuchRow { row, rows }
}
