//! `$apply` over the rows of a frame: filters, sorts, cuts, groups and counts. Figures are never summed: a published figure is taken
//! from its row.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray, UInt32Array};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_select::take::take;

use super::Frame;
use super::batch::batch;
use super::error::FrameError;
use super::order;
use super::values::RowValues;
use crate::budget::work;
use crate::catalogue::value::{FIGURE_SCALE, RowStatus};
use crate::feed::arrays::{self, value_at};
use crate::feed::column::Column;
use crate::odata::value::Value;
use crate::query::OrderKey;
use crate::query::apply::{Aggregate, Grouping, Step};
use crate::query::eval::Rows as _;

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
        Step::Order(keys) => frame.order(keys, None),
        Step::Top(top) => Ok(frame.slice(0, at_most(*top))),
        Step::Skip(skip) => Ok(frame.slice(at_most(*skip), rows - at_most(*skip))),
        Step::Extremes(count, key) => extremes(&frame, at_most(*count), key),
        Step::Compute(width, computed) => frame.with_values(*width, computed, |_| true),
        Step::Group(grouping) => group(&frame, grouping),
    }
}

/// The first rows by an order key, in their earlier order. Of equal rows the earlier ones are taken.
fn extremes(frame: &Frame, count: usize, key: &OrderKey) -> Result<Frame, FrameError> {
    let _working = work::hold(frame.bytes())?;
    let cells = RowValues::new(&frame.batch, &frame.columns)?;
    let first = order::order(cells, std::slice::from_ref(key), Some(count))?;
    let mut rows = first.values().to_vec();
    rows.sort_unstable();
    frame.take(&rows)
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
        let keys = comparable(cells, by)?;
        let (mut numbers, mut first_rows) = (HashMap::new(), Vec::new());
        let mut of_row = Vec::with_capacity(cells.len());
        for (row, key) in (0..rows).zip(keys.iter()) {
            work::check()?;
            let next = u32::try_from(first_rows.len()).unwrap_or(u32::MAX);
            let group = *numbers.entry(key).or_insert(next);
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
        let one = 10_i128.pow(FIGURE_SCALE);
        let mut counts = vec![0_i128; self.first_rows.len()];
        for group in groups {
            counts[group as usize] += one;
        }
        Ok(Arc::new(arrays::figures(counts.into_iter().map(Some))))
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
        for (group, row) in self.valued(array) {
            work::check()?;
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

/// The values of columns as bytes with the same equality and order.
fn comparable(cells: RowValues<'_>, columns: &[usize]) -> Result<Rows, FrameError> {
    let arrays = columns.iter().map(|&column| cells.array(column).cloned()).collect::<Result<Vec<_>, _>>()?;
    let fields = arrays.iter().map(|array| SortField::new(array.data_type().clone())).collect();
    Ok(RowConverter::new(fields)?.convert_columns(&arrays)?)
}
