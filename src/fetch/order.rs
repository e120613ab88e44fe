//! Puts fetched cells in the order of rows. Sorted once when they come, they need not be sorted for every answer.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::ArrowError;
use arrow_select::take::take_record_batch;

use crate::catalogue::measurement::Measurement;
use crate::frame::sort_key::SortKeys;
use crate::store::block::PERIOD_COLUMN;

/// The cells by period, then by the members of each dimension, unknown labels last; equal ones as they came.
pub(super) fn in_order(measurement: &Measurement, cells: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut axes: Vec<Vec<u32>> = Vec::new();
    for (field, column) in cells.schema_ref().fields().iter().zip(cells.columns()) {
        let Some(ids) = column.as_dictionary_opt::<Int32Type>() else { continue };
        let dimension = measurement.dimensions.iter().find(|dimension| dimension.id.as_str() == field.name());
        let position = |id: &str| match dimension {
            _ if field.name() == PERIOD_COLUMN => {
                measurement.periods.iter().position(|period| period.id.as_str() == id)
            }
            Some(dimension) => dimension.member_index(id),
            None => None,
        };
        let position = |id: Option<&str>| {
            id.and_then(position).and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX)
        };
        let positions: Vec<u32> = ids.values().as_string::<i32>().iter().map(position).collect();
        let of_row = |key: Option<i32>| positions.get(usize::try_from(key?).ok()?).copied();
        axes.push(ids.keys().iter().map(|key| of_row(key).unwrap_or(u32::MAX)).collect());
    }
    match SortKeys::new(axes.iter().map(Vec::as_slice).collect()).sorted() {
        None => Ok(cells),
        Some(rows) => take_record_batch(&cells, &UInt32Array::from(rows)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::UInt32Type;
    use arrow_array::{Array, ArrayRef, DictionaryArray};

    use super::*;
    use crate::plan::fixture;

    /// Cells whose figure is their place in the order: two months, the newest first, and three members of one dimension with two
    /// labels that none has, each with two members of another.
    fn sorted(table: &Measurement) -> RecordBatch {
        let id = |dimension: usize, at: usize| table.dimensions[dimension].members[at].id.as_str();
        let places = [id(0, 0), id(0, 1), id(0, 3), "?B", "?A"];
        let mut rows = Vec::new();
        for period in &table.periods[..2] {
            for place in &places[..3] {
                rows.extend([0, 2].map(|at| (period.id.as_str(), *place, id(1, at))));
            }
            rows.extend(places[3..].iter().map(|place| (period.id.as_str(), *place, id(1, 0))));
        }
        let column = |ids: Vec<&str>| {
            Arc::new(ids.into_iter().map(Some).collect::<DictionaryArray<Int32Type>>()) as ArrayRef
        };
        let numbers: ArrayRef = Arc::new(UInt32Array::from_iter_values((0..).take(rows.len())));
        RecordBatch::try_from_iter([
            (PERIOD_COLUMN, column(rows.iter().map(|row| row.0).collect())),
            (table.dimensions[0].id.as_str(), column(rows.iter().map(|row| row.1).collect())),
            (table.dimensions[1].id.as_str(), column(rows.iter().map(|row| row.2).collect())),
            ("m", numbers),
        ])
        .unwrap()
    }

    fn numbers(cells: &RecordBatch) -> Vec<u32> {
        cells.column(3).as_primitive::<UInt32Type>().values().to_vec()
    }

    #[test]
    fn shuffled_cells_are_put_in_the_order_of_rows() {
        let table = fixture::table();
        let sorted = sorted(&table);
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..20 {
            let mut rows = numbers(&sorted);
            rng.shuffle(&mut rows);
            let ordered =
                in_order(&table, take_record_batch(&sorted, &UInt32Array::from(rows.clone())).unwrap())
                    .unwrap();
            // No member has the labels 6 and 7, and 14 and 15, so they stay as they came.
            let came = |row: u32| rows.iter().position(|other| *other == row);
            let mut expected = numbers(&sorted);
            for unknown in [6, 14] {
                expected[unknown..unknown + 2].sort_by_key(|row| came(*row));
            }
            assert_eq!(numbers(&ordered), expected);
        }
    }

    #[test]
    fn cells_that_are_in_order_are_not_copied() {
        let table = fixture::table();
        let sorted = sorted(&table);
        let ordered = in_order(&table, sorted.clone()).unwrap();
        assert!(Arc::ptr_eq(ordered.column(3), sorted.column(3)));
        assert_eq!(ordered.column(3).len(), 16);
    }
}
