//! Restricts the selection to the positions where the filter can be true. The whole filter is evaluated again on the rows, so a
//! selection that is too large never makes an answer wrong.

use crate::feed::facts::Axis;
use crate::plan::selection::Selection;
use crate::query::BoundExpr;
use crate::query::axis_filter::{AxisScope, Possible};

/// Restricts a selection to the periods, members and measures that can satisfy the filter.
pub fn restrict(selection: &mut Selection, filter: &BoundExpr, scope: &AxisScope<'_>) {
    let possible = Possible::of(filter, scope);
    if let Some(kept) = possible.on(Axis::Period) {
        selection.restrict_periods(kept);
    }
    for dimension in 0..scope.source.measurement.dimensions.len() {
        if let Some(kept) = possible.on(Axis::Dimension(dimension)) {
            selection.restrict_members(dimension, kept);
        }
    }
    if let Some(kept) = possible.on(Axis::Measure) {
        selection.restrict_measures(kept);
    }
}
