//! A chunk as a request to the upstream.

use std::num::NonZeroUsize;

use crate::catalogue::measurement::Measurement;
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::upstream::request::{
    DataRequest, HierarchySelection, MeasureSelection, NonEmpty, PeriodSelection,
};

/// The longest list of periods in a request; where the newest are asked for, their number is sent instead of a longer list.
const LONGEST_LIST: usize = 60;

/// The request that brings a chunk; `None` for a chunk without periods, which asks for nothing.
#[must_use]
pub fn data_request(of: &Measurement, chunk: &Chunk) -> Option<DataRequest> {
    let hierarchy = |part: &ChunkDimension| {
        let hierarchy = &of.dimensions[part.dimension].hierarchies[part.hierarchy];
        (hierarchy.id.clone(), part.asked(of).0)
    };
    let hierarchies: Vec<(_, HierarchySelection)> = chunk.dimensions.iter().map(hierarchy).collect();
    Some(DataRequest {
        table: of.id.clone(),
        measures: measures(of, chunk),
        measure_count: chunk.measures.len(),
        period_type: chunk.period_type.clone(),
        periods: periods(of, chunk)?,
        hierarchies,
    })
}

/// One measure by name, or all: lists of groups are not known to be understood.
fn measures(of: &Measurement, chunk: &Chunk) -> MeasureSelection {
    match chunk.measures.as_slice() {
        [only] if of.measures.len() > 1 => {
            let measure = &of.measures[*only];
            let one = vec![(measure.group_id.clone(), Some(measure.id.clone()))];
            NonEmpty::new(one).map_or(MeasureSelection::All, MeasureSelection::Some)
        }
        _ => MeasureSelection::All,
    }
}

fn periods(of: &Measurement, chunk: &Chunk) -> Option<PeriodSelection> {
    let of_type = of.periods.iter().enumerate().filter(|(_, period)| period.type_id == chunk.period_type);
    let newest = of_type.map(|(index, _)| index).take(chunk.periods.len());
    if chunk.periods.len() > LONGEST_LIST && newest.eq(chunk.periods.iter().copied()) {
        return NonZeroUsize::new(chunk.periods.len()).map(PeriodSelection::Latest);
    }
    let list = chunk.periods.iter().map(|&period| of.periods[period].id.clone()).collect();
    NonEmpty::new(list).map(PeriodSelection::List)
}
