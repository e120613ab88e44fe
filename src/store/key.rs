//! What a block holds, in the upstream's ids: the same after a restart and after the catalogue was read anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalogue::id::{DimensionId, MeasureId, MemberId, PeriodId};
use crate::catalogue::measurement::Measurement;
use crate::plan::chunk::Chunk;

/// A box of cells of one table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CellKey {
    pub periods: BTreeSet<PeriodId>,
    /// The dimensions that are named, with their members.
    pub members: BTreeMap<DimensionId, BTreeSet<MemberId>>,
    pub measures: BTreeSet<MeasureId>,
}

impl CellKey {
    /// What a chunk brings.
    #[must_use]
    pub fn of(measurement: &Measurement, chunk: &Chunk) -> Self {
        let members = chunk.dimensions.iter().map(|part| {
            let dimension = &measurement.dimensions[part.dimension];
            (
                dimension.id.clone(),
                part.members.iter().map(|&member| dimension.members[member].id.clone()).collect(),
            )
        });
        Self {
            periods: chunk.periods.iter().map(|&period| measurement.periods[period].id.clone()).collect(),
            members: members.collect(),
            measures: chunk
                .measures
                .iter()
                .map(|&measure| measurement.measures[measure].id.clone())
                .collect(),
        }
    }

    /// Whether a block under this key holds every cell of the other key.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let members_cover = |(dimension, wanted): (&DimensionId, &BTreeSet<MemberId>)| {
            self.members.get(dimension).is_some_and(|held| held.is_superset(wanted))
        };
        self.members.len() == other.members.len()
            && self.periods.is_superset(&other.periods)
            && self.measures.is_superset(&other.measures)
            && other.members.iter().all(members_cover)
    }

    /// Whether blocks under the two keys have cells in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let members_meet = |(dimension, wanted): (&DimensionId, &BTreeSet<MemberId>)| {
            self.members.get(dimension).is_some_and(|held| !held.is_disjoint(wanted))
        };
        self.members.len() == other.members.len()
            && !self.periods.is_disjoint(&other.periods)
            && !self.measures.is_disjoint(&other.measures)
            && other.members.iter().all(members_meet)
    }
}
