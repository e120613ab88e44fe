//! `$filter` over a batch. Conditions become masks that are true, false or unknown; the common ones are worked out once per
//! distinct value or by arrow's kernels, all others row by row, and every way gives the same answer.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_arith::boolean::{and_kleene, is_not_null, is_null, not, or_kleene};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, DictionaryArray, RecordBatch};
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType};
use arrow_select::filter::filter_record_batch;

use super::error::FrameError;
use super::values::{RowValues, stored, value_at};
use crate::catalogue::value::to_stored;
use crate::odata::value::Value;
use crate::query::eval::{EvalError, Row, evaluate};
use crate::query::{BoundExpr, BoundExprKind, Comparison};

/// The rows for which the condition is true; unknown is not true.
///
/// # Errors
/// When the condition has no value for a row, or reads a column that the batch does not have.
pub fn filter(
    batch: &RecordBatch,
    columns: &[Option<usize>],
    condition: &BoundExpr,
) -> Result<RecordBatch, FrameError> {
    let mask = mask(RowValues::new(batch, columns)?, condition)?;
    Ok(filter_record_batch(batch, &mask)?)
}

/// For each row whether the condition is true, false or, as null, unknown.
///
/// # Errors
/// As for [`filter`].
pub fn mask(cells: RowValues<'_>, condition: &BoundExpr) -> Result<BooleanArray, FrameError> {
    for column in condition.columns() {
        cells.column(column)?;
    }
    // Masks look at every term for every row. Where a term may fail, the terms before it must be able to keep rows from it.
    if may_fail(condition) { row_by_row(cells, condition) } else { combined(cells, condition) }
}

/// Whether the condition may have no value for a row.
#[must_use]
pub fn may_fail(condition: &BoundExpr) -> bool {
    condition.nodes().any(|expr| matches!(expr.kind, BoundExprKind::Arithmetic(..)))
}

fn combined(cells: RowValues<'_>, condition: &BoundExpr) -> Result<BooleanArray, FrameError> {
    match &condition.kind {
        BoundExprKind::And(terms) => folded(cells, terms, and_kleene),
        BoundExprKind::Or(terms) => folded(cells, terms, or_kleene),
        BoundExprKind::Not(operand) => Ok(not(&combined(cells, operand)?)?),
        _ => match condition.columns().as_slice() {
            [column] => of_one_column(cells, *column, condition),
            _ => row_by_row(cells, condition),
        },
    }
}

fn folded(
    cells: RowValues<'_>,
    terms: &[BoundExpr],
    combine: fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, ArrowError>,
) -> Result<BooleanArray, FrameError> {
    let mut masks = terms.iter().map(|term| combined(cells, term));
    let Some(first) = masks.next() else { return Err(EvalError::Undefined { operation: "and/or" }.into()) };
    masks.try_fold(first?, |mask, next| Ok(combine(&mask, &next?)?))
}

fn of_one_column(
    cells: RowValues<'_>,
    column: usize,
    condition: &BoundExpr,
) -> Result<BooleanArray, FrameError> {
    let array = cells.column(column)?;
    if let DataType::Dictionary(..) = array.data_type() {
        let dictionary = array.as_dictionary::<Int32Type>();
        // A slice of a large frame may carry more distinct values than it has rows.
        if dictionary.values().len() <= dictionary.len() {
            return by_distinct_value(dictionary, condition);
        }
        return row_by_row(cells, condition);
    }
    let mask = match &condition.kind {
        BoundExprKind::Compare(comparison, left, right) => match (&left.kind, right.as_literal()) {
            (BoundExprKind::Column(_), Some(value)) => by_kernel(array, *comparison, value)?,
            _ => None,
        },
        BoundExprKind::In(operand, values) if matches!(operand.kind, BoundExprKind::Column(_)) => {
            by_lookup(array, values)
        }
        _ => None,
    };
    mask.map_or_else(|| row_by_row(cells, condition), Ok)
}

/// Evaluates the condition once for each distinct value and once for null.
fn by_distinct_value(
    dictionary: &DictionaryArray<Int32Type>,
    condition: &BoundExpr,
) -> Result<BooleanArray, FrameError> {
    let values = dictionary.values();
    let answer = |value| truth(evaluate(condition, &OneValue(value))?);
    let answers: Result<Vec<_>, EvalError> =
        (0..values.len()).map(|at| answer(value_at(values, at))).collect();
    let (answers, of_null) = (answers?, answer(Value::Null)?);
    let of_key = |key: Option<i32>| match key.and_then(|key| usize::try_from(key).ok()) {
        Some(key) => answers.get(key).copied().flatten(),
        None => of_null,
    };
    Ok(dictionary.keys().iter().map(of_key).collect())
}

/// Compares the whole column with a value at once; `None` where the column's type does not hold the value exactly.
fn by_kernel(
    array: &ArrayRef,
    comparison: Comparison,
    value: &Value,
) -> Result<Option<BooleanArray>, ArrowError> {
    if value.is_null() {
        return match comparison {
            Comparison::Eq => is_null(array).map(Some),
            Comparison::Ne => is_not_null(array).map(Some),
            _ => Ok(None),
        };
    }
    let Some(value) = stored(value, array.data_type()) else { return Ok(None) };
    let mask = match comparison {
        // Null is a value like others to these two.
        Comparison::Eq => cmp::not_distinct(array, &value),
        Comparison::Ne => cmp::distinct(array, &value),
        Comparison::Lt => cmp::lt(array, &value),
        Comparison::Le => cmp::lt_eq(array, &value),
        Comparison::Gt => cmp::gt(array, &value),
        Comparison::Ge => cmp::gt_eq(array, &value),
    };
    mask.map(Some)
}

/// Looks every figure or text up in a list of values, however long that is; `None` for columns of other types, and where a value
/// is none of the column's type.
fn by_lookup(array: &ArrayRef, values: &[Value]) -> Option<BooleanArray> {
    let has_null = values.iter().any(Value::is_null);
    let values = values.iter().filter(|value| !value.is_null());
    match array.data_type() {
        DataType::Decimal128(..) => {
            let figures =
                values.map(|value| to_stored(value.as_decimal()?)).collect::<Option<HashSet<_>>>()?;
            let is_in =
                |figure: Option<i128>| Some(figure.map_or(has_null, |figure| figures.contains(&figure)));
            Some(array.as_primitive::<Decimal128Type>().iter().map(is_in).collect())
        }
        DataType::Utf8 => {
            let text = |value: &'_ Value| {
                if let Value::String(text) = value { Some(Arc::clone(text)) } else { None }
            };
            let texts = values.map(text).collect::<Option<HashSet<_>>>()?;
            let is_in = |text: Option<&str>| Some(text.map_or(has_null, |text| texts.contains(text)));
            Some(array.as_string::<i32>().iter().map(is_in).collect())
        }
        _ => None,
    }
}

fn row_by_row(cells: RowValues<'_>, condition: &BoundExpr) -> Result<BooleanArray, FrameError> {
    let answers: Result<Vec<_>, EvalError> =
        (0..cells.len()).map(|row| truth(evaluate(condition, &cells.row(row))?)).collect();
    Ok(BooleanArray::from(answers?))
}

fn truth(value: Value) -> Result<Option<bool>, EvalError> {
    match value {
        Value::Boolean(known) => Ok(Some(known)),
        Value::Null => Ok(None),
        _ => Err(EvalError::Undefined { operation: "$filter" }),
    }
}

/// A row of which one column is read.
struct OneValue(Value);

impl Row for OneValue {
    fn value(&self, _column: usize) -> Value {
        self.0.clone()
    }
}
