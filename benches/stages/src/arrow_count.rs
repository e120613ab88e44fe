//! Arrow's own kernels over plain columns of 64-bit integers: what counting with a filter on two figures is measured beside.

use arrow_arith::boolean::and;
use arrow_array::{Array, ArrayRef, Int64Array, Scalar};
use arrow_ord::cmp::{gt, lt};
use jobindsats_bridge::answer::Page;
use jobindsats_bridge::feed::arrays::value_at;

/// Two columns.
#[derive(Debug)]
pub struct Columns {
    first: Int64Array,
    second: Int64Array,
}

impl Columns {
    /// The two columns of a page that has no others.
    #[must_use]
    pub fn of(page: &Page) -> Self {
        let frame = page.rows.as_ref().unwrap();
        let [first, second] = [0, 1].map(|at| {
            let shown = page.query.select.as_ref().unwrap()[at];
            integers(frame.batch.column(frame.position(shown).unwrap()))
        });
        Self { first, second }
    }

    /// In how many rows the first is above and the second below a bound.
    #[must_use]
    pub fn count(&self, above: i64, below: i64) -> usize {
        let bound = |bound: i64| Scalar::new(Int64Array::from(vec![bound]));
        let is_above = gt(&self.first, &bound(above)).unwrap();
        let is_below = lt(&self.second, &bound(below)).unwrap();
        and(&is_above, &is_below).unwrap().true_count()
    }
}

/// Whole figures as integers, whatever the width of their column.
fn integers(figures: &ArrayRef) -> Int64Array {
    let integer =
        |row: usize| value_at(figures, row).as_decimal().map(|figure| i64::try_from(figure).unwrap());
    (0..figures.len()).map(integer).collect()
}
