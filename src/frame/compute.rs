//! `$compute` over a frame: adds a column per computed value.

use arrow_array::{Array, ArrayRef};
use rust_decimal::Decimal;

use super::Frame;
use super::batch::with_columns;
use super::error::FrameError;
use super::values::RowValues;
use crate::budget::work;
use crate::catalogue::value::{FIGURE_SCALE, to_stored};
use crate::feed::arrays;
use crate::odata::value::{PrimitiveType, Value};
use crate::query::eval::{ColumnarValue, EvalError, Rows as _};
use crate::query::{BoundQuery, Computed};

impl Frame {
    /// The rows with the computed values that the query shows, whose indexes follow the set's `width` columns.
    ///
    /// # Errors
    /// When an expression has no value for a row.
    pub fn with_computed(&self, width: usize, query: &BoundQuery) -> Result<Self, FrameError> {
        let is_shown =
            |index: usize| query.select.as_ref().is_none_or(|shown| shown.contains(&(width + index)));
        self.with_values(width, &query.computed, is_shown)
    }

    /// The rows with the wanted computed values, whose indexes follow `width` columns.
    pub(super) fn with_values(
        &self,
        width: usize,
        computed: &[Computed],
        is_wanted: impl Fn(usize) -> bool,
    ) -> Result<Self, FrameError> {
        let mut columns = self.columns.clone();
        columns.resize(width, None);
        let mut more = Vec::new();
        let rows = RowValues::new(&self.batch, &self.columns)?;
        for (index, computed) in computed.iter().enumerate() {
            if !is_wanted(index) {
                columns.push(None);
                continue;
            }
            let values = rows.evaluate(&computed.expr)?;
            if !computed.expr.writes_text() {
                work::write_text(values.text_bytes(rows.len())).map_err(EvalError::from)?;
            }
            columns.push(Some(self.batch.num_columns() + more.len()));
            more.push((computed.name.clone(), column(computed.column_type(), &values, rows.len())?));
        }
        let bytes: usize = more.iter().map(|(_, array)| array.get_array_memory_size()).sum();
        let held = self.held.iter().cloned().chain([work::hold(bytes as u64)?]).collect();
        let batch = with_columns(&self.batch, more)?;
        Ok(Self { batch, columns, sort_key: self.sort_key.clone(), held })
    }
}

/// The values as a column of the type.
fn column(primitive: PrimitiveType, values: &ColumnarValue, rows: usize) -> Result<ArrayRef, FrameError> {
    let stored = values.values(rows).map(|value| stored(primitive, value));
    Ok(arrays::array(primitive, stored.collect::<Result<Vec<_>, _>>()?))
}

/// The value as a column of the type holds it. One that outgrew its type is an error, not another number.
fn stored(primitive: PrimitiveType, value: Value) -> Result<Value, EvalError> {
    use PrimitiveType as Type;
    let out_of_range = EvalError::OutOfRange { operation: "$compute" };
    match (primitive, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Type::Int64, value @ Value::Integer(_)) => Ok(value),
        (Type::Byte | Type::SByte | Type::Int16 | Type::Int32, Value::Integer(number)) => {
            i32::try_from(number).map(|_| Value::Integer(number)).map_err(|_| out_of_range)
        }
        (Type::String | Type::Boolean | Type::Double | Type::Date | Type::DateTimeOffset, value) => Ok(value),
        (Type::Decimal, value) => {
            let exact = match value {
                Value::Double(number) => Decimal::try_from(number).ok(),
                number => number.as_decimal(),
            };
            let rounded = exact.map(|number| number.round_dp(FIGURE_SCALE));
            rounded.filter(|number| to_stored(*number).is_some()).map(Value::Decimal).ok_or(out_of_range)
        }
        _ => Err(out_of_range),
    }
}
