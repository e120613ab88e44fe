//! The cells that a query needs, as sets of members.

/// A box of cells of one measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Indexes into the measurement's periods, ascending: the newest first.
    pub periods: Vec<usize>,
    /// One entry per dimension of the measurement.
    pub members: Vec<Members>,
    /// Indexes of the measures, ascending; may be empty when only rows are asked for.
    pub measures: Vec<usize>,
}

/// What is needed of one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// The dimension rests at its total: it is not named in requests and has no column.
    Unnamed,
    /// These members, ascending by index.
    Named(Vec<usize>),
}
