//! `and`, `or`, `not` and `case`: operands are evaluated only for the rows that are not decided yet.

use arrow_arith::boolean;
use arrow_array::{Array, BooleanArray};

use super::column::{ColumnarValue, written};
use super::rows::{Rows, Selection};
use super::{EvalError, Evaluator};
use crate::odata::value::Value;
use crate::query::{BoundExpr, BoundExprKind};

/// Decided rows are removed from the batch when at most one row in so many is undecided.
const FEW: usize = 4;

pub(super) fn not(operand: &ColumnarValue, rows: usize) -> Result<BooleanArray, EvalError> {
    Ok(boolean::not(&operand.truths(rows)?)?)
}

impl Evaluator {
    /// `and` and `or`: a term that equals `decisive` decides a row, and later terms are not evaluated for it; failing that, one
    /// unknown term makes the whole unknown.
    pub(super) fn decide(
        &self,
        terms: &[BoundExpr],
        rows: &dyn Rows,
        decisive: bool,
    ) -> Result<BooleanArray, EvalError> {
        let combine = if decisive { boolean::or_kleene } else { boolean::and_kleene };
        let mut decided: Option<BooleanArray> = None;
        for term in terms {
            let Some(before) = &decided else {
                decided = Some(self.evaluate(term, rows)?.truths(rows.len())?);
                continue;
            };
            if is_everywhere(before, decisive) {
                break;
            }
            let found = match is_by_kernel(term) {
                true => self.evaluate(term, rows)?.truths(rows.len())?,
                false => self.at_open(term, rows, &is_not(before, decisive), decisive)?,
            };
            decided = Some(combine(before, &found)?);
        }
        Ok(decided.unwrap_or_else(|| BooleanArray::from(vec![!decisive; rows.len()])))
    }

    /// A term at the rows that are open; the others are `decided`.
    fn at_open(
        &self,
        term: &BoundExpr,
        rows: &dyn Rows,
        open: &BooleanArray,
        decided: bool,
    ) -> Result<BooleanArray, EvalError> {
        let count = open.true_count();
        if count == rows.len() || !term.can_fail() && count * FEW > rows.len() {
            return self.evaluate(term, rows)?.truths(rows.len());
        }
        let found = self.evaluate(term, &Selection { rows, selected: open })?.truths(count)?;
        Ok(spread(&found, open, decided))
    }

    /// `case`: the value of the first condition that is true. Later conditions and other values are not evaluated for the row.
    pub(super) fn first_true(
        &self,
        cases: &[(BoundExpr, BoundExpr)],
        rows: &dyn Rows,
    ) -> Result<ColumnarValue, EvalError> {
        let mut values = vec![Value::Null; rows.len()];
        let mut open = BooleanArray::from(vec![true; rows.len()]);
        for (condition, value) in cases {
            let selection = Selection { rows, selected: &open };
            let truths = self.evaluate(condition, &selection)?.truths(selection.len())?;
            let met = spread(&is(&truths, true), &open, false);
            let selection = Selection { rows, selected: &met };
            let found = self.evaluate(value, &selection)?;
            for (row, value) in met.values().set_indices().zip(found.values(selection.len())) {
                values[row] = written(value)?;
            }
            open = boolean::and(&open, &boolean::not(&met)?)?;
        }
        Ok(ColumnarValue::Values(values))
    }
}

/// Whether a term is a comparison that a kernel makes of all rows in less time than it takes to find out which are open. It cannot fail.
fn is_by_kernel(term: &BoundExpr) -> bool {
    matches!(&term.kind, BoundExprKind::Compare(_, column, value)
        if matches!((&column.kind, &value.kind), (BoundExprKind::Column(_), BoundExprKind::Literal(_))))
}

/// Whether it is known to be so at all rows.
fn is_everywhere(truths: &BooleanArray, wanted: bool) -> bool {
    let has_others = if wanted { truths.has_false() } else { truths.has_true() };
    !has_others && truths.null_count() == 0
}

/// The rows at which it is known to be so.
fn is(truths: &BooleanArray, wanted: bool) -> BooleanArray {
    let same = if wanted { truths.values().clone() } else { !truths.values() };
    let same = truths.nulls().map_or_else(|| same.clone(), |known| &same & known.inner());
    BooleanArray::new(same, None)
}

/// The rows at which it is not known to be so.
fn is_not(truths: &BooleanArray, wanted: bool) -> BooleanArray {
    BooleanArray::new(!is(truths, wanted).values(), None)
}

/// What was found for the rows that are open, among all rows; the others are `decided`.
fn spread(found: &BooleanArray, open: &BooleanArray, decided: bool) -> BooleanArray {
    let mut found = found.iter();
    open.values().iter().map(|open| if open { found.next().flatten() } else { Some(decided) }).collect()
}
