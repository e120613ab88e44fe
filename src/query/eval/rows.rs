//! Rows that an expression is evaluated over: anything that has a value in each column of a set.

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow_select::concat::concat;

use super::EvalError;
use super::column::ColumnarValue;
use crate::odata::value::Value;

/// Rows by their columns.
pub trait Rows {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// Whether there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values in the column of that index of the set; null where it is not there.
    ///
    /// # Errors
    /// When the column outgrows what can be addressed.
    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError>;
}

/// One row without columns: constants have their values here.
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

/// A list that holds every column of its set.
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

/// Each distinct value of one column as a row, and null behind them.
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
