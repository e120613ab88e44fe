//! A request read against a feed: names become sets and columns, literals become values, and what cannot be meant is refused
//! with a sentence. Knows no network; says nothing about how the rows are found.
//!
//! One file per option; [`bind`] strings them together. Options apply in one order, whatever their order in the address:
//! `$apply`, then `$filter`, then `$count`, then `$orderby`, then `$skip`, then `$top`, and `$select` last.

pub mod apply;
mod arithmetic;
pub mod bind;
mod call;
mod cast;
mod comparison;
pub mod error;
pub mod eval;
mod expr;
mod filter;
mod functions;
mod membership;
mod orderby;
mod path;
mod pattern;
mod place;
pub mod reach;
mod select;

pub use pattern::Pattern;

use std::collections::BTreeSet;

use crate::feed::{Feed, Set};
use crate::odata::value::{PrimitiveType, Value};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundQuery {
    /// Index of the set in the feed.
    pub set: usize,
    pub target: Target,
    /// What `$apply` makes of the set's rows; the options below then speak of its result.
    pub apply: Option<apply::BoundApply>,
    pub filter: Option<BoundExpr>,
    /// Empty: the set's own order. The key is always the last word.
    pub order: Vec<OrderKey>,
    /// Indexes of the columns that were selected, in the order asked for; `None` for all.
    pub select: Option<Vec<usize>>,
    pub top: Option<u64>,
    pub skip: u64,
    pub count: bool,
}

impl BoundQuery {
    /// The set whose columns the answer has and the options speak of: one of the feed's, or what `$apply` makes of it.
    #[must_use]
    pub fn result<'a>(&'a self, feed: &'a Feed) -> &'a Set {
        self.apply.as_ref().map_or(&feed.sets[self.set], |apply| &apply.result)
    }

    /// The columns that the answer shows or depends on, in ascending order. The key is among them where rows are shown, for
    /// it has the last word on their order.
    #[must_use]
    pub fn columns(&self, set: &Set) -> Vec<usize> {
        let shown: Vec<usize> = match (&self.target, &self.select) {
            (Target::Count, _) => Vec::new(),
            (Target::Property { column, .. }, _) => vec![*column],
            (_, Some(selected)) => selected.iter().chain(&set.key).copied().collect(),
            (_, None) => (0..set.columns.len()).collect(),
        };
        let read = self.condition(set).into_iter().chain(self.order.iter().map(|key| key.expr.clone()));
        shown
            .into_iter()
            .chain(read.flat_map(|expr| expr.columns()))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// What rows of the set must meet to be in the answer: the filter, or the key that was given. `None` if all are.
    #[must_use]
    pub fn condition(&self, set: &Set) -> Option<BoundExpr> {
        let (Target::Entity(key) | Target::Property { key, .. }) = &self.target else {
            return self.filter.clone();
        };
        let mut terms: Vec<BoundExpr> = set
            .key
            .iter()
            .zip(key)
            .map(|(column, value)| {
                let primitive = set.columns.get(*column).map(|column| column.primitive);
                let left = BoundExpr { kind: BoundExprKind::Column(*column), primitive };
                let right = BoundExpr::literal(value.clone(), primitive);
                BoundExpr::boolean(BoundExprKind::Compare(Comparison::Eq, Box::new(left), Box::new(right)))
            })
            .collect();
        match terms.len() {
            0 | 1 => terms.pop(),
            _ => Some(BoundExpr::boolean(BoundExprKind::And(terms))),
        }
    }
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
    /// Two terms or more, none of them a conjunction itself.
    And(Vec<BoundExpr>),
    /// Two terms or more, none of them a disjunction itself; several `x eq …` of one of them stand as one [`Self::In`].
    Or(Vec<BoundExpr>),
    /// A column against a literal always has the column on the left.
    Compare(Comparison, Box<BoundExpr>, Box<BoundExpr>),
    /// The values compare with the operand, or are null.
    In(Box<BoundExpr>, Vec<Value>),
    Arithmetic(Arithmetic, Box<BoundExpr>, Box<BoundExpr>),
    Call(Function, Vec<BoundExpr>),
    /// `matchesPattern`, with the pattern compiled once.
    Matches(Box<BoundExpr>, Pattern),
    Cast(PrimitiveType, Box<BoundExpr>),
}

impl BoundExpr {
    /// A constant.
    #[must_use]
    pub fn literal(value: Value, primitive: Option<PrimitiveType>) -> Self {
        Self { kind: BoundExprKind::Literal(value), primitive }
    }

    /// An expression that is true, false or unknown.
    #[must_use]
    pub fn boolean(kind: BoundExprKind) -> Self {
        Self { kind, primitive: Some(PrimitiveType::Boolean) }
    }

    /// The value, if the expression is a constant.
    #[must_use]
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.kind {
            BoundExprKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The expressions directly below this one.
    #[must_use]
    pub fn operands(&self) -> Vec<&Self> {
        use BoundExprKind as Kind;
        match &self.kind {
            Kind::Literal(_) | Kind::Column(_) => Vec::new(),
            Kind::Not(operand)
            | Kind::Negate(operand)
            | Kind::In(operand, _)
            | Kind::Matches(operand, _)
            | Kind::Cast(_, operand) => vec![operand],
            Kind::Compare(_, left, right) | Kind::Arithmetic(_, left, right) => vec![left, right],
            Kind::And(terms) | Kind::Or(terms) | Kind::Call(_, terms) => terms.iter().collect(),
        }
    }

    /// The expression and all that is below it, in no particular order.
    pub fn nodes(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let expr = open.pop()?;
            open.extend(expr.operands());
            Some(expr)
        })
    }

    /// The columns that the expression reads, each once, in ascending order.
    #[must_use]
    pub fn columns(&self) -> Vec<usize> {
        let columns = self.nodes().filter_map(|expr| match expr.kind {
            BoundExprKind::Column(column) => Some(column),
            _ => None,
        });
        columns.collect::<BTreeSet<_>>().into_iter().collect()
    }
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

impl Comparison {
    /// The same comparison with its sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }

    /// Whether two values that stand to each other like this satisfy the comparison.
    #[must_use]
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
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

/// The functions that are offered. Those without arguments, such as `now()`, are constants once bound.
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
    Round,
    Floor,
    Ceiling,
}
