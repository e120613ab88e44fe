//! A chunk as a request to the upstream.

use std::num::NonZeroUsize;

use crate::catalogue::measurement::Measurement;
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::upstream::request::{
    DataRequest, HierarchySelection, MeasureSelection, NonEmpty, PeriodSelection,
};

/// The request that brings a chunk; `None` for a chunk without periods, which asks for nothing.
#[must_use]
pub fn data_request(measurement: &Measurement, chunk: &Chunk) -> Option<DataRequest> {
    let hierarchy = |part: &ChunkDimension| {
        let hierarchy = &measurement.dimensions[part.dimension].hierarchies[part.hierarchy];
        (hierarchy.id.clone(), part.hierarchy_selection(measurement))
    };
    let hierarchies: Vec<(_, HierarchySelection)> = chunk.dimensions.iter().map(hierarchy).collect();
    Some(DataRequest {
        table: measurement.id.clone(),
        measures: measures(measurement, chunk),
        measure_count: chunk.measures.len(),
        period_type: chunk.period_type.clone(),
        periods: periods(measurement, chunk)?,
        hierarchies,
    })
}

/// One measure by name, or all: lists of groups are not known to be understood.
fn measures(measurement: &Measurement, chunk: &Chunk) -> MeasureSelection {
    match chunk.measures.as_slice() {
        [only] if measurement.measures.len() > 1 => {
            let measure = &measurement.measures[*only];
            let one = vec![(measure.group_id.clone(), Some(measure.source_id.clone()))];
            NonEmpty::new(one).map_or(MeasureSelection::All, MeasureSelection::Some)
        }
        _ => MeasureSelection::All,
    }
}

fn periods(measurement: &Measurement, chunk: &Chunk) -> Option<PeriodSelection> {
    if let Some(newest) = chunk.newest(measurement) {
        return NonZeroUsize::new(newest).map(PeriodSelection::Latest);
    }
    let list = chunk.periods.iter().map(|&period| measurement.periods[period].id.clone()).collect();
    NonEmpty::new(list).map(PeriodSelection::List)
}
