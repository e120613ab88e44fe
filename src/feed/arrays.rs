//! The one mapping between the primitive types of Edm and Arrow's arrays: which array a column of a type is, and single values in
//! and out of it. Figures are as in [`figures`], days are counted from 1970, instants are milliseconds since 1970 UTC in a
//! column of Copenhagen's zone, so that writers show them, and functions take their parts, as they are in Denmark.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, Scalar, StringArray,
    TimestampMillisecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate, Utc};

use crate::catalogue::figures;
use crate::catalogue::value::to_stored;
use crate::clock;
use crate::odata::value::{PrimitiveType, Value};

/// A column of days.
#[must_use]
pub fn days(days: impl IntoIterator<Item = Option<NaiveDate>>) -> Date32Array {
    days.into_iter().map(|day| day.map(|day| day.to_epoch_days())).collect()
}

/// The zone of columns of instants.
pub const ZONE: &str = "Europe/Copenhagen";

/// A column of instants.
#[must_use]
pub fn instants(instants: impl IntoIterator<Item = Option<DateTime<Utc>>>) -> TimestampMillisecondArray {
    let milliseconds = instants.into_iter().map(|at| at.map(|at| at.timestamp_millis()));
    milliseconds.collect::<TimestampMillisecondArray>().with_timezone(ZONE)
}

/// The values as a column of the type; null where a value is none of the type.
#[must_use]
pub fn array(primitive: PrimitiveType, values: impl IntoIterator<Item = Value>) -> ArrayRef {
    use PrimitiveType as Type;
    let values = values.into_iter();
    let whole = |value| if let Value::Integer(number) = value { Some(number) } else { None };
    match primitive {
        Type::Boolean => Arc::new(BooleanArray::from_iter(
            values.map(|value| if let Value::Boolean(known) = value { Some(known) } else { None }),
        )),
        Type::Byte | Type::SByte | Type::Int16 | Type::Int32 => Arc::new(Int32Array::from_iter(
            values.map(|value| whole(value).and_then(|number| i32::try_from(number).ok())),
        )),
        Type::Int64 => Arc::new(Int64Array::from_iter(values.map(whole))),
        Type::Decimal => {
            Arc::new(figures::column(values.map(|value| value.as_decimal().and_then(to_stored))))
        }
        Type::Double | Type::Single => {
            Arc::new(Float64Array::from_iter(values.map(|value| value.as_double())))
        }
        Type::Date => {
            Arc::new(days(values.map(|value| if let Value::Date(day) = value { Some(day) } else { None })))
        }
        Type::DateTimeOffset => Arc::new(instants(
            values.map(|value| if let Value::DateTimeOffset(at) = value { Some(at.to_utc()) } else { None }),
        )),
        _ => Arc::new(StringArray::from_iter(
            values.map(|value| if let Value::String(text) = value { Some(text) } else { None }),
        )),
    }
}

/// The type that values of a column have; `None` for columns that hold no values of Edm. Texts may be shared by rows.
#[must_use]
pub fn primitive_type(data_type: &DataType) -> Option<PrimitiveType> {
    Some(match data_type {
        DataType::Utf8 => PrimitiveType::String,
        DataType::Dictionary(keys, values) if **keys == DataType::Int32 && **values == DataType::Utf8 => {
            PrimitiveType::String
        }
        DataType::Boolean => PrimitiveType::Boolean,
        DataType::Int32 => PrimitiveType::Int32,
        DataType::Int64 => PrimitiveType::Int64,
        DataType::Float64 => PrimitiveType::Double,
        figures if figures::is_figures(figures) => PrimitiveType::Decimal,
        DataType::Date32 => PrimitiveType::Date,
        DataType::Timestamp(TimeUnit::Millisecond, _) => PrimitiveType::DateTimeOffset,
        _ => return None,
    })
}

/// The value in a row of a column; null outside the column and for columns that hold no values of Edm.
#[must_use]
pub fn value_at(array: &dyn Array, row: usize) -> Value {
    let primitive = primitive_type(array.data_type());
    let Some(primitive) = primitive.filter(|_| row < array.len() && !array.is_null(row)) else {
        return Value::Null;
    };
    let value = match primitive {
        PrimitiveType::Boolean => Some(Value::Boolean(array.as_boolean().value(row))),
        PrimitiveType::Int32 => Some(Value::Integer(array.as_primitive::<Int32Type>().value(row).into())),
        PrimitiveType::Int64 => Some(Value::Integer(array.as_primitive::<Int64Type>().value(row))),
        PrimitiveType::Double => Some(Value::Double(array.as_primitive::<Float64Type>().value(row))),
        PrimitiveType::Decimal => figures::figure_at(array, row).map(Value::Decimal),
        PrimitiveType::Date => {
            NaiveDate::from_epoch_days(array.as_primitive::<Date32Type>().value(row)).map(Value::Date)
        }
        PrimitiveType::DateTimeOffset => {
            let milliseconds = array.as_primitive::<TimestampMillisecondType>().value(row);
            let instant = DateTime::from_timestamp_millis(milliseconds);
            instant.map(|instant| Value::DateTimeOffset(clock::local(instant)))
        }
        _ => text_at(array, row),
    };
    value.unwrap_or(Value::Null)
}

fn text_at(array: &dyn Array, row: usize) -> Option<Value> {
    if let Some(texts) = array.as_string_opt::<i32>() {
        return Some(Value::string(texts.value(row)));
    }
    let dictionary = array.as_dictionary_opt::<Int32Type>()?;
    let key = usize::try_from(dictionary.keys().value(row)).ok()?;
    Some(value_at(dictionary.values(), key))
}

/// The value as a cell of a column of that type, if such a cell holds it exactly and compares as the value does.
#[must_use]
pub fn scalar(value: &Value, data_type: &DataType) -> Option<Scalar<ArrayRef>> {
    let primitive = primitive_type(data_type).filter(|primitive| *primitive != PrimitiveType::Double)?;
    let cell = match primitive {
        PrimitiveType::Decimal => figures::cell(value.as_decimal()?, data_type)?,
        _ => array(primitive, [value.clone()]),
    };
    let is_exact = value_at(&cell, 0).compare(value) == Some(Ordering::Equal);
    (is_exact && cell.data_type() == data_type).then(|| Scalar::new(cell))
}
