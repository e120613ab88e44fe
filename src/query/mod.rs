//! A request read against a feed: names become sets and columns, literals become values, and what cannot be meant is refused
//! with a sentence. Knows no network; says nothing about how the rows are found.

use crate::odata::value::{PrimitiveType, Value};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundQuery {
    /// Index of the set in the feed.
    pub set: usize,
    pub target: Target,
    pub filter: Option<BoundExpr>,
    /// Empty: the set's own order. The key is always the last word.
    pub order: Vec<OrderKey>,
    /// Indexes of the columns that were selected, in the order asked for; `None` for all.
    pub select: Option<Vec<usize>>,
    pub top: Option<u64>,
    pub skip: u64,
    pub count: bool,
}

/// Which part of the set is the answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Collection,
    /// `/$count`
    Count,
    /// The row with these key values, in key order; or the one row of a singleton.
    Entity(Vec<Value>),
    /// One column of such a row; `raw` for `/$value`.
    Property {
        key: Vec<Value>,
        column: usize,
        raw: bool,
    },
}

/// One term of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderKey {
    pub expr: BoundExpr,
    pub descending: bool,
}

/// An expression whose names are bound and whose types fit.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundExpr {
    pub kind: BoundExprKind,
    /// The type of its value; `None` for the literal null.
    pub primitive: Option<PrimitiveType>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum BoundExprKind {
    Literal(Value),
    /// The column of that index in the set.
    Column(usize),
    Not(Box<BoundExpr>),
    Negate(Box<BoundExpr>),
    And(Box<BoundExpr>, Box<BoundExpr>),
    Or(Box<BoundExpr>, Box<BoundExpr>),
    Compare(Comparison, Box<BoundExpr>, Box<BoundExpr>),
    In(Box<BoundExpr>, Vec<Value>),
    Arithmetic(Arithmetic, Box<BoundExpr>, Box<BoundExpr>),
    Call(Function, Vec<BoundExpr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    DivBy,
    Mod,
}

/// The functions that are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Contains,
    StartsWith,
    EndsWith,
    Length,
    IndexOf,
    Substring,
    ToLower,
    ToUpper,
    Trim,
    Concat,
    MatchesPattern,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    FractionalSeconds,
    TotalOffsetMinutes,
    TotalSeconds,
    Date,
    Time,
    Now,
    MinDateTime,
    MaxDateTime,
    Round,
    Floor,
    Ceiling,
}
