//! Sort keys: the position of a row on each axis. The parts are the period (the newest first), the members in the upstream's order, the
//! number of unknown labels and, in the long form, the measure. Each is a column of the frame. A sort key also identifies its row, so
//! that pages can start at it.

use std::cmp::Ordering;
use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;

/// The sort keys of a frame's rows, by column; the first column is the most significant.
#[derive(Debug, Clone)]
pub struct SortKeys<'a>(Vec<&'a [u32]>);

impl<'a> SortKeys<'a> {
    pub(super) fn of(batch: &'a RecordBatch, columns: Range<usize>) -> Self {
        let columns = batch.columns().get(columns).unwrap_or_default().iter();
        let positions = columns.filter_map(|column| column.as_primitive_opt::<UInt32Type>());
        Self::new(positions.map(|positions| &positions.values()[..]).collect())
    }

    /// Sort keys of which these are the parts, for each the positions of all rows.
    #[must_use]
    pub fn new(parts: Vec<&'a [u32]>) -> Self {
        Self(parts)
    }

    /// Compares a row to a sort key.
    #[must_use]
    pub fn compare_to(&self, row: usize, sort_key: &[u32]) -> Ordering {
        self.0.iter().map(|column| column[row]).cmp(sort_key.iter().copied())
    }

    /// The sort key of a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Vec<u32> {
        self.0.iter().map(|column| column[row]).collect()
    }

    fn compare(&self, a: u32, b: u32) -> Ordering {
        let (a, b) = (a as usize, b as usize);
        self.0.iter().fold(Ordering::Equal, |before, column| before.then_with(|| column[a].cmp(&column[b])))
    }

    /// Whether the rows are in order. Mostly they are, and few columns of a row say so.
    fn are_sorted(&self) -> bool {
        let rows = self.0.first().map_or(0, |column| column.len());
        let is_in_order = |row: usize| {
            let unlike = self.0.iter().find(|column| column[row - 1] != column[row]);
            unlike.is_none_or(|column| column[row - 1] < column[row])
        };
        (1..rows).all(is_in_order)
    }

    /// For each row one number with the order of its key; `None` if 64 bits do not hold all.
    fn numbers(&self) -> Option<Vec<u64>> {
        let mut numbers = vec![0; self.0.first()?.len()];
        let mut count = 1_u64;
        for column in &self.0 {
            let places = u64::from(*column.iter().max()?) + 1;
            count = count.checked_mul(places)?;
            numbers
                .iter_mut()
                .zip(*column)
                .for_each(|(number, &at)| *number = *number * places + u64::from(at));
        }
        Some(numbers)
    }

    /// The row numbers in order, equal ones as they were; `None` if the rows are sorted already.
    #[must_use]
    pub fn sorted(&self) -> Option<Vec<u32>> {
        if self.are_sorted() {
            return None;
        }
        let mut rows: Vec<u32> = (0..).take(self.0.first().map_or(0, |column| column.len())).collect();
        match self.numbers() {
            Some(numbers) => rows.sort_by_key(|&row| numbers[row as usize]),
            None => rows.sort_by(|&a, &b| self.compare(a, b)),
        }
        Some(rows)
    }
}
