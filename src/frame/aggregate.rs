//! `$apply` over the rows of a frame: filters, sorts, cuts, groups and counts. Figures are never summed: a published figure is taken
//! from its row.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, StringArray, UInt32Array};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_select::take::take;

use super::Frame;
use super::batch::batch;
use super::error::FrameError;
use super::order::{self, RUN_ROWS};
use super::values::RowValues;
use crate::budget::work;
use crate::catalogue::figures;
use crate::catalogue::value::{FIGURE_SCALE, RowStatus};
use crate::feed::arrays::{self, value_at};
use crate::feed::column::Column;
use crate::odata::value::Value;
use crate::query::apply::{Aggregate, Grouping, Step};
use crate::query::eval::Rows as _;

/// Groups are looked up in a list of all combinations of labels, if there are no more, and not many more than rows.
const MOST_CODES: usize = 1 << 20;

/// Applies the steps. The result has row numbers as sort keys.
///
/// # Errors
/// When a condition or an order has no value for a row.
pub fn apply(rows: Frame, steps: &[Step]) -> Result<Frame, FrameError> {
    let frame = steps.iter().try_fold(rows, step)?;
    Frame::numbered(&frame.batch, frame.columns, frame.held)
}

/// An empty frame with these columns.
///
/// # Errors
/// When a batch cannot have these columns.
pub fn empty(columns: &[Column]) -> Result<Frame, FrameError> {
    let array = |column: &Column| (column.name.clone(), arrays::array(column.primitive, []));
    Frame::of_list(&batch(columns.iter().map(array), 0)?)
}

/// How many rows have each text of a column.
///
/// # Errors
/// When the frame does not have the column.
pub fn counts(frame: &Frame, column: usize) -> Result<HashMap<Arc<str>, u64>, FrameError> {
    let cells = RowValues::new(&frame.batch, &frame.columns)?;
    let texts = cells.array(column)?;
    let groups = Groups::of(cells, &[column])?;
    let mut counts = vec![0; groups.first_rows.len()];
    groups.of_row.iter().for_each(|&group| counts[group as usize] += 1);
    let text = |row: &Option<u32>| match value_at(texts, (*row)? as usize) {
        Value::String(text) => Some(text),
        _ => None,
    };
    let counted = groups.first_rows.iter().zip(counts);
    Ok(counted.filter_map(|(row, count)| Some((text(row)?, count))).collect())
}

fn step(frame: Frame, step: &Step) -> Result<Frame, FrameError> {
    let rows = frame.row_count();
    let at_most = |number: u64| usize::try_from(number).map_or(rows, |number| number.min(rows));
    match step {
        Step::Filter(condition) => frame.filter(condition),
        Step::Order(keys) => frame.order(keys, 0..rows),
        Step::Top(top) => Ok(frame.slice(0, at_most(*top))),
        Step::Skip(skip) => Ok(frame.slice(at_most(*skip), rows - at_most(*skip))),
        Step::Extremes(count, key) => frame.first(std::slice::from_ref(key), at_most(*count)),
        Step::Compute(width, computed) => frame.with_values(*width, computed, |_| true),
        Step::Group(grouping) => group(&frame, grouping),
    }
}

fn group(frame: &Frame, grouping: &Grouping) -> Result<Frame, FrameError> {
    let held = work::hold(frame.bytes())?;
    let cells = RowValues::new(&frame.batch, &frame.columns)?;
    let groups = Groups::of(cells, &grouping.by)?;
    let first = UInt32Array::from(groups.first_rows.clone());
    let mut arrays = Vec::new();
    for &column in &grouping.by {
        arrays.push(take(cells.array(column)?, &first, None)?);
    }
    for aggregate in &grouping.aggregates {
        arrays.push(groups.aggregate(cells, *aggregate, &first)?);
    }
    let columns = arrays.into_iter().enumerate().map(|(at, array)| (at.to_string(), array));
    let grouped = Frame::of_list(&batch(columns, first.len())?)?;
    held.resize(grouped.bytes());
    Ok(Frame { held: vec![held], ..grouped })
}

/// Groups of rows, in the order in which they first occur. Null is a value like others.
struct Groups {
    /// The group of each row.
    of_row: Vec<u32>,
    /// The first row of each group; `None` for the one group of no rows.
    first_rows: Vec<Option<u32>>,
}

impl Groups {
    fn of(cells: RowValues<'_>, by: &[usize]) -> Result<Self, FrameError> {
        let rows = u32::try_from(cells.len()).map_err(|_| FrameError::TooManyRows { rows: cells.len() })?;
        if by.is_empty() {
            let first = (rows > 0).then_some(0);
            return Ok(Self { of_row: vec![0; cells.len()], first_rows: vec![first] });
        }
        match codes(cells, by)? {
            Some((codes, count)) => {
                let mut numbers = vec![None; count];
                Self::numbered(rows, |row, next| *numbers[codes[row]].get_or_insert(next))
            }
            None => {
                let (keys, mut numbers) = (comparable(cells, by)?, HashMap::new());
                Self::numbered(rows, |row, next| *numbers.entry(keys.row(row)).or_insert(next))
            }
        }
    }

    /// Groups of rows by a function that knows the group of a row, or gives it the next number.
    fn numbered(rows: u32, mut group_of: impl FnMut(usize, u32) -> u32) -> Result<Self, FrameError> {
        let (mut of_row, mut first_rows) = (Vec::with_capacity(rows as usize), Vec::new());
        for row in 0..rows {
            if (row as usize).is_multiple_of(RUN_ROWS) {
                work::check()?;
            }
            let next = u32::try_from(first_rows.len()).unwrap_or(u32::MAX);
            let group = group_of(row as usize, next);
            if group == next {
                first_rows.push(Some(row));
            }
            of_row.push(group);
        }
        Ok(Self { of_row, first_rows })
    }

    fn aggregate(
        &self,
        cells: RowValues<'_>,
        aggregate: Aggregate,
        first: &UInt32Array,
    ) -> Result<ArrayRef, FrameError> {
        match aggregate {
            Aggregate::Count => self.counts(self.of_row.iter().copied()),
            Aggregate::CountDistinct(column) => {
                let values = comparable(cells, &[column])?;
                let distinct: HashSet<_> =
                    self.valued(cells.array(column)?).map(|(group, row)| (group, values.row(row))).collect();
                self.counts(distinct.into_iter().map(|(group, _)| group))
            }
            Aggregate::Least(column) => self.extreme(cells, column, |a, b| a < b),
            Aggregate::Greatest(column) => self.extreme(cells, column, |a, b| a > b),
            Aggregate::State(_) if cells.is_empty() && !first.is_empty() => {
                Ok(Arc::new(StringArray::from(vec![RowStatus::Missing.code(); first.len()])))
            }
            Aggregate::Published(column) | Aggregate::State(column) => {
                Ok(take(cells.array(column)?, first, None)?)
            }
        }
    }

    /// The number of rows of each group, as a column of figures.
    fn counts(&self, groups: impl Iterator<Item = u32>) -> Result<ArrayRef, FrameError> {
        let mut counts = vec![0_u64; self.first_rows.len()];
        for group in groups {
            counts[group as usize] += 1;
        }
        let one = 10_i128.pow(FIGURE_SCALE);
        Ok(Arc::new(figures::column(counts.into_iter().map(|count| Some(i128::from(count) * one)))))
    }

    /// For each group its smallest or largest value; null if it has none.
    fn extreme(
        &self,
        cells: RowValues<'_>,
        column: usize,
        is_better: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<ArrayRef, FrameError> {
        let array = cells.array(column)?;
        let values = comparable(cells, &[column])?;
        let mut best: Vec<Option<u32>> = vec![None; self.first_rows.len()];
        for (at, (group, row)) in self.valued(array).enumerate() {
            if at % RUN_ROWS == 0 {
                work::check()?;
            }
            let held = best[group as usize].map(|held| values.row(held as usize));
            if held.is_none_or(|held| is_better(values.row(row).as_ref(), held.as_ref())) {
                best[group as usize] = u32::try_from(row).ok();
            }
        }
        Ok(take(array, &UInt32Array::from(best), None)?)
    }

    /// The rows that have a value, each with its group.
    fn valued<'a>(&'a self, array: &'a ArrayRef) -> impl Iterator<Item = (u32, usize)> + 'a {
        let nulls = array.logical_nulls();
        let rows = self.of_row.iter().copied().zip(0..);
        rows.filter(move |(_, row)| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row)))
    }
}

/// For each row a number for its values in columns of labels, and how many such numbers there can be; `None` for other columns, and
/// where there are too many.
fn codes(cells: RowValues<'_>, by: &[usize]) -> Result<Option<(Vec<usize>, usize)>, FrameError> {
    let most = MOST_CODES.min(16 * cells.len().max(64));
    let (mut codes, mut count) = (vec![0; cells.len()], 1_usize);
    for &column in by {
        let Some(labels) = cells.array(column)?.as_dictionary_opt::<Int32Type>() else { return Ok(None) };
        let ranks = labels.values().len() + 1;
        count = match count.checked_mul(ranks).filter(|count| *count <= most) {
            Some(count) => count,
            None => return Ok(None),
        };
        codes.iter_mut().zip(order::ranks(labels)).for_each(|(code, rank)| *code = *code * ranks + rank);
    }
    Ok(Some((codes, count)))
}

/// The values of columns as bytes with the same equality and order.
fn comparable(cells: RowValues<'_>, columns: &[usize]) -> Result<Rows, FrameError> {
    let arrays = columns.iter().map(|&column| cells.array(column).cloned()).collect::<Result<Vec<_>, _>>()?;
    let fields = arrays.iter().map(|array| SortField::new(array.data_type().clone())).collect();
    Ok(RowConverter::new(fields)?.convert_columns(&arrays)?)
}
