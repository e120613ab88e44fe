//! Frames: the rows of an answer as columns, assembled from blocks of cells, filtered, sorted and cut. Pure.

pub mod aggregate;
pub mod assemble;
mod batch;
mod compute;
pub mod error;
pub mod filter;
pub mod merge;
pub mod order;
pub mod sort_key;
mod unknown_labels;
pub mod values;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;

use crate::budget::answers::Held;
use crate::budget::work;
use crate::catalogue::figures;
use crate::feed::arrays::value_at;
use crate::frame::batch::with_columns;
use crate::frame::error::FrameError;
use crate::frame::order::Part;
use crate::frame::sort_key::SortKeys;
use crate::frame::values::RowValues;
use crate::odata::value::Value;
use crate::query::{BoundExpr, OrderKey};

/// Rows of a set: the needed columns and the columns of the sort key.
#[derive(Debug, Clone)]
pub struct Frame {
    pub batch: RecordBatch,
    /// For each column of the set the index of its column in the batch, if it is there.
    pub columns: Vec<Option<usize>>,
    /// The columns of the batch with the sort key.
    pub sort_key: Range<usize>,
    /// The memory of the rows, in the budget of answers.
    pub held: Vec<Held>,
}

impl Frame {
    /// The column of the batch for a column of the set.
    #[must_use]
    pub fn position(&self, column: usize) -> Option<usize> {
        self.columns.get(column).copied().flatten()
    }

    /// The text in a column of the set.
    #[must_use]
    pub fn text_at(&self, column: usize, row: usize) -> Option<Arc<str>> {
        let array = self.batch.column(self.position(column)?);
        if let Value::String(text) = value_at(array, row) { Some(text) } else { None }
    }

    /// The sort keys of the rows.
    #[must_use]
    pub fn sort_keys(&self) -> SortKeys<'_> {
        SortKeys::of(&self.batch, self.sort_key.clone())
    }

    /// The rows of a list, with their number as sort key.
    ///
    /// # Errors
    /// When there are too many rows for a number of 32 bits.
    pub fn of_list(batch: &RecordBatch) -> Result<Self, FrameError> {
        Self::numbered(batch, (0..batch.num_columns()).map(Some).collect(), Vec::new())
    }

    /// Rows whose sort key is their number.
    fn numbered(
        batch: &RecordBatch,
        columns: Vec<Option<usize>>,
        held: Vec<Held>,
    ) -> Result<Self, FrameError> {
        let rows = batch.num_rows();
        let end = u32::try_from(rows).map_err(|_| FrameError::TooManyRows { rows })?;
        let numbers: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..end));
        let sort_key = batch.num_columns()..batch.num_columns() + 1;
        Ok(Self { batch: with_columns(batch, [("row".to_owned(), numbers)])?, columns, sort_key, held })
    }

    /// The memory of the rows in bytes. Of a slice only its own rows are counted, not those of the frame that it is cut from.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        batch::bytes(&self.batch)
    }

    /// These rows, in this order.
    ///
    /// # Errors
    /// When a row does not exist.
    pub fn take(&self, rows: &[u32]) -> Result<Self, FrameError> {
        let share = (rows.len() as f64 / self.row_count().max(1) as f64).min(1.0);
        // An estimate until they are taken: rows may have texts of different lengths.
        let held = work::hold((self.bytes() as f64 * share) as u64)?;
        let batch = take_record_batch(&self.batch, &UInt32Array::from(rows.to_vec()))?;
        held.resize(batch::allocated(&batch));
        Ok(self.with_batch(batch, vec![held]))
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
        let kept = mask.nulls().map_or_else(|| mask.values().clone(), |known| mask.values() & known.inner());
        self.take(&kept.set_indices_u32().collect::<Vec<_>>())
    }

    /// For how many rows the condition is true.
    ///
    /// # Errors
    /// When the condition has no value for a row.
    pub fn count(&self, condition: &BoundExpr) -> Result<u64, FrameError> {
        Ok(filter::mask(RowValues::new(&self.batch, &self.columns)?, condition)?.true_count() as u64)
    }

    /// The rows in an order, those at the wanted places of it; equal ones keep their order.
    ///
    /// # Errors
    /// When an order term has no value for a row.
    pub fn order(&self, keys: &[OrderKey], wanted: Range<usize>) -> Result<Self, FrameError> {
        self.part_of_order(keys, Part::Run(wanted))
    }

    /// The first rows of an order, in their earlier order. Of equal rows the earlier ones are taken.
    ///
    /// # Errors
    /// When an order term has no value for a row.
    pub fn first(&self, keys: &[OrderKey], count: usize) -> Result<Self, FrameError> {
        self.part_of_order(keys, Part::First(count))
    }

    fn part_of_order(&self, keys: &[OrderKey], part: Part) -> Result<Self, FrameError> {
        let _working = work::hold(self.bytes())?;
        let rows = order::order(RowValues::new(&self.batch, &self.columns)?, keys, part)?;
        self.take(rows.values())
    }

    /// A run of rows.
    #[must_use]
    pub fn slice(&self, first: usize, count: usize) -> Self {
        self.with_batch(self.batch.slice(first, count), self.held.clone())
    }

    /// One frame from several with the same columns; `None` from none.
    ///
    /// # Errors
    /// When their columns differ.
    pub fn joined(frames: &[Self]) -> Result<Option<Self>, FrameError> {
        let Some(first) = frames.first() else { return Ok(None) };
        if let [only] = frames {
            return Ok(Some(only.clone()));
        }
        let are_alike = frames.iter().all(|frame| frame.batch.schema_ref() == first.batch.schema_ref());
        // Figures that are widened take twice as much before they are joined, and again afterwards.
        let widened = |frame: &Self| if are_alike { 0 } else { 3 * batch::bytes_of_figures(&frame.batch) };
        let held = work::hold(frames.iter().map(|frame| frame.bytes() + widened(frame)).sum())?;
        let batches: Vec<&RecordBatch> = frames.iter().map(|frame| &frame.batch).collect();
        let batch = match are_alike {
            true => concat_batches(&first.batch.schema(), batches)?,
            false => {
                let batches = figures::alike_batches(&batches)?;
                let schema = batches.first().map_or_else(|| first.batch.schema(), RecordBatch::schema);
                concat_batches(&schema, &batches)?
            }
        };
        held.resize(batch::allocated(&batch));
        Ok(Some(first.with_batch(batch, vec![held])))
    }

    /// The rows without their sort key, where their places in the set are of no more interest.
    ///
    /// # Errors
    /// Never: the sort key has columns of the batch.
    pub fn without_sort_key(self) -> Result<Self, FrameError> {
        let is_key = |column: &usize| self.sort_key.contains(column);
        let kept: Vec<usize> = (0..self.batch.num_columns()).filter(|column| !is_key(column)).collect();
        let place = |column: usize| kept.binary_search(&column).ok();
        let columns = self.columns.iter().map(|column| column.and_then(place)).collect();
        Ok(Self { batch: self.batch.project(&kept)?, columns, sort_key: 0..0, held: self.held })
    }

    /// Other rows in the same columns.
    fn with_batch(&self, batch: RecordBatch, held: Vec<Held>) -> Self {
        Self { batch, columns: self.columns.clone(), sort_key: self.sort_key.clone(), held }
    }

    /// The rows in the order of their set.
    ///
    /// # Errors
    /// When the rows are too many to be put in order.
    pub fn in_place(self) -> Result<Self, FrameError> {
        match self.sort_keys().sorted() {
            Some(rows) => self.take(&rows),
            None => Ok(self),
        }
    }

    /// In sorted rows, the first whose sort key is at least `sort_key`.
    #[must_use]
    pub fn first_at(&self, sort_key: &[u32]) -> usize {
        let keys = self.sort_keys();
        let (mut low, mut high) = (0, self.row_count());
        while low < high {
            let middle = usize::midpoint(low, high);
            if keys.compare_to(middle, sort_key).is_lt() { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Whether the first row has that sort key.
    #[must_use]
    pub fn begins_with(&self, sort_key: &[u32]) -> bool {
        self.row_count() > 0 && self.sort_keys().compare_to(0, sort_key).is_eq()
    }

    /// How many rows there are.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.batch.num_rows()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use super::*;
    use crate::budget::Budget;
    use crate::budget::answers::AnswerMemory;
    use crate::budget::work::{PROCESSOR_TIME, Workers};
    use crate::frame::batch::batch;

    /// A thousand rows of short texts, and behind them one of a thousand characters.
    fn frame() -> Frame {
        let texts = (0..1000).map(|_| "kort".to_owned()).chain(["lang".repeat(250)]);
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        Frame::of_list(&batch([("tekst".to_owned(), texts)], 1001).unwrap()).unwrap()
    }

    #[test]
    fn a_slice_has_the_bytes_of_its_own_rows() {
        let whole = frame();
        // An offset and a number of four bytes each for a row, and the texts.
        assert_eq!(whole.bytes(), 1001 * 8 + 4 + 5000);
        assert_eq!(whole.slice(10, 5).bytes(), 5 * 8 + 4 + 20);
        assert_eq!(whole.slice(0, 0).bytes(), 4);
    }

    #[test]
    fn figures_of_both_widths_are_joined() {
        let of = |figures: Vec<Option<i128>>| {
            let figures = figures::narrowed(&figures::column(figures));
            let rows = figures.len();
            Frame::of_list(&batch([("antal".to_owned(), figures)], rows).unwrap()).unwrap()
        };
        let one = 10_i128.pow(18);
        let parts = [of(vec![Some(5 * one), None]), of(vec![Some(one / 2)]), of(vec![Some(one + 1)])];
        let joined = Frame::joined(&parts).unwrap().unwrap();
        let figures: Vec<_> = (0..4).map(|row| value_at(joined.batch.column(0), row).as_decimal()).collect();
        let expected = ["5", "", "0.5", "1.000000000000000001"].map(|figure| figure.parse().ok());
        assert_eq!(figures, expected);
    }

    #[tokio::test]
    async fn joining_holds_figures_of_both_widths_as_they_are_and_widened_twice_and_texts_once() {
        let of = |figure: i128| {
            let figures = figures::narrowed(&figures::column(vec![Some(figure); 100]));
            let texts: ArrayRef = Arc::new(StringArray::from_iter_values(vec!["lang".repeat(250); 100]));
            Frame::of_list(&batch([("antal".to_owned(), figures), ("tekst".to_owned(), texts)], 100).unwrap())
                .unwrap()
        };
        let parts = [of(5 * 10_i128.pow(18)), of(10_i128.pow(18) + 1)];
        // Eight bytes of a narrow figure, sixteen of a wide one; numbers of rows and offsets have four each.
        let needed = 4 * 100 * (8 + 16) + 2 * (100 * (4 + 4 + 1000) + 4);
        for (limit, fits) in [(needed, true), (needed - 1, false)] {
            let (parts, memory) = (parts.clone(), Arc::new(AnswerMemory::new(limit)));
            let workers = Workers::start(PROCESSOR_TIME, Arc::clone(&memory)).unwrap();
            let joined = workers.run(&workers.work(), async move { Frame::joined(&parts) }).await.unwrap();
            assert_eq!((joined.is_ok(), memory.refusals()), (fits, u64::from(!fits)), "{limit}");
        }
    }

    #[tokio::test]
    async fn what_is_held_for_chosen_and_joined_rows_is_what_they_take() {
        let memory = Arc::new(AnswerMemory::new(1_000_000));
        let workers = Workers::start(PROCESSOR_TIME, Arc::clone(&memory)).unwrap();
        let held = move || Budget::used(&*memory);
        let answer = async move {
            let whole = frame();
            let long = whole.take(&[1000]).unwrap();
            let of_long = held();
            assert_eq!((long.bytes(), of_long), (8 + 4 + 1000, batch::allocated(&long.batch)));
            let joined = Frame::joined(&[whole.slice(0, 2), long.clone()]).unwrap().unwrap();
            let of_joined = batch::allocated(&joined.batch);
            assert_eq!((joined.bytes(), held()), (3 * 8 + 4 + 1008, of_long + of_joined));
        };
        workers.run(&workers.work(), answer).await.expect("nothing panics");
    }
}
