//! Data requests. The type cannot hold a request without exactly one table and one period type, and writing it out always
//! states the format and percent-encodes.

use crate::catalogue::id::{
    HierarchyId, LevelId, MeasureGroupId, MeasureId, MeasurementId, MemberPath, PeriodId, PeriodTypeId,
};

/// A request for figures of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRequest {
    pub table: MeasurementId,
    pub measures: MeasureSelection,
    /// How many measure columns the answer has.
    pub measure_count: usize,
    pub period_type: PeriodTypeId,
    /// Never empty.
    pub periods: Vec<PeriodId>,
    /// At most one hierarchy of each dimension.
    pub hierarchies: Vec<(HierarchyId, HierarchySelection)>,
}

/// Which measures are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeasureSelection {
    All,
    /// Whole groups, or single measures of a group.
    Some(Vec<(MeasureGroupId, Option<MeasureId>)>),
}

/// Which members of a hierarchy are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HierarchySelection {
    /// `/`
    Total,
    /// `*`
    All,
    /// `level:x`
    Level(LevelId),
    /// A list of paths.
    Members(Vec<MemberPath>),
}
