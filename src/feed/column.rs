//! Columns: their names, types and contents.

use crate::odata::value::PrimitiveType;

/// One column of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub primitive: PrimitiveType,
    pub nullable: bool,
    pub fact: Fact,
}

/// What a column contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact {
    Period(PeriodFact),
    /// A fact of the member that a row has in the dimension with that index.
    Member(usize, MemberFact),
    /// The figure of the measure with that index.
    Measure(usize),
    /// How complete the row's figures are.
    Status,
    /// When a figure of this table and period was last seen to change.
    Updated,
    /// Only in the long form: the row's id, the measure's id, why there is no value, and the value.
    ObservationId,
    MeasureCode,
    ValueAttribute,
    Value,
    /// In a list: the column with that index of the list's record batch.
    Listed(usize),
}

/// Facts of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeriodFact {
    Id,
    Type,
    FirstDay,
    LastDay,
    /// The period code of Statistics Netherlands (CBS).
    CbsCode,
}

/// Facts of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberFact {
    Label,
    Id,
    Level,
    /// Its number among the dimension's members, for sorting.
    Number,
    /// The official code of an area.
    Code,
}
