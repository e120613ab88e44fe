//! A block of cells: the upstream's answer to one chunk, with ids in place of labels.
//!
//! A block is self-contained: its columns are named by the upstream's ids and contain ids, so that it stays valid after a restart
//! and when the catalogue was read again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, RecordBatch, UInt32Array,
};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{ArrowError, DataType};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use chrono::{DateTime, NaiveDate, SubsecRound, TimeDelta, Utc};
use thiserror::Error;

use crate::catalogue::dimension::{TOTAL_ID, is_unknown};
use crate::catalogue::figures::{narrowed, widened, with_figures};
use crate::catalogue::id::{DimensionId, MeasureId, MemberId, PeriodId};
use crate::clock::start_of_day;
use crate::store::key::CellKey;
use crate::store::period_runs::PeriodRuns;

/// Name of the column of period ids.
pub const PERIOD_COLUMN: &str = "period";

/// A state of a table: its update date and, if figures changed on a later read although the date did not, the instant at which the
/// first changed figure was read.
///
/// It depends only on what was read, not on the process: services that read the same figures have the same revision. Of two
/// revisions of one day the one with the later instant is newer. As text it is the day, a full stop and the instant in
/// milliseconds; a missing part is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    pub update_latest: Option<NaiveDate>,
    /// To the millisecond.
    pub changed_at: Option<DateTime<Utc>>,
}

/// A text that is not that of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a revision; expected a day, a full stop and milliseconds")]
pub struct RevisionError;

/// Figures of one chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct CellBlock {
    /// Columns: `period` and one per named dimension (dictionaries of ids), then one per measure (decimals of 64 bits, or of
    /// 128 where one does not fit).
    pub cells: RecordBatch,
    pub revision: Revision,
    pub fetched_at: DateTime<Utc>,
    /// For each period when a change of one of its figures was last seen.
    pub updated: Arc<BTreeMap<PeriodId, DateTime<Utc>>>,
    period_runs: PeriodRuns,
}

impl CellBlock {
    /// A block of these cells.
    #[must_use]
    pub fn new(
        cells: RecordBatch,
        revision: Revision,
        fetched_at: DateTime<Utc>,
        updated: BTreeMap<PeriodId, DateTime<Utc>>,
    ) -> Self {
        Self { cells, revision, fetched_at, updated: Arc::new(updated), period_runs: PeriodRuns::default() }
    }

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

    /// The figures of a measure in units of 10⁻¹⁸, row by row; nulls are figures that are not published.
    #[must_use]
    pub fn figures(&self, measure: &MeasureId) -> Option<Decimal128Array> {
        self.figures_of(measure.as_str())
    }

    /// The figures of a measure as they are stored, in a column of either width.
    #[must_use]
    pub fn stored_figures(&self, measure: &MeasureId) -> Option<&ArrayRef> {
        self.cells.column_by_name(measure.as_str())
    }

    pub(super) fn figures_of(&self, measure: &str) -> Option<Decimal128Array> {
        widened(self.cells.column_by_name(measure)?)
    }

    /// The same block with its figures in the smallest columns that hold them.
    ///
    /// # Errors
    /// When the columns are not those of a block.
    pub fn narrowed(mut self) -> Result<Self, ArrowError> {
        let narrow = |column: &ArrayRef| Some(narrowed(column.as_primitive_opt::<Decimal128Type>()?));
        self.cells = with_figures(&self.cells, narrow)?;
        Ok(self)
    }

    /// The block with these rows only, in this order.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn with_rows(&self, rows: &UInt32Array) -> Result<Self, ArrowError> {
        Ok(self.with_cells(take_record_batch(&self.cells, rows)?))
    }

    /// The rows of the key, out of a block that holds some of it. A dimension that either does not name stands at its total there.
    ///
    /// # Errors
    /// When the record batch does not have the columns of a block.
    pub fn restricted(self: &Arc<Self>, key: &CellKey) -> Result<Arc<Self>, ArrowError> {
        self.of_periods(&key.periods, |_| true)?.of_members(&key.members)
    }

    /// The rows of these periods; where they are not all, with the figures of wanted measures alone.
    ///
    /// # Errors
    /// As [`Self::restricted`].
    pub fn of_periods(
        self: &Arc<Self>,
        periods: &BTreeSet<PeriodId>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Arc<Self>, ArrowError> {
        let (rows, are_all_wanted) = self.rows_around(periods);
        let part = match rows.len() == self.row_count() {
            true => Arc::clone(self),
            false => {
                let wanted = self.with_measures(is_wanted)?;
                Arc::new(self.with_cells(wanted.slice(rows.start, rows.len())))
            }
        };
        match are_all_wanted {
            true => Ok(part),
            false => part.with_kept(kept(part.periods(), |id| periods.contains(id), part.row_count())),
        }
    }

    /// The rows of these members.
    ///
    /// # Errors
    /// As [`Self::restricted`].
    pub fn of_members(
        self: &Arc<Self>,
        members: &BTreeMap<DimensionId, BTreeSet<MemberId>>,
    ) -> Result<Arc<Self>, ArrowError> {
        let rows = self.row_count();
        let named = members
            .iter()
            .map(|(dimension, members)| kept(self.members(dimension), |id| members.contains(id), rows));
        let others = self.id_columns().into_iter().skip(1).filter(|name| !members.contains_key(*name));
        let others = others.map(|name| kept(self.ids(name), |id| id == TOTAL_ID, rows));
        let kept = named.chain(others).flatten();
        self.with_kept(kept.reduce(|one, other| &one & &other))
    }

    /// These rows; all of them for `None`.
    fn with_kept(self: &Arc<Self>, kept: Option<BooleanBuffer>) -> Result<Arc<Self>, ArrowError> {
        let Some(kept) = kept.filter(|kept| kept.count_set_bits() < self.row_count()) else {
            return Ok(Arc::clone(self));
        };
        Ok(Arc::new(self.with_cells(filter_record_batch(&self.cells, &BooleanArray::from(kept))?)))
    }

    /// All rows, with the figures of wanted measures alone: taking a part of a column counts the nulls in it.
    fn with_measures(&self, is_wanted: impl Fn(&str) -> bool) -> Result<RecordBatch, ArrowError> {
        let fields = self.cells.schema_ref().fields();
        let is_kept = |at: &usize| {
            matches!(fields[*at].data_type(), DataType::Dictionary(..)) || is_wanted(fields[*at].name())
        };
        let kept: Vec<usize> = (0..fields.len()).filter(is_kept).collect();
        if kept.len() == fields.len() { Ok(self.cells.clone()) } else { self.cells.project(&kept) }
    }

    /// The rows from the first of these periods to the last, and whether no others are between. Rows of blocks that this version writes are
    /// in the order of their periods; earlier ones are taken whole.
    fn rows_around(&self, periods: &BTreeSet<PeriodId>) -> (Range<usize>, bool) {
        let ids = self.periods().and_then(|ids| Some((ids, ids.values().as_string_opt::<i32>()?)));
        let Some((runs, values)) = ids.and_then(|(ids, values)| Some((self.period_runs.of(ids)?, values)))
        else {
            return (0..self.row_count(), false);
        };
        let wanted = values.iter().zip(runs).filter(|(id, _)| id.is_some_and(|id| periods.contains(id)));
        let wanted = || wanted.clone().map(|(_, rows)| rows).filter(|rows| rows.start < rows.end);
        let first = wanted().map(|rows| rows.start).min().unwrap_or_default();
        let around = first..wanted().map(|rows| rows.end).max().unwrap_or(first);
        let are_all_wanted = wanted().map(|rows| rows.len()).sum::<usize>() == around.len();
        (around, are_all_wanted)
    }

    /// The same block with other rows.
    #[must_use]
    pub fn with_cells(&self, cells: RecordBatch) -> Self {
        Self { cells, updated: Arc::clone(&self.updated), period_runs: PeriodRuns::default(), ..*self }
    }

    /// Whether there are rows with unknown labels.
    #[must_use]
    pub fn holds_unknown(&self) -> bool {
        let ids = self.cells.columns().iter().filter_map(|column| column.as_dictionary_opt::<Int32Type>());
        let values = ids.filter_map(|ids| ids.values().as_string_opt::<i32>());
        values.into_iter().any(|values| values.iter().flatten().any(is_unknown))
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
    /// The first revision of that update date.
    #[must_use]
    pub fn of(update_latest: Option<NaiveDate>) -> Self {
        Self { update_latest, changed_at: None }
    }

    /// The revision that begins when a figure that was read at that instant differs though the upstream named no new day. It is
    /// newer than this one also where the clock was set back in between.
    #[must_use]
    pub fn next(self, read_at: DateTime<Utc>) -> Self {
        let read_at = read_at.trunc_subsecs(3);
        let after = self.changed_at.map(|before| before + TimeDelta::milliseconds(1));
        Self { changed_at: after.max(Some(read_at)), ..self }
    }

    /// The moment that the revision stands for: when changes were found, else the start of the upstream's day if it named one.
    #[must_use]
    pub fn instant(self) -> Option<DateTime<Utc>> {
        self.changed_at.or_else(|| self.update_latest.map(start_of_day))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(day) = self.update_latest {
            write!(f, "{day}")?;
        }
        f.write_str(".")?;
        self.changed_at.map_or(Ok(()), |at| write!(f, "{}", at.timestamp_millis()))
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let (day, instant) = text.split_once('.').ok_or(RevisionError)?;
        let update_latest = match day {
            "" => None,
            day => Some(day.parse().map_err(|_| RevisionError)?),
        };
        let instant_of = |millis| DateTime::from_timestamp_millis(millis).ok_or(RevisionError);
        let changed_at = match instant {
            "" => None,
            millis => Some(instant_of(millis.parse().map_err(|_| RevisionError)?)?),
        };
        let revision = Self { update_latest, changed_at };
        // Each revision has exactly one text; any other spelling is refused.
        if revision.to_string() == text { Ok(revision) } else { Err(RevisionError) }
    }
}

/// The rows whose id is wanted; `None` if all are, and without the column all rows are at the total. Rows with unknown labels are kept unless
/// rows of known members are not, because they belong to requests for all members of a hierarchy or level.
fn kept(
    column: Option<&DictionaryArray<Int32Type>>,
    is_wanted: impl Fn(&str) -> bool,
    rows: usize,
) -> Option<BooleanBuffer> {
    let Some((column, values)) =
        column.and_then(|column| Some((column, column.values().as_string_opt::<i32>()?)))
    else {
        return (!is_wanted(TOTAL_ID)).then(|| BooleanBuffer::new_unset(rows));
    };
    let ids = || values.iter().flatten();
    let narrowed = ids().any(|id| !is_unknown(id) && !is_wanted(id));
    let wanted: Vec<bool> = ids().map(|id| is_wanted(id) || is_unknown(id) && !narrowed).collect();
    if wanted.iter().all(|&wanted| wanted) {
        return None;
    }
    // Ids are never null.
    let keys = column.keys().values();
    let is_kept = |row: usize| wanted.get(keys[row] as usize).copied().unwrap_or_default();
    Some(BooleanBuffer::collect_bool(rows, is_kept))
}

/// The text of a row of a dictionary column.
#[must_use]
pub fn text_at(column: &DictionaryArray<Int32Type>, row: usize) -> Option<&str> {
    let values = column.values().as_string_opt::<i32>()?;
    let key = column.key(row)?;
    (key < values.len()).then(|| values.value(key))
}

/// A shared block; blocks are never changed.
pub type SharedBlock = Arc<CellBlock>;

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(text: &str) -> Revision {
        text.parse().unwrap()
    }

    #[test]
    fn a_revision_is_read_as_it_was_written_and_nothing_else_is_one() {
        let day = "2026-08-14".parse().ok();
        let of_day = Revision::of(day);
        let changed = of_day.next("2026-09-15T07:00:00.1234567Z".parse().unwrap());
        for (revision, text) in [
            (Revision::of(None), "."),
            (of_day, "2026-08-14."),
            (changed, "2026-08-14.1789455600123"),
            (Revision { update_latest: None, ..changed }, ".1789455600123"),
        ] {
            assert_eq!((revision.to_string().as_str(), text.parse()), (text, Ok(revision)));
        }
        let texts = [
            "",
            "2026-08-14",
            "2026-8-14.",
            "x.",
            ".x",
            ".01",
            ".+1",
            "2026-08-14.1.",
            ".9223372036854775807",
            " .",
        ];
        for text in texts {
            assert_eq!(text.parse::<Revision>(), Err(RevisionError), "{text}");
        }
    }

    #[test]
    fn the_next_revision_is_newer_whatever_the_clock_says() {
        let first = revision("2026-08-14.");
        let ahead = first.next("2027-01-01T00:00:00Z".parse().unwrap());
        let back = ahead.next("2026-09-15T07:00:00Z".parse().unwrap());
        assert!(first < ahead && ahead < back, "{first} {ahead} {back}");
        assert_eq!(back.instant(), ahead.instant().map(|at| at + TimeDelta::milliseconds(1)));
        assert_eq!(first.instant(), Some("2026-08-13T22:00:00Z".parse().unwrap()), "midnight in Copenhagen");
        assert_eq!(Revision::of(None).instant(), None);
    }
}
