//! Columns of figures: 64-bit integers with a scale for the column, and 128 bits in units of 10⁻¹⁸ only where one does not fit. A column has
//! the scale that the figures of an answer need, and rows keep it; where columns of several types meet, they are made alike.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Decimal128Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal64Array, Decimal128Array, RecordBatch, RecordBatchOptions,
};
use arrow_buffer::NullBufferBuilder;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use rust_decimal::Decimal;

use crate::catalogue::value::{FIGURE_PRECISION, FIGURE_SCALE, Figure, from_stored, in_units, to_stored};

/// [`FIGURE_SCALE`] as Arrow has it.
const SCALE: i8 = FIGURE_SCALE as i8;
/// Digits that a figure of 64 bits may have.
const NARROW_PRECISION: u8 = 18;

/// Makes a column of figures one by one, the smallest that holds all of them exactly.
#[derive(Debug)]
pub struct FigureBuilder {
    units: Units,
    published: NullBufferBuilder,
}

/// A missing figure is zero here.
#[derive(Debug)]
enum Units {
    Narrow { units: Vec<i64>, scale: u32 },
    Wide(Vec<i128>),
}

impl Default for FigureBuilder {
    fn default() -> Self {
        Self { units: Units::Narrow { units: Vec::new(), scale: 0 }, published: NullBufferBuilder::new(0) }
    }
}

impl FigureBuilder {
    /// Adds a figure; `None` if it cannot be kept exactly.
    pub fn push(&mut self, figure: Figure) -> Option<()> {
        match figure {
            Some(figure) => {
                self.units.push(figure)?;
                self.published.append_non_null();
            }
            None => {
                match &mut self.units {
                    Units::Narrow { units, .. } => units.push(0),
                    Units::Wide(units) => units.push(0),
                }
                self.published.append_null();
            }
        }
        Some(())
    }

    /// The column.
    #[must_use]
    pub fn finish(mut self) -> ArrayRef {
        let published = self.published.finish();
        match self.units {
            Units::Narrow { units, scale } => {
                let column = Decimal64Array::new(units.into(), published);
                let scale = i8::try_from(scale).unwrap_or(SCALE);
                Arc::new(column.with_data_type(DataType::Decimal64(NARROW_PRECISION, scale)))
            }
            Units::Wide(units) => {
                let column = Decimal128Array::new(units.into(), published);
                Arc::new(column.with_data_type(DataType::Decimal128(FIGURE_PRECISION, SCALE)))
            }
        }
    }
}

impl Units {
    fn push(&mut self, figure: Decimal) -> Option<()> {
        if let Self::Narrow { units, scale } = self {
            if figure.scale() > *scale {
                let needed = figure.normalize().scale().max(*scale);
                let is_possible = needed <= FIGURE_SCALE;
                if let Some(with_more) = rescaled(units, needed - *scale).filter(|_| is_possible) {
                    (*units, *scale) = (with_more, needed);
                }
            }
            if let Some(narrow) = narrow_units(figure, *scale) {
                units.push(narrow);
                return Some(());
            }
        }
        let stored = to_stored(figure)?;
        self.widen()?.push(stored);
        Some(())
    }

    /// The figures in units of 10⁻¹⁸.
    fn widen(&mut self) -> Option<&mut Vec<i128>> {
        if let Self::Narrow { units, scale } = self {
            let unit = 10_i128.checked_pow(FIGURE_SCALE.checked_sub(*scale)?)?;
            *self = Self::Wide(units.iter().map(|&figure| i128::from(figure) * unit).collect());
        }
        if let Self::Wide(units) = self { Some(units) } else { None }
    }
}

/// The figure as a narrow one with so many decimals.
fn narrow_units(figure: Decimal, scale: u32) -> Option<i64> {
    match scale.checked_sub(figure.scale()) {
        // The product is in 64 bits where it is narrow, as then the digits before it are.
        Some(more) => {
            narrow(i64::try_from(figure.mantissa()).ok()?.checked_mul(10_i64.checked_pow(more)?)?.into())
        }
        None => narrow(in_units(figure, scale)?),
    }
}

/// Narrow figures with so many more decimals; `None` if one would have too many digits.
fn rescaled(units: &[i64], more: u32) -> Option<Vec<i64>> {
    let factor = 10_i128.checked_pow(more)?;
    units.iter().map(|figure| narrow(i128::from(*figure) * factor)).collect()
}

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

/// Whether two rows of a column of figures have the same figure, or neither has one.
#[must_use]
pub fn are_same(column: &dyn Array, row: usize, other: usize) -> bool {
    let figure = |row| column.is_valid(row).then(|| figure_at(column, row));
    figure(row) == figure(other)
}

/// A figure as the one cell of a column of this type; `None` if such a cell does not hold it exactly.
#[must_use]
pub fn cell(figure: Decimal, data_type: &DataType) -> Option<ArrayRef> {
    let DataType::Decimal64(precision, scale) = *data_type else {
        return Some(Arc::new(column([Some(to_stored(figure)?)])));
    };
    let units = narrow(in_units(figure, u32::try_from(scale).ok()?)?)?;
    let cell = Decimal64Array::from(vec![units]).with_precision_and_scale(precision, scale).ok()?;
    Some(Arc::new(cell))
}

/// The largest figure that a column of this type can have and that is at most the given one, as one cell; where all are larger, a number
/// below all of them. `None` if the type is not one of figures.
#[must_use]
pub fn at_most(figure: Decimal, data_type: &DataType) -> Option<ArrayRef> {
    match *data_type {
        DataType::Decimal64(precision, scale) => {
            let limit = 10_i128.pow(NARROW_PRECISION.into());
            let units = i64::try_from(units_at_most(figure, scale)?.clamp(-limit, limit)).ok()?;
            let cell = Decimal64Array::from(vec![units]).with_precision_and_scale(precision, scale);
            Some(Arc::new(cell.ok()?))
        }
        DataType::Decimal128(FIGURE_PRECISION, SCALE) => {
            Some(Arc::new(column([Some(units_at_most(figure, SCALE)?)])))
        }
        _ => None,
    }
}

/// The figure as a whole number with so many decimals, rounded down; what has more digits than 128 bits hold is their end on that side.
fn units_at_most(figure: Decimal, scale: i8) -> Option<i128> {
    let more = i32::from(scale) - i32::try_from(figure.scale()).ok()?;
    let factor = 10_i128.checked_pow(more.unsigned_abs())?;
    let mantissa = figure.mantissa();
    Some(if more < 0 { mantissa.div_euclid(factor) } else { mantissa.saturating_mul(factor) })
}

/// Whether each figure is one of these, and whether a missing one is; `None` if the column is not one of figures.
#[must_use]
pub fn is_any(column: &ArrayRef, wanted: &[Decimal], missing: bool) -> Option<BooleanArray> {
    let is_in = |found: Option<bool>| Some(found.unwrap_or(missing));
    if let Some(narrow) = column.as_primitive_opt::<Decimal64Type>() {
        // A figure with more decimals or digits than the column's is none of its figures.
        let scale = u32::try_from(narrow.scale()).ok()?;
        let units = wanted.iter().filter_map(|figure| i64::try_from(in_units(*figure, scale)?).ok());
        let units: HashSet<i64> = units.collect();
        return Some(
            narrow.iter().map(|figure| is_in(figure.map(|figure| units.contains(&figure)))).collect(),
        );
    }
    let units: HashSet<i128> = wanted.iter().filter_map(|figure| to_stored(*figure)).collect();
    let wide = widened(column)?;
    Some(wide.iter().map(|figure| is_in(figure.map(|figure| units.contains(&figure)))).collect())
}

/// The columns of figures in one type that holds all of them exactly, the smallest that the largest scale allows; `None` if one is no
/// column of figures.
#[must_use]
pub fn alike(columns: &[&ArrayRef]) -> Option<Vec<ArrayRef>> {
    let types = || columns.iter().map(|column| column.data_type());
    if !types().all(is_figures) {
        return None;
    }
    if types().all(|data_type| Some(data_type) == types().next()) {
        return Some(columns.iter().copied().cloned().collect());
    }
    let narrow = || {
        let narrow: Vec<&Decimal64Array> =
            columns.iter().map(|column| column.as_primitive_opt()).collect::<Option<_>>()?;
        let scale = narrow.iter().map(|column| column.scale()).max()?;
        narrow.into_iter().map(|column| with_scale(column, scale)).collect::<Option<_>>()
    };
    let wide = || columns.iter().map(|column| Some(Arc::new(widened(column)?) as ArrayRef)).collect();
    narrow().or_else(wide)
}

/// The same figures with more decimals; `None` if one would have too many digits.
fn with_scale(column: &Decimal64Array, scale: i8) -> Option<ArrayRef> {
    let more = u32::try_from(scale.checked_sub(column.scale())?).ok()?;
    let units = rescaled(column.values(), more)?;
    let column = Decimal64Array::new(units.into(), column.nulls().cloned());
    Some(Arc::new(column.with_data_type(DataType::Decimal64(NARROW_PRECISION, scale))))
}

/// The batches with their columns of figures [`alike`], so that they can be joined.
///
/// # Errors
/// When the other columns of a batch do not make one.
pub fn alike_batches(batches: &[&RecordBatch]) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut columns: Vec<Vec<ArrayRef>> = batches.iter().map(|batch| batch.columns().to_vec()).collect();
    for at in 0..columns.iter().map(Vec::len).min().unwrap_or(0) {
        let met: Vec<&ArrayRef> = columns.iter().map(|columns| &columns[at]).collect();
        if let Some(alike) = alike(&met) {
            columns.iter_mut().zip(alike).for_each(|(columns, alike)| columns[at] = alike);
        }
    }
    batches.iter().zip(columns).map(|(batch, columns)| with_columns(batch, columns)).collect()
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
    with_columns(batch, batch.columns().iter().map(column).collect())
}

/// The batch with these columns in place of its own, under the same names.
fn with_columns(batch: &RecordBatch, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
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
        let scale = figures.iter().flatten().fold(0, decimals);
        let unit = 10_i128.pow(FIGURE_SCALE - scale);
        let values: Decimal64Array = figures.try_unary(|figure| narrow(figure / unit).ok_or(())).ok()?;
        values.with_precision_and_scale(NARROW_PRECISION, i8::try_from(scale).ok()?).ok()
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

/// How many decimals a figure in units of 10⁻¹⁸ has, if they are more than `scale`, else that.
fn decimals(scale: u32, figure: i128) -> u32 {
    let is_whole = |scale: &u32| figure % 10_i128.pow(FIGURE_SCALE - scale) == 0;
    (scale..FIGURE_SCALE).find(is_whole).unwrap_or(FIGURE_SCALE)
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

    #[test]
    fn columns_of_several_types_are_made_alike_in_64_bits_where_they_fit() {
        let narrow = |figures: Vec<Option<i128>>| narrowed(&column(figures));
        let (whole, tenths) = (narrow(vec![Some(7 * ONE), None]), narrow(vec![Some(ONE / 10)]));
        let (large, fine) = (narrow(vec![Some(10_i128.pow(17) * ONE)]), narrow(vec![Some(1)]));
        let wide = || DataType::Decimal128(38, 18);
        for (met, kind) in [
            (vec![&whole, &whole], DataType::Decimal64(18, 0)),
            (vec![&whole, &tenths], DataType::Decimal64(18, 1)),
            (vec![&large, &tenths], wide()),
            (vec![&fine, &whole, &tenths], wide()),
        ] {
            let made = alike(&met).unwrap();
            assert!(made.iter().all(|column| *column.data_type() == kind), "{kind}");
            let same = made.iter().zip(met).all(|(made, met)| widened(made) == widened(met));
            assert!(same, "{kind}");
        }
        assert!(alike(&[&whole, &(Arc::new(arrow_array::Int64Array::from(vec![1])) as ArrayRef)]).is_none());
    }

    #[test]
    fn figures_are_looked_up_in_either_width() {
        let figures = column([Some(5 * ONE), Some(ONE / 2), None, Some(-ONE)]);
        let wanted = ["5.00", "0.25", "-1", "0.0000000000000000001", "79228162514264337593543950335"];
        let wanted = wanted.map(|figure| figure.parse().unwrap());
        for column in [narrowed(&figures), Arc::new(figures.clone())] {
            for missing in [false, true] {
                let found = is_any(&column, &wanted, missing).unwrap();
                assert_eq!(found, BooleanArray::from(vec![true, false, missing, true]));
            }
        }
        assert!(
            is_any(&(Arc::new(arrow_array::Int64Array::from(vec![5])) as ArrayRef), &wanted, true).is_none()
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

        #[test]
        fn a_column_made_one_by_one_is_the_smallest(
            figures in prop::collection::vec(prop::option::of((any::<i64>(), 0..19_u32, 0..21_u32)), 0..20)
        ) {
            let figure = |(mantissa, shrunk, scale): (i64, u32, u32)| {
                Decimal::from_i128_with_scale((mantissa / 10_i64.pow(shrunk)).into(), scale)
            };
            let figures = figures.into_iter().map(|one| one.map(figure));
            let is_kept = |figure: &Figure| figure.is_none_or(|figure| to_stored(figure).is_some());
            let (kept, refused): (Vec<Figure>, Vec<Figure>) = figures.partition(is_kept);
            let mut builder = FigureBuilder::default();
            for figure in &kept {
                prop_assert_eq!(builder.push(*figure), Some(()));
            }
            for figure in refused {
                prop_assert_eq!(builder.push(figure), None);
            }
            let wide = column(kept.into_iter().map(|figure| figure.and_then(to_stored)));
            prop_assert_eq!(builder.finish().to_data(), narrowed(&wide).to_data());
        }
    }
}
