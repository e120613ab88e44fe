//! Columns of figures: 64-bit integers with a scale for the column, and 128 bits in units of 10⁻¹⁸ only where one does not fit. Blocks
//! are stored in the smallest width, and rows keep it; where columns of both meet, all are widened.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Decimal128Type};
use arrow_array::{Array, ArrayRef, Decimal64Array, Decimal128Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use rust_decimal::Decimal;

use crate::catalogue::value::{FIGURE_PRECISION, FIGURE_SCALE, from_stored, to_stored};

/// [`FIGURE_SCALE`] as Arrow has it.
const SCALE: i8 = FIGURE_SCALE as i8;
/// Digits that a figure of 64 bits may have.
const NARROW_PRECISION: u8 = 18;

/// A column of figures in units of 10⁻¹⁸.
#[must_use]
pub fn column(figures: impl IntoIterator<Item = Option<i128>>) -> Decimal128Array {
    let figures: Decimal128Array = figures.into_iter().collect();
    figures.with_data_type(DataType::Decimal128(FIGURE_PRECISION, SCALE))
}

/// Whether a column of this type is one of figures.
#[must_use]
pub fn is_figures(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal64(_, scale) => (0..=SCALE).contains(scale),
        DataType::Decimal128(_, scale) => *scale == SCALE,
        _ => false,
    }
}

/// The figure in a row that has one; `None` if the column is not one of figures.
#[must_use]
pub fn figure_at(column: &dyn Array, row: usize) -> Option<Decimal> {
    match column.as_primitive_opt::<Decimal64Type>() {
        Some(narrow) => {
            let scale = u32::try_from(narrow.scale()).ok()?;
            Some(Decimal::try_new(narrow.value(row), scale).ok()?.normalize())
        }
        None => from_stored(column.as_primitive_opt::<Decimal128Type>()?.value(row)),
    }
}

/// A figure as the one cell of a column of this type; `None` if such a cell does not hold it exactly.
#[must_use]
pub fn cell(figure: Decimal, data_type: &DataType) -> Option<ArrayRef> {
    let DataType::Decimal64(precision, scale) = *data_type else {
        return Some(Arc::new(column([Some(to_stored(figure)?)])));
    };
    let figure = figure.normalize();
    let shift = u32::try_from(scale).ok()?.checked_sub(figure.scale())?;
    let units = narrow(figure.mantissa().checked_mul(10_i128.checked_pow(shift)?)?)?;
    let cell = Decimal64Array::from(vec![units]).with_precision_and_scale(precision, scale).ok()?;
    Some(Arc::new(cell))
}

/// The number in 64 bits, if it has no more digits than a narrow figure.
fn narrow(units: i128) -> Option<i64> {
    let limit = 10_u64.pow(NARROW_PRECISION.into());
    i64::try_from(units).ok().filter(|units| units.unsigned_abs() < limit)
}

/// The batch with each column of figures made another, such as its widened one.
///
/// # Errors
/// When the other columns do not make a batch.
pub fn with_figures(
    batch: &RecordBatch,
    made: impl Fn(&ArrayRef) -> Option<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let column = |column: &ArrayRef| {
        let figures = Some(column).filter(|column| is_figures(column.data_type()));
        figures.and_then(&made).unwrap_or_else(|| Arc::clone(column))
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().map(column).collect();
    let fields = batch.schema_ref().fields().iter().zip(&columns);
    let fields: Vec<Field> = fields
        .map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

/// The batch with all its figures in units of 10⁻¹⁸.
///
/// # Errors
/// Never: figures have the same number of rows as their widened ones.
pub fn widened_batch(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    with_figures(batch, |column| Some(Arc::new(widened(column)?)))
}

/// The same figures, which are in units of 10⁻¹⁸, in the smallest column that holds all of them exactly.
#[must_use]
pub fn narrowed(figures: &Decimal128Array) -> ArrayRef {
    let narrow_column = || {
        let scale = figures.iter().flatten().map(decimals).max().unwrap_or(0);
        let unit = 10_i128.pow(FIGURE_SCALE - scale);
        let narrow =
            |figure: Option<i128>| figure.map_or(Some(None), |figure| narrow(figure / unit).map(Some));
        let values: Option<Decimal64Array> =
            figures.iter().map(narrow).collect::<Option<Vec<_>>>().map(Decimal64Array::from);
        values?.with_precision_and_scale(NARROW_PRECISION, i8::try_from(scale).ok()?).ok()
    };
    narrow_column().map_or_else(|| Arc::new(figures.clone()) as ArrayRef, |narrow| Arc::new(narrow))
}

/// The figures of a stored column in units of 10⁻¹⁸; `None` if it is no column of figures.
#[must_use]
pub fn widened(column: &ArrayRef) -> Option<Decimal128Array> {
    if let Some(wide) = column.as_primitive_opt::<Decimal128Type>() {
        return (wide.scale() == SCALE).then(|| wide.clone());
    }
    let narrow = column.as_primitive_opt::<Decimal64Type>()?;
    let unit = 10_i128.checked_pow(FIGURE_SCALE.checked_sub(u32::try_from(narrow.scale()).ok()?)?)?;
    let wide: Decimal128Array = narrow.unary(|figure| i128::from(figure) * unit);
    wide.with_precision_and_scale(FIGURE_PRECISION, SCALE).ok()
}

/// How many decimals a figure has, in units of 10⁻¹⁸.
fn decimals(figure: i128) -> u32 {
    let (mut rest, mut scale) = (figure, FIGURE_SCALE);
    while scale > 0 && rest % 10 == 0 {
        rest /= 10;
        scale -= 1;
    }
    scale
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;
    use proptest::prelude::*;

    use super::*;

    const ONE: i128 = 1_000_000_000_000_000_000;

    #[test]
    fn a_column_has_the_scale_that_its_figures_need() {
        for (figures, kind) in [
            (vec![Some(12 * ONE), None, Some(-5_000 * ONE)], DataType::Decimal64(18, 0)),
            (vec![Some(ONE / 8), Some(3 * ONE)], DataType::Decimal64(18, 3)),
            (vec![None, None], DataType::Decimal64(18, 0)),
            (vec![], DataType::Decimal64(18, 0)),
            (vec![Some(ONE * ONE)], DataType::Decimal128(38, 18)),
            (vec![Some(1), Some(ONE)], DataType::Decimal128(38, 18)),
            // These have no absolute value in 64 bits, and one in 18 digits.
            (vec![Some(i128::from(i64::MIN) * ONE)], DataType::Decimal128(38, 18)),
            (vec![Some((1 - 10_i128.pow(18)) * ONE)], DataType::Decimal64(18, 0)),
            (vec![Some(-(10_i128.pow(18)) * ONE)], DataType::Decimal128(38, 18)),
        ] {
            let figures = column(figures);
            let stored = narrowed(&figures);
            assert_eq!((stored.data_type(), widened(&stored)), (&kind, Some(figures)));
        }
        assert_eq!(widened(&(Arc::new(arrow_array::Int64Array::from(vec![1])) as ArrayRef)), None);
    }

    #[test]
    fn a_cell_is_exact_or_none() {
        let (whole, tenths, wide) =
            (DataType::Decimal64(18, 0), DataType::Decimal64(18, 1), DataType::Decimal128(38, 18));
        let held = |figure: &str, data_type| {
            let cell = cell(figure.parse().unwrap(), data_type)?;
            assert_eq!(cell.data_type(), data_type);
            figure_at(&cell, 0).map(|figure| figure.to_string())
        };
        assert_eq!(
            [&whole, &tenths, &wide].map(|of| held("5000.0", of)),
            [0; 3].map(|_| Some("5000".to_owned()))
        );
        assert_eq!([&whole, &tenths, &wide].map(|of| held("2.5", of).is_some()), [false, true, true]);
        assert_eq!(
            [&whole, &tenths, &wide].map(|of| held("1000000000000000000", of).is_some()),
            [false, false, true]
        );
    }

    proptest! {
        #[test]
        fn stored_figures_come_back_exactly(
            figures in prop::collection::vec(prop::option::of((any::<i64>(), 0..19_u32)), 0..20), shrunk in 0..19_u32
        ) {
            let figure = |(mantissa, scale): (i64, u32)| i128::from(mantissa / 10_i64.pow(shrunk)) * 10_i128.pow(scale);
            let figures = column(figures.into_iter().map(|one| one.map(figure)));
            prop_assert_eq!(widened(&narrowed(&figures)), Some(figures));
        }
    }
}
