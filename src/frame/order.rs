//! `$orderby` over a batch. The sort is stable, so equal rows keep their earlier order, which is that of the set.

use std::cmp::Ordering;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Int32Type};
use arrow_array::{Array, DictionaryArray, UInt32Array};
use arrow_buffer::ScalarBuffer;
use arrow_ord::ord::{DynComparator, make_comparator};
use arrow_schema::{DataType, SortOptions};

use super::error::FrameError;
use super::values::RowValues;
use crate::budget::work::{self, WorkError};
use crate::odata::value::Value;
use crate::query::OrderKey;
use crate::query::eval::{ColumnarValue, Rows};

/// Rows that are sorted or grouped without looking whether the request may go on.
pub(super) const RUN_ROWS: usize = 16_384;
/// The least of such rows.
const SHORT_RUN_ROWS: usize = 1_024;

/// Which rows are wanted of those in an order.
#[derive(Debug, Clone)]
pub enum Part {
    /// Those at these places of the order, in it.
    Run(Range<usize>),
    /// So many at its beginning, as they stand.
    First(usize),
}

/// The numbers of the rows that are wanted. Nulls come first in ascending order and last in descending order.
///
/// # Errors
/// When an expression has no value for a row, or reads a column that the batch does not have.
pub fn order(values: RowValues<'_>, keys: &[OrderKey], part: Part) -> Result<UInt32Array, FrameError> {
    let count = values.len();
    let end = u32::try_from(count).map_err(|_| FrameError::TooManyRows { rows: count })?;
    let columns = keys.iter().map(|key| values.evaluate(&key.expr)).collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<u32> = (0..end).collect();
    if let ([key], [column]) = (keys, columns.as_slice())
        && let Some(figures) = figures(column)
    {
        let of = |row: &u32| figures[*row as usize];
        let compare = |a: &u32, b: &u32| directed(of(a).cmp(&of(b)), key.descending).then(a.cmp(b));
        return taken(rows, part, &compare);
    }
    let comparators = keys.iter().zip(columns).map(|(key, column)| comparator(column, key.descending));
    let comparators = comparators.collect::<Result<Vec<_>, _>>()?;
    let compare = |a: &u32, b: &u32| {
        let differing = comparators.iter().map(|compare| compare(*a as usize, *b as usize));
        differing.into_iter().find(|ordering| ordering.is_ne()).unwrap_or_else(|| a.cmp(b))
    };
    taken(rows, part, &compare)
}

fn taken(
    mut rows: Vec<u32>,
    part: Part,
    compare: &impl Fn(&u32, &u32) -> Ordering,
) -> Result<UInt32Array, FrameError> {
    let rows = match part {
        Part::Run(wanted) => run(rows, wanted, compare)?,
        Part::First(count) => {
            if count < RUN_ROWS {
                rows = first(&rows, count, compare)?;
            } else {
                cut(&mut rows, count, compare);
            }
            rows.sort_unstable();
            rows
        }
    };
    Ok(UInt32Array::from(rows))
}

/// The rows at these places of the order.
fn run(
    mut rows: Vec<u32>,
    wanted: Range<usize>,
    compare: &impl Fn(&u32, &u32) -> Ordering,
) -> Result<Vec<u32>, WorkError> {
    if wanted.end < RUN_ROWS {
        let first = first(&rows, wanted.end, compare)?;
        return Ok(first.into_iter().skip(wanted.start).collect());
    }
    // The rows before and behind need not be put in order, so that a late page takes no longer than an early one.
    cut(&mut rows, wanted.end, compare);
    work::check()?;
    let behind = cut(&mut rows, wanted.start, compare);
    sorted(&behind, compare)
}

/// Leaves the first rows of the order and returns the others, neither in it.
fn cut(rows: &mut Vec<u32>, count: usize, compare: &impl Fn(&u32, &u32) -> Ordering) -> Vec<u32> {
    if count > 0 && count < rows.len() {
        rows.select_nth_unstable_by(count, compare);
    }
    rows.split_off(count.min(rows.len()))
}

/// The figures of a column of 64 bits, null as the smallest number, which no figure is. They are compared without a call for each row.
fn figures(column: &ColumnarValue) -> Option<ScalarBuffer<i64>> {
    let ColumnarValue::Array(array) = column else { return None };
    let figures = array.as_primitive_opt::<Decimal64Type>()?;
    Some(match figures.null_count() {
        0 => figures.values().clone(),
        _ => figures.iter().map(|figure| figure.unwrap_or(i64::MIN)).collect(),
    })
}

/// The first `limit` rows of the order, for small limits: a row is looked at once unless it comes before the last of the best so far.
fn first(
    rows: &[u32],
    limit: usize,
    compare: &impl Fn(&u32, &u32) -> Ordering,
) -> Result<Vec<u32>, WorkError> {
    let mut best: Vec<u32> = Vec::new();
    // Of a short first run few rows have to be put in order before most others are known to come too late.
    for run in rows.chunks(RUN_ROWS.min(limit.saturating_mul(4).max(SHORT_RUN_ROWS))) {
        work::check()?;
        let last = limit.checked_sub(1).and_then(|last| best.get(last)).copied();
        best.extend(run.iter().filter(|row| last.is_none_or(|last| compare(row, &last).is_lt())));
        if best.len() > limit {
            best.select_nth_unstable_by(limit, compare);
            best.truncate(limit);
        }
        best.sort_unstable_by(compare);
    }
    Ok(best)
}

/// All rows in the order. They are sorted in runs that are merged two by two, so that the work can be ended between.
fn sorted(rows: &[u32], compare: &impl Fn(&u32, &u32) -> Ordering) -> Result<Vec<u32>, WorkError> {
    let sort = |run: &[u32]| {
        let mut run = run.to_vec();
        run.sort_unstable_by(compare);
        work::check().map(|()| run)
    };
    let mut runs: Vec<Vec<u32>> = rows.chunks(RUN_ROWS).map(sort).collect::<Result<_, _>>()?;
    while runs.len() > 1 {
        let pairs = runs.chunks(2).map(|pair| match pair {
            [left, right] => merged(left, right, compare),
            _ => Ok(pair.concat()),
        });
        runs = pairs.collect::<Result<_, _>>()?;
    }
    Ok(runs.pop().unwrap_or_default())
}

fn merged(
    left: &[u32],
    right: &[u32],
    compare: &impl Fn(&u32, &u32) -> Ordering,
) -> Result<Vec<u32>, WorkError> {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut rows = Vec::with_capacity(left.len() + right.len());
    loop {
        if rows.len() % RUN_ROWS == 0 {
            work::check()?;
        }
        let next = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) if compare(a, b).is_gt() => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        };
        let Some(row) = next else { break };
        rows.push(*row);
    }
    Ok(rows)
}

/// Compares two rows by one order key.
fn comparator(column: ColumnarValue, descending: bool) -> Result<DynComparator, FrameError> {
    let array = match column {
        ColumnarValue::Array(array) => array,
        ColumnarValue::Values(values) => return Ok(by_values(values, descending)),
        ColumnarValue::Scalar(_) => return Ok(Box::new(|_, _| Ordering::Equal)),
    };
    if let DataType::Dictionary(..) = array.data_type() {
        let ranks = ranks(array.as_dictionary::<Int32Type>());
        return Ok(Box::new(move |a, b| directed(ranks.get(a).cmp(&ranks.get(b)), descending)));
    }
    let options = SortOptions { descending, nulls_first: !descending };
    Ok(make_comparator(&array, &array, options)?)
}

/// For each row the rank of its value among the distinct values, from one; null has rank zero.
pub(super) fn ranks(dictionary: &DictionaryArray<Int32Type>) -> Vec<usize> {
    let values = dictionary.values().as_string::<i32>();
    let mut sorted: Vec<&str> = values.iter().flatten().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let rank_of_value = |value: Option<&str>| Some(sorted.binary_search(&value?).ok()? + 1);
    let ranks: Vec<usize> = values.iter().map(|value| rank_of_value(value).unwrap_or(0)).collect();
    let rank_of_key = |key: Option<i32>| ranks.get(usize::try_from(key?).ok()?).copied();
    dictionary.keys().iter().map(|key| rank_of_key(key).unwrap_or(0)).collect()
}

fn by_values(values: Vec<Value>, descending: bool) -> DynComparator {
    let values = comparable(values);
    Box::new(move |a, b| {
        let ordering = match (values.get(a), values.get(b)) {
            (Some(a), Some(b)) => total_order(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        directed(ordering, descending)
    })
}

/// Converts all numbers to doubles if one is a double. Otherwise the order would not be transitive, because two decimals may equal the
/// same double.
fn comparable(mut values: Vec<Value>) -> Vec<Value> {
    if values.iter().any(|value| matches!(value, Value::Double(_))) {
        for value in &mut values {
            if let Some(number) = value.as_double() {
                *value = Value::Double(number);
            }
        }
    }
    values
}

/// Null first, then NaN, then the other values in order.
fn total_order(a: &Value, b: &Value) -> Ordering {
    let class = |value: &Value| match value {
        Value::Null => 0,
        Value::Double(number) if number.is_nan() => 1,
        _ => 2,
    };
    class(a).cmp(&class(b)).then_with(|| a.compare(b).unwrap_or(Ordering::Equal))
}

fn directed(ordering: Ordering, descending: bool) -> Ordering {
    if descending { ordering.reverse() } else { ordering }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_many_rows_are_the_beginning_of_all() {
        let mut rng = fastrand::Rng::with_seed(16);
        let values: Vec<u8> = (0..3 * RUN_ROWS + 5).map(|_| rng.u8(..)).collect();
        let rows: Vec<u32> = (0..).take(values.len()).collect();
        let compare = |a: &u32, b: &u32| values[*a as usize].cmp(&values[*b as usize]).then(a.cmp(b));
        let whole = sorted(&rows, &compare).unwrap();
        assert!(whole.is_sorted_by(|a, b| compare(a, b).is_lt()));
        for limit in [0, 1, 100, RUN_ROWS - 1] {
            assert_eq!(first(&rows, limit, &compare).unwrap(), whole[..limit], "{limit}");
        }
        assert_eq!(first(&rows[..7], 100, &compare).unwrap(), sorted(&rows[..7], &compare).unwrap());
        for count in [0, 7, RUN_ROWS, rows.len(), usize::MAX] {
            let mut expected = whole[..count.min(rows.len())].to_vec();
            expected.sort_unstable();
            let found = taken(rows.clone(), Part::First(count), &compare).unwrap();
            assert_eq!(found.values(), &expected[..], "{count}");
        }
    }

    #[test]
    fn a_run_of_an_order_is_that_part_of_it() {
        let mut rng = fastrand::Rng::with_seed(17);
        let values: Vec<u8> = (0..2 * RUN_ROWS + 9).map(|_| rng.u8(..)).collect();
        let rows: Vec<u32> = (0..).take(values.len()).collect();
        let compare = |a: &u32, b: &u32| values[*b as usize].cmp(&values[*a as usize]).then(a.cmp(b));
        let (whole, end) = (sorted(&rows, &compare).unwrap(), rows.len());
        for wanted in [0..0, 0..5, 3..9, 0..RUN_ROWS, 9..RUN_ROWS + 1, end - 3..end, 0..end, 0..usize::MAX] {
            let expected = &whole[wanted.start..wanted.end.min(end)];
            assert_eq!(run(rows.clone(), wanted.clone(), &compare).unwrap(), expected, "{wanted:?}");
        }
        for wanted in [end..end, end + 1..end + 7, usize::MAX..usize::MAX] {
            assert!(run(rows.clone(), wanted.clone(), &compare).unwrap().is_empty(), "{wanted:?}");
        }
    }
}
