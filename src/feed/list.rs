//! Reads values from the rows of lists. Binding uses it to resolve navigation properties that lead to a list.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate};

use crate::catalogue::value::from_stored;
use crate::odata::value::Value;

/// One row of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListRow<'a> {
    pub rows: &'a RecordBatch,
    pub row: usize,
}

impl ListRow<'_> {
    /// The value in a column of the list.
    #[must_use]
    pub fn at(&self, column: usize) -> Value {
        self.rows.columns().get(column).map_or(Value::Null, |array| value_at(array, self.row))
    }
}

/// The value in one row of an array; null beyond its end and for arrow types that frames do not use.
#[must_use]
pub fn value_at(array: &dyn Array, row: usize) -> Value {
    if row >= array.len() || array.is_null(row) {
        return Value::Null;
    }
    let value = match array.data_type() {
        DataType::Utf8 => Some(Value::string(array.as_string::<i32>().value(row))),
        DataType::Boolean => Some(Value::Boolean(array.as_boolean().value(row))),
        DataType::Int32 => Some(Value::Integer(array.as_primitive::<Int32Type>().value(row).into())),
        DataType::Int64 => Some(Value::Integer(array.as_primitive::<Int64Type>().value(row))),
        DataType::Float64 => Some(Value::Double(array.as_primitive::<Float64Type>().value(row))),
        DataType::Decimal128(..) => {
            from_stored(array.as_primitive::<Decimal128Type>().value(row)).map(Value::Decimal)
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            NaiveDate::from_epoch_days(days).map(Value::Date)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let instant =
                DateTime::from_timestamp_millis(array.as_primitive::<TimestampMillisecondType>().value(row));
            instant.map(|instant| Value::DateTimeOffset(instant.fixed_offset()))
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_dictionary::<Int32Type>();
            let key = usize::try_from(dictionary.keys().value(row)).ok();
            key.map(|key| value_at(dictionary.values(), key))
        }
        _ => None,
    };
    value.unwrap_or(Value::Null)
}
