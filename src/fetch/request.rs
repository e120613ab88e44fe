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

/// All measures, or some by name. Plans ask for one or all: lists of groups are not known to be understood.
fn measures(measurement: &Measurement, chunk: &Chunk) -> MeasureSelection {
    let named = chunk.measures.iter().map(|&measure| {
        let measure = &measurement.measures[measure];
        (measure.group_id.clone(), Some(measure.source_id.clone()))
    });
    let some = NonEmpty::new(named.collect()).filter(|_| chunk.measures.len() < measurement.measures.len());
    some.map_or(MeasureSelection::All, MeasureSelection::Some)
}

fn periods(measurement: &Measurement, chunk: &Chunk) -> Option<PeriodSelection> {
    if let Some(newest) = chunk.newest(measurement) {
        return NonZeroUsize::new(newest).map(PeriodSelection::Latest);
    }
    let list = chunk.periods.iter().map(|&period| measurement.periods[period].id.clone()).collect();
    NonEmpty::new(list).map(PeriodSelection::List)
}
