//! `$filter` over a batch: conditions become masks that are true, false or unknown.

use arrow_array::BooleanArray;

use super::error::FrameError;
use super::values::RowValues;
use crate::query::BoundExpr;
use crate::query::eval::Rows as _;

/// For each row whether the condition is true, false or, as null, unknown.
///
/// # Errors
/// When the condition has no value for a row, or reads a column that the batch does not have.
pub fn mask(rows: RowValues<'_>, condition: &BoundExpr) -> Result<BooleanArray, FrameError> {
    Ok(rows.evaluate(condition)?.truths(rows.len())?)
}
