//! Gives the frame access to blocks. Implemented here, because neither the store nor the frame may import the other.

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray};
use chrono::{DateTime, Utc};

use crate::catalogue::id::PeriodId;
use crate::catalogue::measurement::Measurement;
use crate::feed::facts::Axis;
use crate::frame::assemble::Block;
use crate::store::block::CellBlock;

impl Block for CellBlock {
    fn row_count(&self) -> usize {
        CellBlock::row_count(self)
    }

    fn ids(&self, column: Axis, measurement: &Measurement) -> Option<&DictionaryArray<Int32Type>> {
        match column {
            Axis::Period => self.periods(),
            Axis::Dimension(dimension) => self.members(&measurement.dimensions.get(dimension)?.id),
            Axis::Measure => None,
        }
    }

    fn figures(&self, measure: usize, measurement: &Measurement) -> Option<&ArrayRef> {
        self.stored_figures(&measurement.measures.get(measure)?.id)
    }

    fn updated(&self, period: &PeriodId) -> Option<DateTime<Utc>> {
        self.updated.get(period).copied()
    }
}
