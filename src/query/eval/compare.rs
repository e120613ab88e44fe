//! Comparisons, `in` and the search for words. Columns are compared by arrow's kernels if these support the types, otherwise value by
//! value; the results are the same.

use std::collections::HashSet;

use arrow_arith::boolean::{is_not_null, is_null};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Datum, Scalar};
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType};

use super::EvalError;
use super::column::{ColumnarValue, text};
use crate::budget::work;
use crate::catalogue::figures;
use crate::feed::arrays::scalar;
use crate::odata::value::Value;
use crate::query::Comparison;

/// Compares two columns. `eq` and `ne` treat null as a value; the other comparisons are false if a side is null or NaN. So a comparison
/// is never unknown, and `not` of it is true where a figure is hidden.
pub(super) fn compare(
    comparison: Comparison,
    left: &ColumnarValue,
    right: &ColumnarValue,
    rows: usize,
) -> Result<BooleanArray, EvalError> {
    let by_kernel = match (left, right) {
        (ColumnarValue::Array(array), ColumnarValue::Scalar(value)) => with_value(array, comparison, value)?,
        (ColumnarValue::Array(left), ColumnarValue::Array(right)) => with_column(left, comparison, right)?,
        _ => None,
    };
    if let Some(mask) = by_kernel {
        return Ok(null_as_false(mask));
    }
    let values = left.values(rows).zip(right.values(rows));
    Ok(values.map(|(left, right)| Some(holds(comparison, &left, &right))).collect())
}

/// The kernels leave a comparison with null undecided.
fn null_as_false(mask: BooleanArray) -> BooleanArray {
    match mask.nulls() {
        Some(known) => BooleanArray::new(mask.values() & known.inner(), None),
        None => mask,
    }
}

/// Compares two values as [`compare`] does.
fn holds(comparison: Comparison, left: &Value, right: &Value) -> bool {
    if left.is_null() || right.is_null() {
        let same = left.is_null() && right.is_null();
        return match comparison {
            Comparison::Eq => same,
            Comparison::Ne => !same,
            Comparison::Lt | Comparison::Le | Comparison::Gt | Comparison::Ge => false,
        };
    }
    match left.compare(right) {
        Some(ordering) => comparison.holds(ordering),
        None => comparison == Comparison::Ne,
    }
}

/// `None` if the kernels do not support the column's type or the value.
fn with_value(
    array: &ArrayRef,
    comparison: Comparison,
    value: &Value,
) -> Result<Option<BooleanArray>, ArrowError> {
    if value.is_null() {
        return match comparison {
            Comparison::Eq => is_null(array).map(Some),
            Comparison::Ne => is_not_null(array).map(Some),
            Comparison::Lt | Comparison::Le | Comparison::Gt | Comparison::Ge => Ok(None),
        };
    }
    if let Some(cell) = scalar(value, array.data_type()) {
        return by_kernel(array, comparison, &cell).map(Some);
    }
    let below = value.as_decimal().and_then(|figure| figures::at_most(figure, array.data_type()));
    below.map(|below| with_value_between(array, comparison, &Scalar::new(below))).transpose()
}

/// Compares figures with a value that none of them can be, since it has more decimals or digits; `below` is the next lower that they can
/// be.
fn with_value_between(
    figures: &ArrayRef,
    comparison: Comparison,
    below: &dyn Datum,
) -> Result<BooleanArray, ArrowError> {
    match comparison {
        Comparison::Eq => Ok(BooleanArray::from(vec![false; figures.len()])),
        Comparison::Ne => Ok(BooleanArray::from(vec![true; figures.len()])),
        Comparison::Lt | Comparison::Le => cmp::lt_eq(figures, below),
        Comparison::Gt | Comparison::Ge => cmp::gt(figures, below),
    }
}

/// `None` if the types differ or are not supported by the kernels.
fn with_column(
    left: &ArrayRef,
    comparison: Comparison,
    right: &ArrayRef,
) -> Result<Option<BooleanArray>, ArrowError> {
    if let Some([left, right]) = figures::alike(&[left, right]).as_deref() {
        return by_kernel(left, comparison, right).map(Some);
    }
    let is_exact = !matches!(left.data_type(), DataType::Dictionary(..) | DataType::Float64);
    let alike = is_exact && left.data_type() == right.data_type();
    alike.then(|| by_kernel(left, comparison, right)).transpose()
}

fn by_kernel(
    left: &dyn Datum,
    comparison: Comparison,
    right: &dyn Datum,
) -> Result<BooleanArray, ArrowError> {
    match comparison {
        // Equality and inequality treat null as a value.
        Comparison::Eq => cmp::not_distinct(left, right),
        Comparison::Ne => cmp::distinct(left, right),
        Comparison::Lt => cmp::lt(left, right),
        Comparison::Le => cmp::lt_eq(left, right),
        Comparison::Gt => cmp::gt(left, right),
        Comparison::Ge => cmp::gt_eq(left, right),
    }
}

/// `in` is equality with any of the values, so null is in a list that contains null.
pub(super) fn is_in(
    operand: &ColumnarValue,
    values: &[Value],
    rows: usize,
) -> Result<BooleanArray, EvalError> {
    if let ColumnarValue::Array(array) = operand
        && let Some(mask) = by_lookup(array, values)
    {
        return Ok(mask);
    }
    let equals_any = |value| values.iter().any(|one| holds(Comparison::Eq, &value, one));
    let truths = operand.values(rows).map(|value| work::check().map(|()| Some(equals_any(value))));
    Ok(truths.collect::<Result<_, _>>()?)
}

/// Looks up every figure or text in a hash table of the values; `None` for columns of other types, or if a value is not of the column's
/// type.
fn by_lookup(array: &ArrayRef, values: &[Value]) -> Option<BooleanArray> {
    let has_null = values.iter().any(Value::is_null);
    let values = values.iter().filter(|value| !value.is_null());
    if figures::is_figures(array.data_type()) {
        let wanted = values.map(Value::as_decimal).collect::<Option<Vec<_>>>()?;
        return figures::is_any(array, &wanted, has_null);
    }
    match array.data_type() {
        DataType::Utf8 => {
            let texts = values.map(text).collect::<Option<HashSet<&str>>>()?;
            let is_in = |text: Option<&str>| Some(text.map_or(has_null, |text| texts.contains(text)));
            Some(array.as_string::<i32>().iter().map(is_in).collect())
        }
        _ => None,
    }
}

/// Whether each text, in any letter case, contains the words, which are in lower case. False for null.
pub(super) fn contains_words(
    texts: &ColumnarValue,
    words: &Value,
    rows: usize,
) -> Result<BooleanArray, EvalError> {
    let words = text(words).unwrap_or_default();
    let found =
        texts.truths_of_texts(rows, |text| work::check().map(|()| text.to_lowercase().contains(words)))?;
    Ok(found.iter().map(|found| Some(found == Some(true))).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::catalogue::value::to_stored;

    const COMPARISONS: [Comparison; 6] =
        [Comparison::Eq, Comparison::Ne, Comparison::Lt, Comparison::Le, Comparison::Gt, Comparison::Ge];

    /// Figures and bounds with up to three decimals, near each other or with as many digits as there can be.
    fn number() -> impl Strategy<Value = Decimal> {
        let mantissa = prop_oneof![
            -40..40_i128,
            prop::sample::select(vec![
                10_i128.pow(18),
                10_i128.pow(18) - 1,
                10_i128.pow(28),
                i64::MAX.into()
            ])
            .prop_flat_map(|large| prop::sample::select(vec![
                large,
                -large,
                large - 1,
                1 - large
            ])),
        ];
        (mantissa, 0..4_u32).prop_map(|(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale))
    }

    proptest! {
        #[test]
        fn the_kernels_say_the_same_as_each_value(
            figures in prop::collection::vec(prop::option::of(number()), 0..8), bound in number(), more in 0..2_u32
        ) {
            let figure = |figure: Option<Decimal>| figure.and_then(to_stored);
            let wide = figures::column(figures.into_iter().map(figure));
            // One more decimal than any column has.
            let fine = Decimal::from_i128_with_scale(more.into(), 19);
            let bound = Value::Decimal(bound.checked_add(fine).unwrap_or(bound));
            for column in [figures::narrowed(&wide), Arc::new(wide) as ArrayRef] {
                let rows = column.len();
                let (column, bound) = (ColumnarValue::Array(column), ColumnarValue::Scalar(bound.clone()));
                for comparison in COMPARISONS {
                    let each = column.values(rows).zip(bound.values(rows));
                    let each = each.map(|(figure, bound)| Some(holds(comparison, &figure, &bound))).collect();
                    prop_assert_eq!(compare(comparison, &column, &bound, rows).unwrap(), each);
                    let ColumnarValue::Array(array) = &column else { unreachable!("it is a column") };
                    prop_assert!(with_value(array, comparison, &bound.value(0)).unwrap().is_some());
                }
            }
        }
    }
}
