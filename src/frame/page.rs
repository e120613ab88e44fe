//! `$skip` and `$top`: a window on the rows.

use arrow_array::RecordBatch;

/// The rows of the window; what lies beyond the end is not there, and no error.
#[must_use]
pub fn page(batch: &RecordBatch, skip: u64, top: Option<u64>) -> RecordBatch {
    let rows = batch.num_rows();
    let start = usize::try_from(skip).map_or(rows, |skip| skip.min(rows));
    let length =
        top.and_then(|top| usize::try_from(top).ok()).map_or(rows - start, |top| top.min(rows - start));
    batch.slice(start, length)
}
