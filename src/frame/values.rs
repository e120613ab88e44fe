//! Single values in and out of columns. The one place that knows which arrow types a frame is made of.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, Scalar,
    StringArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use chrono::DateTime;

use super::error::FrameError;
use crate::catalogue::value::{FIGURE_SCALE, to_stored};
pub use crate::feed::list::value_at;
use crate::odata::value::Value;
use crate::query::eval::Row;

/// Rows of a batch, read by the columns of their set.
#[derive(Debug, Clone, Copy)]
pub struct RowValues<'a> {
    batch: &'a RecordBatch,
    columns: &'a [Option<usize>],
}

impl<'a> RowValues<'a> {
    /// The batch's rows; `columns` says for each column of the set which of the batch it is, if it is there.
    ///
    /// # Errors
    /// When a column is of a type that no value is read from.
    pub fn new(batch: &'a RecordBatch, columns: &'a [Option<usize>]) -> Result<Self, FrameError> {
        for field in batch.schema_ref().fields() {
            if !is_readable(field.data_type()) {
                let (column, found) = (field.name().clone(), field.data_type().clone());
                return Err(FrameError::UnreadableColumn { column, found });
            }
        }
        Ok(Self { batch, columns })
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The array behind a column of the set.
    ///
    /// # Errors
    /// When the batch was made without the column.
    pub fn column(&self, column: usize) -> Result<&'a ArrayRef, FrameError> {
        let index = self.columns.get(column).copied().flatten();
        index.and_then(|index| self.batch.columns().get(index)).ok_or(FrameError::MissingColumn { column })
    }

    /// One row.
    #[must_use]
    pub fn row(&self, row: usize) -> RowRef<'a> {
        RowRef { cells: *self, row }
    }
}

/// One row of a batch.
#[derive(Debug, Clone, Copy)]
pub struct RowRef<'a> {
    cells: RowValues<'a>,
    row: usize,
}

impl Row for RowRef<'_> {
    fn value(&self, column: usize) -> Value {
        self.cells.column(column).map_or(Value::Null, |array| value_at(array, self.row))
    }
}

fn is_readable(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8
        | DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Timestamp(TimeUnit::Millisecond, _) => true,
        DataType::Decimal128(_, scale) => u32::try_from(*scale) == Ok(FIGURE_SCALE),
        DataType::Dictionary(keys, values) => **keys == DataType::Int32 && **values == DataType::Utf8,
        _ => false,
    }
}

/// The value as a cell of that type, if the type holds it exactly.
pub(super) fn stored(value: &Value, data_type: &DataType) -> Option<Scalar<ArrayRef>> {
    let array: ArrayRef = match (data_type, value) {
        (DataType::Int32, Value::Integer(number)) => {
            Arc::new(Int32Array::from(vec![i32::try_from(*number).ok()?]))
        }
        (DataType::Int64, Value::Integer(number)) => Arc::new(Int64Array::from(vec![*number])),
        (DataType::Utf8, Value::String(text)) => Arc::new(StringArray::from(vec![text.as_ref()])),
        (DataType::Boolean, Value::Boolean(known)) => Arc::new(BooleanArray::from(vec![*known])),
        (DataType::Decimal128(precision, scale), _) => {
            let figures = Decimal128Array::from(vec![to_stored(value.as_decimal()?)?]);
            Arc::new(figures.with_precision_and_scale(*precision, *scale).ok()?)
        }
        (DataType::Date32, Value::Date(date)) => Arc::new(Date32Array::from(vec![date.to_epoch_days()])),
        (DataType::Timestamp(TimeUnit::Millisecond, zone), Value::DateTimeOffset(instant)) => {
            let millis = instant.timestamp_millis();
            if DateTime::from_timestamp_millis(millis)? != *instant {
                return None;
            }
            Arc::new(TimestampMillisecondArray::from(vec![millis]).with_timezone_opt(zone.clone()))
        }
        _ => return None,
    };
    Some(Scalar::new(array))
}
