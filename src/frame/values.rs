//! Rows of a batch, read by the columns of their set.

use arrow_array::{ArrayRef, RecordBatch};

use super::error::FrameError;
use crate::feed::arrays::primitive_type;
use crate::odata::value::Value;
use crate::query::BoundExpr;
use crate::query::eval::{ColumnarValue, EvalError, Rows, evaluate};

/// Rows of a batch, read by the columns of their set.
#[derive(Debug, Clone, Copy)]
pub struct RowValues<'a> {
    batch: &'a RecordBatch,
    columns: &'a [Option<usize>],
}

impl<'a> RowValues<'a> {
    /// The batch's rows; `columns` has for each column of the set its index in the batch, if it is there.
    ///
    /// # Errors
    /// When a column has an unsupported type.
    pub fn new(batch: &'a RecordBatch, columns: &'a [Option<usize>]) -> Result<Self, FrameError> {
        for &column in columns.iter().flatten() {
            let Some(field) = batch.schema_ref().fields().get(column) else {
                return Err(FrameError::MissingColumn { column });
            };
            if primitive_type(field.data_type()).is_none() {
                let (column, found) = (field.name().clone(), field.data_type().clone());
                return Err(FrameError::UnreadableColumn { column, found });
            }
        }
        Ok(Self { batch, columns })
    }

    /// The array behind a column of the set.
    ///
    /// # Errors
    /// When the batch does not have the column.
    pub fn array(&self, column: usize) -> Result<&'a ArrayRef, FrameError> {
        let index = self.columns.get(column).copied().flatten();
        index.and_then(|index| self.batch.columns().get(index)).ok_or(FrameError::MissingColumn { column })
    }

    /// The values of an expression for the rows.
    ///
    /// # Errors
    /// When the expression has no value for a row, or reads a column that the batch does not have.
    pub fn evaluate(&self, expr: &BoundExpr) -> Result<ColumnarValue, FrameError> {
        expr.columns().into_iter().try_for_each(|column| self.array(column).map(|_| ()))?;
        Ok(evaluate(expr, self)?)
    }
}

impl Rows for RowValues<'_> {
    fn len(&self) -> usize {
        self.batch.num_rows()
    }

    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError> {
        Ok(self
            .array(column)
            .map_or(ColumnarValue::Scalar(Value::Null), |array| ColumnarValue::Array(array.clone())))
    }
}
