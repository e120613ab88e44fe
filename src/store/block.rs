//! A block of cells: the answer to one chunk, joined to ids.
//!
//! A block describes itself: columns are named by the upstream's ids and hold ids, so that it means the same after a restart
//! or when the catalogue has been read anew.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type};
use arrow_array::{Array, Decimal128Array, DictionaryArray, RecordBatch};
use chrono::{DateTime, NaiveDate, Utc};

use crate::catalogue::id::{DimensionId, MeasureId};

/// Name of the column of period ids.
pub const PERIOD_COLUMN: &str = "period";

/// A state of a table: the day that the upstream says it was updated, and how often a re-read found changes since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    pub update_latest: Option<NaiveDate>,
    pub counter: u32,
}

/// Figures of one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct CellBlock {
    /// Columns: `period` and one per named dimension (dictionaries of ids), then one per measure (decimals in units of 10⁻¹⁸).
    pub cells: RecordBatch,
    pub revision: Revision,
    pub fetched_at: DateTime<Utc>,
}

impl CellBlock {
    /// How many rows the block has.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.cells.num_rows()
    }

    /// The period ids, row by row.
    #[must_use]
    pub fn periods(&self) -> Option<&DictionaryArray<Int32Type>> {
        self.ids(PERIOD_COLUMN)
    }

    /// The member ids of a dimension, row by row; `None` if the dimension is not named in the block.
    #[must_use]
    pub fn members(&self, dimension: &DimensionId) -> Option<&DictionaryArray<Int32Type>> {
        self.ids(dimension.as_str())
    }

    /// The figures of a measure, row by row; nulls are figures that are not published.
    #[must_use]
    pub fn figures(&self, measure: &MeasureId) -> Option<&Decimal128Array> {
        self.cells.column_by_name(measure.as_str())?.as_primitive_opt::<Decimal128Type>()
    }

    fn ids(&self, name: &str) -> Option<&DictionaryArray<Int32Type>> {
        self.cells.column_by_name(name)?.as_dictionary_opt::<Int32Type>()
    }

    /// Bytes that the block holds in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.cells.get_array_memory_size()
    }
}

/// The text of a row of a dictionary column.
#[must_use]
pub fn text_at(column: &DictionaryArray<Int32Type>, row: usize) -> Option<&str> {
    let values = column.values().as_string_opt::<i32>()?;
    let key = column.key(row)?;
    (key < values.len()).then(|| values.value(key))
}

/// Blocks are shared, never changed.
pub type SharedBlock = Arc<CellBlock>;
