//! The columns that depend on one axis, with their values at every position of it. They are made when they are first needed, and shared
//! by all sets of a feed and by all rows of its answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::ArrayRef;

use super::arrays;
use super::column::{Column, Fact};
use super::facts::{self, Axis};
use crate::catalogue::measurement::Measurement;

/// By the id of a position its number on the axis.
pub type Numbers = HashMap<Box<str>, u32>;

/// What was made so far for a measurement. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct AxisColumns(Arc<Mutex<Made>>);

#[derive(Debug, Default)]
struct Made {
    columns: HashMap<Fact, ArrayRef>,
    numbers: HashMap<Axis, Arc<Numbers>>,
}

impl AxisColumns {
    /// The values of a column at all positions of its axis; `None` if it does not depend on one axis alone.
    pub(super) fn column(&self, measurement: &Measurement, column: &Column) -> Option<ArrayRef> {
        let axis = facts::axis(column.fact)?;
        let make = || {
            let positions = 0..facts::axis_len(measurement, axis);
            let values = positions.map(|at| facts::value_at(measurement, column.fact, at));
            arrays::array(column.primitive, values)
        };
        Some(Arc::clone(self.made().columns.entry(column.fact).or_insert_with(make)))
    }

    /// The positions of an axis by their ids.
    pub(super) fn numbers(&self, measurement: &Measurement, axis: Axis) -> Arc<Numbers> {
        let make = || {
            let positions = 0..facts::axis_len(measurement, axis);
            let number = |at| Some((facts::id_at(measurement, axis, at)?.into(), u32::try_from(at).ok()?));
            Arc::new(positions.filter_map(number).collect())
        };
        Arc::clone(self.made().numbers.entry(axis).or_insert_with(make))
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for AxisColumns {
    /// They follow from the measurement, whatever was made of them so far.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
