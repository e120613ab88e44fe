//! Figures as they are stored: 64-bit integers with a scale for the column, and 128 bits only where one does not fit.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, Decimal128Type};
use arrow_array::{ArrayRef, Decimal64Array, Decimal128Array};
use arrow_schema::ArrowError;

use crate::catalogue::value::{FIGURE_PRECISION, FIGURE_SCALE};

/// [`FIGURE_SCALE`] as Arrow has it.
const SCALE: i8 = FIGURE_SCALE as i8;
/// Digits that a figure of 64 bits may have.
const NARROW_PRECISION: u8 = 18;

/// A column of figures in units of 10⁻¹⁸.
///
/// # Errors
/// Never: Arrow's decimals of 128 bits have 38 digits.
pub fn column(figures: impl IntoIterator<Item = Option<i128>>) -> Result<Decimal128Array, ArrowError> {
    let figures: Decimal128Array = figures.into_iter().collect();
    figures.with_precision_and_scale(FIGURE_PRECISION, SCALE)
}

/// The same figures, which are in units of 10⁻¹⁸, in the smallest column that holds all of them exactly.
#[must_use]
pub fn narrowed(figures: &Decimal128Array) -> ArrayRef {
    let narrow = || {
        let scale = figures.iter().flatten().map(decimals).max().unwrap_or(0);
        let unit = 10_i128.pow(FIGURE_SCALE - scale);
        let limit = 10_u64.pow(NARROW_PRECISION.into());
        let fits =
            |figure: i128| i64::try_from(figure / unit).ok().filter(|figure| figure.unsigned_abs() < limit);
        let narrow = |figure: Option<i128>| figure.map_or(Some(None), |figure| fits(figure).map(Some));
        let values: Option<Decimal64Array> =
            figures.iter().map(narrow).collect::<Option<Vec<_>>>().map(Decimal64Array::from);
        values?.with_precision_and_scale(NARROW_PRECISION, i8::try_from(scale).ok()?).ok()
    };
    narrow().map_or_else(|| Arc::new(figures.clone()) as ArrayRef, |narrow| Arc::new(narrow))
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
    use arrow_array::Array;
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
            let figures = column(figures).unwrap();
            let stored = narrowed(&figures);
            assert_eq!((stored.data_type(), widened(&stored)), (&kind, Some(figures)));
        }
        assert_eq!(widened(&(Arc::new(arrow_array::Int64Array::from(vec![1])) as ArrayRef)), None);
    }

    proptest! {
        #[test]
        fn stored_figures_come_back_exactly(
            figures in prop::collection::vec(prop::option::of((any::<i64>(), 0..19_u32)), 0..20), shrunk in 0..19_u32
        ) {
            let figure = |(mantissa, scale): (i64, u32)| i128::from(mantissa / 10_i64.pow(shrunk)) * 10_i128.pow(scale);
            let figures = column(figures.into_iter().map(|one| one.map(figure))).unwrap();
            prop_assert_eq!(widened(&narrowed(&figures)), Some(figures));
        }
    }
}
