//! `$compute` over a batch: one more column per computed value, behind those of the set.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, NullArray, RecordBatch,
    RecordBatchOptions, StringArray, TimestampMillisecondArray,
};
use arrow_schema::{DataType, Field, Schema};
use rust_decimal::Decimal;

use super::Frame;
use super::error::FrameError;
use super::values::RowValues;
use crate::catalogue::value::{FIGURE_SCALE, to_stored};
use crate::odata::value::{PrimitiveType, Value};
use crate::query::eval::{ColumnarValue, EvalError, Rows, Texts};
use crate::query::{BoundQuery, Computed};

impl Frame {
    /// The same rows with the computed values that the query shows. They are counted on behind the `width` columns of the set.
    ///
    /// # Errors
    /// When an expression has no value for a row.
    pub fn with_computed(&self, width: usize, query: &BoundQuery) -> Result<Self, FrameError> {
        let is_shown =
            |index: usize| query.select.as_ref().is_none_or(|shown| shown.contains(&(width + index)));
        self.with_values(width, &query.computed, is_shown)
    }

    /// The same rows with those of the values that are wanted, counted on behind `width` columns.
    pub(super) fn with_values(
        &self,
        width: usize,
        computed: &[Computed],
        is_wanted: impl Fn(usize) -> bool,
    ) -> Result<Self, FrameError> {
        let mut columns = self.columns.clone();
        columns.resize(width, None);
        let mut arrays = self.batch.columns().to_vec();
        let mut fields: Vec<Arc<Field>> = self.batch.schema_ref().fields().iter().cloned().collect();
        for (index, computed) in computed.iter().enumerate() {
            if !is_wanted(index) {
                columns.push(None);
                continue;
            }
            let cells = RowValues::new(&self.batch, &self.columns)?;
            let values = cells.evaluate(&computed.expr)?;
            let array = column(computed.expr.primitive, &values, cells.len())?;
            columns.push(Some(arrays.len()));
            fields.push(Arc::new(Field::new(&computed.name, array.data_type().clone(), true)));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.row_count()));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?;
        Ok(Self { batch, columns, sort_keys: self.sort_keys.clone() })
    }
}

/// The values as a column of the type.
fn column(
    primitive: Option<PrimitiveType>,
    values: &ColumnarValue,
    rows: usize,
) -> Result<ArrayRef, FrameError> {
    let texts = Texts::of(values);
    let truths = || values.truths(rows);
    let values = || values.values(rows);
    Ok(match primitive {
        None => Arc::new(NullArray::new(rows)),
        Some(PrimitiveType::String) => Arc::new((0..rows).map(|row| texts.get(row)).collect::<StringArray>()),
        Some(PrimitiveType::Boolean) => Arc::new(truths()?),
        Some(PrimitiveType::Decimal) => {
            let figures = values().map(|value| figure(&value)).collect::<Result<Decimal128Array, _>>()?;
            Arc::new(figures.with_data_type(DataType::Decimal128(38, 18)))
        }
        Some(PrimitiveType::Double | PrimitiveType::Single) => {
            Arc::new(values().map(|value| value.as_double()).collect::<Float64Array>())
        }
        Some(PrimitiveType::Date) => {
            let day = |value| if let Value::Date(day) = value { Some(day.to_epoch_days()) } else { None };
            Arc::new(values().map(day).collect::<Date32Array>())
        }
        Some(PrimitiveType::DateTimeOffset) => {
            let instant = |value| {
                if let Value::DateTimeOffset(at) = value { Some(at.timestamp_millis()) } else { None }
            };
            Arc::new(values().map(instant).collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        }
        Some(_) => Arc::new(values().map(|value| whole(&value)).collect::<Result<Int64Array, _>>()?),
    })
}

/// A whole number. One that outgrew its type is an error, not another number.
fn whole(value: &Value) -> Result<Option<i64>, EvalError> {
    match value {
        Value::Null => Ok(None),
        Value::Integer(number) => Ok(Some(*number)),
        _ => Err(EvalError::OutOfRange { operation: "$compute" }),
    }
}

/// A decimal as figures are stored.
fn figure(value: &Value) -> Result<Option<i128>, EvalError> {
    let out_of_range = EvalError::OutOfRange { operation: "$compute" };
    let exact = match value {
        Value::Null => return Ok(None),
        Value::Double(number) => Decimal::try_from(*number).ok(),
        number => number.as_decimal(),
    };
    exact.and_then(|number| to_stored(number.round_dp(FIGURE_SCALE))).map(Some).ok_or(out_of_range)
}
