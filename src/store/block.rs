//! A block of cells: the answer to one chunk, joined to ids.
//!
//! A block describes itself: columns are named by the upstream's ids and hold ids, so that it means the same after a restart
//! or when the catalogue has been read anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::catalogue::dimension::is_unknown;
use crate::catalogue::id::{DimensionId, MeasureId, PeriodId};
use crate::clock::start_of_day;
use crate::store::key::CellKey;

/// Name of the column of period ids.
pub const PERIOD_COLUMN: &str = "period";

/// A state of a table: the day that the upstream says it was updated, and a counter that grows when a re-read finds changes.
///
/// The counter is the seconds from the start of that day until the changes were found: it grows without being written down, so
/// that no crash can have the same revision stand for two states.
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
    /// When a figure of each period was last seen to change.
    pub updated: BTreeMap<PeriodId, DateTime<Utc>>,
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

    /// The rows and measures of the key, out of a block that covers it.
    ///
    /// # Errors
    /// When the columns are not those of a block.
    pub fn restricted(self: &Arc<Self>, key: &CellKey) -> Result<Arc<Self>, ArrowError> {
        let mut keep = vec![true; self.row_count()];
        let periods: BTreeSet<&str> = key.periods.iter().map(PeriodId::as_str).collect();
        mark(&mut keep, self.periods(), &periods);
        for (dimension, members) in &key.members {
            let members: BTreeSet<&str> = members.iter().map(|member| member.as_str()).collect();
            mark(&mut keep, self.members(dimension), &members);
        }
        if keep.iter().all(|&keep| keep) {
            return Ok(Arc::clone(self));
        }
        let cells = filter_record_batch(&self.cells, &BooleanArray::from(keep))?;
        Ok(Arc::new(Self { cells, updated: self.updated.clone(), ..**self }))
    }

    /// Whether there may be rows under labels that no member has.
    #[must_use]
    pub fn holds_unknown(&self) -> bool {
        let ids = self.cells.columns().iter().filter_map(|column| column.as_dictionary_opt::<Int32Type>());
        let values = ids.filter_map(|ids| ids.values().as_string_opt::<i32>());
        values.into_iter().any(|values| values.iter().flatten().any(is_unknown))
    }

    /// One block out of several that were fetched apart.
    ///
    /// # Errors
    /// When there is none, or their columns differ.
    pub fn joined(blocks: &[Arc<Self>]) -> Result<Self, ArrowError> {
        let first = blocks.first().ok_or_else(|| ArrowError::InvalidArgumentError("no blocks".to_owned()))?;
        let cells = concat_batches(&first.cells.schema(), blocks.iter().map(|block| &block.cells))?;
        let updated = blocks.iter().flat_map(|block| block.updated.clone()).collect();
        let fetched_at = blocks.iter().map(|block| block.fetched_at).min().unwrap_or(first.fetched_at);
        Ok(Self { cells, revision: first.revision, fetched_at, updated })
    }

    /// The ids in the column of that name.
    pub(super) fn ids(&self, name: &str) -> Option<&DictionaryArray<Int32Type>> {
        self.cells.column_by_name(name)?.as_dictionary_opt::<Int32Type>()
    }

    /// Bytes that the block holds in memory. Columns that were read from one file share its buffer: each counts its own part.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let bytes = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or_default();
        self.cells.columns().iter().map(bytes).sum()
    }
}

impl Revision {
    /// The revision that begins when the upstream names that day.
    #[must_use]
    pub fn of(update_latest: Option<NaiveDate>) -> Self {
        Self { update_latest, counter: 0 }
    }

    /// The revision that begins when a re-read finds changes though the upstream named no new day.
    #[must_use]
    pub fn next(self, now: DateTime<Utc>) -> Self {
        let seconds = u32::try_from((now - self.counted_from()).num_seconds()).unwrap_or_default();
        Self { counter: seconds.max(self.counter.saturating_add(1)), ..self }
    }

    /// The moment that the revision stands for: the start of the upstream's day if it named one, or when changes were found.
    #[must_use]
    pub fn instant(self) -> Option<DateTime<Utc>> {
        let begins = self.counted_from() + TimeDelta::seconds(self.counter.into());
        (self.counter > 0 || self.update_latest.is_some()).then_some(begins)
    }

    fn counted_from(self) -> DateTime<Utc> {
        self.update_latest.map_or(DateTime::UNIX_EPOCH, start_of_day)
    }
}

/// Unmarks the rows whose id is not among the wanted ones; a column that is missing unmarks all. Labels that no member has come
/// along with all members of a hierarchy or a level: they stay unless known ones go.
fn mark(keep: &mut [bool], column: Option<&DictionaryArray<Int32Type>>, wanted: &BTreeSet<&str>) {
    let Some((column, values)) =
        column.and_then(|column| Some((column, column.values().as_string_opt::<i32>()?)))
    else {
        keep.fill(false);
        return;
    };
    let ids = || values.iter().flatten();
    let narrowed = ids().any(|id| !is_unknown(id) && !wanted.contains(id));
    let wanted: Vec<bool> = ids().map(|id| wanted.contains(id) || is_unknown(id) && !narrowed).collect();
    if wanted.iter().all(|&wanted| wanted) {
        return;
    }
    for (row, keep) in keep.iter_mut().enumerate() {
        *keep &= column.key(row).is_some_and(|key| wanted.get(key).copied().unwrap_or_default());
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
