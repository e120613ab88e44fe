//! Rows of an answer as columns: put together from blocks of cells, filtered, ordered, cut into pages. Pure.

pub mod aggregate;
pub mod assemble;
mod compute;
pub mod error;
pub mod filter;
pub mod merge;
pub mod order;
pub mod sort_key;
mod unknown_labels;
pub mod values;

use arrow_array::{Array, RecordBatch, UInt32Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;

use crate::frame::error::FrameError;
use crate::frame::sort_key::SortKeys;
use crate::frame::values::RowValues;
use crate::query::{BoundExpr, OrderKey};

/// Rows of a set: the columns that are needed of it, and where each row stands.
#[derive(Debug, Clone)]
pub struct Frame {
    pub batch: RecordBatch,
    /// For each column of the set the column of the batch that shows it, if it is there.
    pub columns: Vec<Option<usize>>,
    pub sort_keys: SortKeys,
}

impl Frame {
    /// The column of the batch that shows the column of the set.
    #[must_use]
    pub fn position(&self, column: usize) -> Option<usize> {
        self.columns.get(column).copied().flatten()
    }

    /// The rows of a list that the catalogue holds, placed by their number.
    #[must_use]
    pub fn of_list(batch: &RecordBatch) -> Self {
        let numbers = (0..u32::try_from(batch.num_rows()).unwrap_or(u32::MAX)).collect();
        Self {
            batch: batch.clone(),
            columns: (0..batch.num_columns()).map(Some).collect(),
            sort_keys: SortKeys { axes: vec![numbers] },
        }
    }

    /// These rows, in this order.
    ///
    /// # Errors
    /// When a row is not there.
    pub fn take(&self, rows: &[u32]) -> Result<Self, FrameError> {
        let batch = take_record_batch(&self.batch, &UInt32Array::from(rows.to_vec()))?;
        Ok(Self { batch, columns: self.columns.clone(), sort_keys: self.sort_keys.take(rows) })
    }

    /// The rows for which the condition is true.
    ///
    /// # Errors
    /// When the condition has no value for a row.
    pub fn filter(self, condition: &BoundExpr) -> Result<Self, FrameError> {
        let mask = filter::mask(RowValues::new(&self.batch, &self.columns)?, condition)?;
        if mask.true_count() == self.row_count() {
            return Ok(self);
        }
        let kept = |row: &u32| mask.is_valid(*row as usize) && mask.value(*row as usize);
        let rows: Vec<u32> = (0..u32::try_from(self.row_count()).unwrap_or(u32::MAX)).filter(kept).collect();
        self.take(&rows)
    }

    /// For how many rows the condition is true.
    ///
    /// # Errors
    /// When the condition has no value for a row.
    pub fn count(&self, condition: &BoundExpr) -> Result<u64, FrameError> {
        Ok(filter::mask(RowValues::new(&self.batch, &self.columns)?, condition)?.true_count() as u64)
    }

    /// The rows in an order; equal ones stay as they stand.
    ///
    /// # Errors
    /// When an order term has no value for a row.
    pub fn order(&self, keys: &[OrderKey]) -> Result<Self, FrameError> {
        let rows = order::order(RowValues::new(&self.batch, &self.columns)?, keys, None)?;
        self.take(rows.values())
    }

    /// A run of rows.
    #[must_use]
    pub fn slice(&self, first: usize, count: usize) -> Self {
        let sort_keys = SortKeys {
            axes: self.sort_keys.axes.iter().map(|axis| axis[first..first + count].to_vec()).collect(),
        };
        Self { batch: self.batch.slice(first, count), columns: self.columns.clone(), sort_keys }
    }

    /// One frame out of several with the same columns; `None` out of none.
    ///
    /// # Errors
    /// When their columns differ.
    pub fn joined(frames: &[Self]) -> Result<Option<Self>, FrameError> {
        let Some(first) = frames.first() else { return Ok(None) };
        let batch = concat_batches(&first.batch.schema(), frames.iter().map(|frame| &frame.batch))?;
        let mut sort_keys = SortKeys::default();
        frames.iter().for_each(|frame| sort_keys.append(&frame.sort_keys));
        Ok(Some(Self { batch, columns: first.columns.clone(), sort_keys }))
    }

    /// The rows in the order of their set.
    ///
    /// # Errors
    /// Never, while every row is there.
    pub fn in_place(self) -> Result<Self, FrameError> {
        match self.sort_keys.sorted() {
            Some(rows) => self.take(&rows),
            None => Ok(self),
        }
    }

    /// In rows that stand in order, the first at a place or behind it.
    #[must_use]
    pub fn first_at(&self, sort_key: &[u32]) -> usize {
        let (mut low, mut high) = (0, self.row_count());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.sort_keys.compare_to(middle, sort_key).is_lt() { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// In rows in any order, the one at a place.
    #[must_use]
    pub fn row_at(&self, sort_key: &[u32]) -> Option<usize> {
        (0..self.row_count()).find(|&row| self.sort_keys.compare_to(row, sort_key).is_eq())
    }

    /// How many rows there are.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.batch.num_rows()
    }
}
