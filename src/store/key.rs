//! The key of a block: which cells it has, in the upstream's ids, so that it stays valid after a restart and when the catalogue was
//! read again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::catalogue::dimension::{Dimension, TOTAL_ID};
use crate::catalogue::id::{MeasureId, MemberId, PeriodId};
use crate::catalogue::measurement::Measurement;
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::plan::figure_box::{FigureBox, Positions};
use crate::plan::missing::unnamed_position;
use crate::plan::selection::{Members, Selection};
use crate::store::member_sets::MemberSets;

/// Cells of one table: every combination of some periods, members and measures, by ids.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CellKey {
    pub periods: BTreeSet<PeriodId>,
    /// The dimensions that are named, with their members.
    pub members: MemberSets,
    pub measures: BTreeSet<MeasureId>,
}

impl CellKey {
    /// The key of a chunk's cells.
    #[must_use]
    pub fn of(measurement: &Measurement, chunk: &Chunk) -> Self {
        Self::with_members(measurement, chunk, members(measurement, &chunk.dimensions))
    }

    /// The same, where the ids of the chunk's members are at hand.
    #[must_use]
    pub fn with_members(measurement: &Measurement, chunk: &Chunk, members: MemberSets) -> Self {
        Self {
            periods: chunk.periods.iter().map(|&period| measurement.periods[period].id.clone()).collect(),
            members,
            measures: chunk
                .measures
                .iter()
                .map(|&measure| measurement.measures[measure].id.clone())
                .collect(),
        }
    }

    /// The box as positions in the table as it is now, which may have lost some.
    #[must_use]
    pub fn figures(&self, measurement: &Measurement) -> FigureBox {
        let periods = (0..measurement.periods.len())
            .filter(|&index| self.periods.contains(&measurement.periods[index].id));
        let measures = (0..measurement.measures.len())
            .filter(|&index| self.measures.contains(&measurement.measures[index].id));
        let members = |dimension: &Dimension| -> Positions {
            match self.members.get(&dimension.id) {
                None => [unnamed_position(dimension)].into_iter().collect(),
                Some(ids) => ids.iter().filter_map(|id| dimension.member_index(id.as_str())).collect(),
            }
        };
        let mut axes = vec![periods.collect()];
        axes.extend(measurement.dimensions.iter().map(members));
        axes.push(measures.collect());
        FigureBox::new(axes)
    }

    /// The box as positions in the table as it is now, without the members and periods that it no longer has; `None` where it lacks a
    /// dimension or a measure, or all that was asked for.
    #[must_use]
    pub fn selection(&self, measurement: &Measurement) -> Option<Selection> {
        let periods = (0..measurement.periods.len())
            .filter(|&index| self.periods.contains(&measurement.periods[index].id));
        let measures = (0..measurement.measures.len())
            .filter(|&index| self.measures.contains(&measurement.measures[index].id));
        let members = |dimension: &Dimension| match self.members.get(&dimension.id) {
            None => Members::Unnamed,
            Some(ids) => {
                let index = |&index: &usize| ids.contains(&dimension.members[index].id);
                Members::Named((0..dimension.members.len()).filter(index).collect())
            }
        };
        let selection = Selection {
            periods: periods.collect(),
            members: measurement.dimensions.iter().map(members).collect(),
            measures: measures.collect(),
        };
        let is_whole = selection.measures.len() == self.measures.len()
            && selection.named().count() == self.members.len();
        (is_whole && !selection.is_empty()).then_some(selection)
    }

    /// Whether both keys have a cell in common.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let total = BTreeSet::from([MemberId::from(TOTAL_ID)]);
        let mut dimensions = self.members.keys().chain(other.members.keys());
        !self.periods.is_disjoint(&other.periods)
            && !self.measures.is_disjoint(&other.measures)
            && dimensions.all(|dimension| {
                let held = self.members.get(dimension).unwrap_or(&total);
                !held.is_disjoint(other.members.get(dimension).unwrap_or(&total))
            })
    }

    /// Whether a block under this key holds every cell of the other key. A dimension that a key does not name is at its total.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.periods.is_superset(&other.periods)
            && self.measures.is_superset(&other.measures)
            && self.covers_members(other)
    }

    /// Whether it has all members of the other one, whatever the periods and measures.
    #[must_use]
    pub fn covers_members(&self, other: &Self) -> bool {
        if self.members == other.members {
            return true;
        }
        let total = BTreeSet::from([MemberId::from(TOTAL_ID)]);
        let mut dimensions = self.members.keys().chain(other.members.keys());
        dimensions.all(|dimension| {
            let held = self.members.get(dimension).unwrap_or(&total);
            held.is_superset(other.members.get(dimension).unwrap_or(&total))
        })
    }
}

/// The ids of what chunks ask of dimensions.
#[must_use]
pub fn members(measurement: &Measurement, parts: &[ChunkDimension]) -> MemberSets {
    let ids = |part: &ChunkDimension| {
        let dimension = &measurement.dimensions[part.dimension];
        let ids = part.members.iter().map(|&member| dimension.members[member].id.clone());
        (dimension.id.clone(), ids.collect())
    };
    parts.iter().map(ids).collect()
}
