//! Batches out of named columns.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};

use super::error::FrameError;
use crate::catalogue::figures::is_figures;

/// A batch of these columns.
pub(super) fn batch(
    columns: impl IntoIterator<Item = (String, ArrayRef)>,
    rows: usize,
) -> Result<RecordBatch, FrameError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    with_columns(
        &RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?,
        columns,
    )
}

/// The memory that arrays which were just made take, with what they have allocated beyond their rows.
pub(super) fn allocated(batch: &RecordBatch) -> u64 {
    batch.get_array_memory_size() as u64
}

/// The memory of the rows alone. Of a slice, only its own rows count, except that dictionaries count whole.
pub(super) fn bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(bytes_of_array).sum()
}

/// The same of the columns of figures alone.
pub(super) fn bytes_of_figures(batch: &RecordBatch) -> u64 {
    batch.columns().iter().filter(|array| is_figures(array.data_type())).map(bytes_of_array).sum()
}

fn bytes_of_array(array: &ArrayRef) -> u64 {
    array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size()) as u64
}

/// The same rows with more columns at the end.
pub(super) fn with_columns(
    batch: &RecordBatch,
    more: impl IntoIterator<Item = (String, ArrayRef)>,
) -> Result<RecordBatch, FrameError> {
    let mut fields: Vec<Arc<Field>> = batch.schema_ref().fields().iter().cloned().collect();
    let mut arrays = batch.columns().to_vec();
    for (name, array) in more {
        fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
}
