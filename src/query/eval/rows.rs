//! The trait for rows that expressions are evaluated on, and its implementations besides frames.

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_select::concat::concat;

use super::EvalError;
use super::column::ColumnarValue;
use crate::odata::value::Value;

/// Rows with columns of a set.
pub trait Rows {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of the column with that index in the set; null if it is missing.
    ///
    /// # Errors
    /// When the column becomes too large.
    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError>;
}

/// One row without columns, for constant expressions.
#[derive(Debug, Clone, Copy)]
pub struct NoColumns;

impl Rows for NoColumns {
    fn len(&self) -> usize {
        1
    }

    fn column(&self, _column: usize) -> Result<ColumnarValue, EvalError> {
        Ok(ColumnarValue::Scalar(Value::Null))
    }
}

/// The rows of a list, with all columns of its set.
impl Rows for RecordBatch {
    fn len(&self) -> usize {
        self.num_rows()
    }

    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError> {
        let array = self.columns().get(column).cloned();
        Ok(array.map_or(ColumnarValue::Scalar(Value::Null), ColumnarValue::Array))
    }
}

/// A run of rows.
pub(super) struct Slice<'a> {
    pub(super) rows: &'a dyn Rows,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Rows for Slice<'_> {
    fn len(&self) -> usize {
        self.count
    }

    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError> {
        Ok(self.rows.column(column)?.slice(self.first, self.count))
    }
}

/// The rows that a mask selects.
pub(super) struct Selection<'a> {
    pub(super) rows: &'a dyn Rows,
    pub(super) selected: &'a BooleanArray,
}

impl Rows for Selection<'_> {
    fn len(&self) -> usize {
        self.selected.true_count()
    }

    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError> {
        self.rows.column(column)?.filter(self.selected)
    }
}

/// A row for each distinct value of one column, followed by one for null.
pub(super) struct DistinctValues {
    column: usize,
    values: ArrayRef,
}

impl DistinctValues {
    pub(super) fn new(column: usize, values: &ArrayRef) -> Result<Self, EvalError> {
        let null = new_null_array(values.data_type(), 1);
        Ok(Self { column, values: concat(&[values, &null])? })
    }
}

impl Rows for DistinctValues {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError> {
        let array = (column == self.column).then(|| self.values.clone());
        Ok(array.map_or(ColumnarValue::Scalar(Value::Null), ColumnarValue::Array))
    }
}
