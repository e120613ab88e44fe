//! What a query does to rows, in the order of the standard: filter, count, sort, window.

use arrow_array::RecordBatch;
use arrow_select::take::take_record_batch;

use super::cells::Cells;
use super::error::FrameError;
use super::{filter, order, page};
use crate::feed::Set;
use crate::query::BoundQuery;

/// The rows of an answer, every column of the frame still there.
#[derive(Debug, Clone)]
pub struct Answered {
    pub rows: RecordBatch,
    /// How many rows match, whatever the window.
    pub count: u64,
}

/// Applies the query to all rows of its set, which stand in the set's own order. `columns` says for each column of the set which
/// of the batch it is.
///
/// # Errors
/// When an expression has no value for a row, or reads a column that the batch does not have.
pub fn apply(
    batch: &RecordBatch,
    columns: &[Option<usize>],
    set: &Set,
    query: &BoundQuery,
) -> Result<Answered, FrameError> {
    let matching = match query.condition(set) {
        Some(condition) => filter::filter(batch, columns, &condition)?,
        None => batch.clone(),
    };
    let count = matching.num_rows() as u64;
    let sorted = if query.order.is_empty() { matching } else { sorted(&matching, columns, query)? };
    Ok(Answered { rows: page::page(&sorted, query.skip, query.top), count })
}

/// The matching rows in the order asked for, as far as the window reaches.
fn sorted(
    matching: &RecordBatch,
    columns: &[Option<usize>],
    query: &BoundQuery,
) -> Result<RecordBatch, FrameError> {
    let end = query.top.map(|top| usize::try_from(query.skip.saturating_add(top)).unwrap_or(usize::MAX));
    let places = order::order(Cells::new(matching, columns)?, &query.order, end)?;
    Ok(take_record_batch(matching, &places)?)
}
