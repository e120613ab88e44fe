//! Chunks: requests within the cell limit, in the order of the rows that they bring.

use crate::catalogue::id::PeriodTypeId;

/// One request to the upstream: one table, one period type, at most one hierarchy per dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chunk {
    pub period_type: PeriodTypeId,
    /// Indexes into the measurement's periods, ascending.
    pub periods: Vec<usize>,
    /// Dimensions that are named, in the measurement's order.
    pub dimensions: Vec<ChunkDimension>,
    /// Indexes of the measures, ascending.
    pub measures: Vec<usize>,
}

/// What a chunk asks of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChunkDimension {
    pub dimension: usize,
    /// Index of the hierarchy among the dimension's.
    pub hierarchy: usize,
    /// Indexes of the members, ascending. All of them can be asked for in that hierarchy, and no two that are not twins share a
    /// label.
    pub members: Vec<usize>,
}
