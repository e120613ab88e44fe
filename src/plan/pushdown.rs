//! Restricts the selection to the positions where the filter can be true. The whole filter is evaluated again on the rows, so a
//! selection that is too large never makes an answer wrong.

use crate::feed::facts::Axis;
use crate::plan::selection::Selection;
use crate::query::BoundExpr;
use crate::query::axis_filter::{AxisScope, possible_positions};

/// Restricts a selection to the periods, members and measures that can satisfy the filter.
pub fn restrict(selection: &mut Selection, filter: &BoundExpr, scope: &AxisScope<'_>) {
    if let Some(kept) = possible_positions(filter, Axis::Period, scope) {
        selection.restrict_periods(&kept);
    }
    for dimension in 0..scope.measurement.dimensions.len() {
        if let Some(kept) = possible_positions(filter, Axis::Dimension(dimension), scope) {
            selection.restrict_members(dimension, &kept);
        }
    }
    if let Some(kept) = possible_positions(filter, Axis::Measure, scope) {
        selection.restrict_measures(&kept);
    }
}
