//! Binds a request to a feed: names become sets and columns, literals become values, and invalid requests are refused with a sentence.
//! Also evaluates bound expressions. Uses no network; how rows are found is decided by later stages.
//!
//! Each option has a file; [`bind`] combines them. They apply in the order of `PageRows::apply` in `answer/page.rs`.

pub mod apply;
mod arithmetic;
pub mod axis_filter;
pub mod bind;
mod call;
mod cast;
mod comparison;
mod compute;
pub mod error;
pub mod eval;
mod expand;
mod expr;
mod filter;
pub mod lambda;
mod lookup_table;
mod member_check;
mod membership;
mod navigation;
mod orderby;
mod path;
mod pattern;
mod request_part;
mod search;
mod select;
pub mod text_size;
mod unknown_member;

pub use lookup_table::LookupTable;
pub use pattern::Pattern;
pub use unknown_member::UnknownMember;

use std::collections::BTreeSet;

use self::lambda::LambdaAggregate;
use crate::feed::{Feed, Navigation, Set};
use crate::odata::functions::Function;
use crate::odata::uri::syntax::BinaryOp;
use crate::odata::value::{PrimitiveType, Value};

/// A bound request.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundQuery {
    /// Index of the set in the feed.
    pub set: usize,
    pub target: Target,
    /// `$apply`; the options below then refer to its result.
    pub apply: Option<apply::BoundApply>,
    pub filter: Option<BoundExpr>,
    /// Empty: the set's own order. Rows that are equal by all keys are sorted by the set's key.
    pub order: Vec<OrderKey>,
    /// Indexes of the selected columns, in the requested order; `None` for all. Computed values have the indexes after the set's
    /// columns.
    pub select: Option<Vec<usize>>,
    pub top: Option<u64>,
    pub skip: u64,
    pub count: bool,
    /// Indexes of the navigation properties that are selected by name.
    pub selected_navigation: Vec<usize>,
    pub expand: Vec<BoundExpand>,
    pub computed: Vec<Computed>,
    /// Whether only entity references are requested (`/$ref`).
    pub references: bool,
    /// The row before the last navigation property of the path, if it has one.
    pub origin: Option<Box<Origin>>,
    /// Conditions of the whole request on members that do not exist.
    pub unknown_members: Vec<UnknownMember>,
}

/// A single row of another set, and the navigation property from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    pub query: BoundQuery,
    pub navigation: Navigation,
}

/// An expanded navigation property.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundExpand {
    /// Index among the set's navigation properties.
    pub navigation: usize,
    pub shown: ExpandForm,
    /// The query over the target's rows.
    pub query: BoundQuery,
}

/// The form in which an expanded navigation property is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpandForm {
    Rows,
    References,
    Count,
}

/// A value that is computed for every row.
#[derive(Debug, Clone, PartialEq)]
pub struct Computed {
    pub name: String,
    pub expr: BoundExpr,
}

impl Computed {
    /// The type of a column for the values: that of the expression, for single-precision numbers that of doubles.
    #[must_use]
    pub fn column_type(&self) -> PrimitiveType {
        use PrimitiveType as Type;
        match self.expr.primitive {
            None => Type::String,
            Some(Type::Single | Type::Double) => Type::Double,
            Some(primitive) => primitive,
        }
    }
}

impl BoundQuery {
    /// A query for all rows of a set, without options.
    #[must_use]
    pub fn of(set: usize, target: Target) -> Self {
        Self {
            set,
            target,
            apply: None,
            filter: None,
            order: Vec::new(),
            select: None,
            top: None,
            skip: 0,
            count: false,
            selected_navigation: Vec::new(),
            expand: Vec::new(),
            computed: Vec::new(),
            references: false,
            origin: None,
            unknown_members: Vec::new(),
        }
    }

    /// The set whose columns the options refer to: one of the feed's, or the result of `$apply`.
    #[must_use]
    pub fn result<'a>(&'a self, feed: &'a Feed) -> &'a Set {
        self.apply.as_ref().map_or(&feed.sets[self.set], |apply| &apply.result)
    }

    /// The columns that the answer shows or depends on, ascending. They include the key where rows are shown, because it decides the
    /// order of otherwise equal rows.
    #[must_use]
    pub fn columns(&self, set: &Set) -> Vec<usize> {
        let mut columns: BTreeSet<usize> = match &self.target {
            Target::Count => BTreeSet::new(),
            Target::Property { column, .. } => BTreeSet::from([*column]),
            Target::Collection | Target::Entity(_) => {
                self.shown(set).into_iter().chain(set.key.iter().copied()).collect()
            }
        };
        let computed: Vec<usize> = columns.split_off(&set.columns.len()).into_iter().collect();
        let computed = computed.iter().filter_map(|&index| self.computed.get(index - set.columns.len()));
        columns.extend(computed.flat_map(|computed| computed.expr.columns()));
        columns.extend(self.condition(set).iter().flat_map(BoundExpr::columns));
        columns.extend(self.order.iter().flat_map(|key| key.expr.columns()));
        let navigations = self.expand.iter().filter_map(|expand| set.navigation.get(expand.navigation));
        columns.extend(navigations.map(|navigation| navigation.from_column));
        columns.into_iter().collect()
    }

    /// The shown columns in the requested order; computed values have the indexes after the set's columns.
    #[must_use]
    pub fn shown(&self, set: &Set) -> Vec<usize> {
        let all = || (0..set.columns.len() + self.computed.len()).collect();
        self.select.clone().unwrap_or_else(all)
    }

    /// The condition that rows must meet: the filter and the key of the path. `None` if all rows are in the answer.
    #[must_use]
    pub fn condition(&self, set: &Set) -> Option<BoundExpr> {
        let (Target::Entity(key) | Target::Property { key, .. }) = &self.target else {
            return self.filter.clone();
        };
        let key =
            set.key.iter().zip(key).map(|(&column, value)| BoundExpr::equal(set, column, value.clone()));
        filter::joined(self.filter.clone().into_iter().chain(key))
    }
}

/// The part of the set that is requested.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Collection,
    /// `/$count`
    Count,
    /// The row with these key values, in key order. Without values: the row of a singleton, or the target of a navigation property.
    Entity(Vec<Value>),
    /// One column of a row; `raw` for `/$value`.
    Property {
        key: Vec<Value>,
        column: usize,
        raw: bool,
    },
}

/// One term of `$orderby`.
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
    /// The column with that index in the set.
    Column(usize),
    Not(Box<BoundExpr>),
    Negate(Box<BoundExpr>),
    /// At least two terms, none of which is a conjunction.
    And(Vec<BoundExpr>),
    /// At least two terms, none of which is a disjunction; several `x eq …` of the same `x` are one [`Self::In`].
    Or(Vec<BoundExpr>),
    /// In a comparison of a column with a literal the column is always on the left.
    Compare(Comparison, Box<BoundExpr>, Box<BoundExpr>),
    /// The values are null or comparable with the operand.
    In(Box<BoundExpr>, Vec<Value>),
    Arithmetic(Arithmetic, Box<BoundExpr>, Box<BoundExpr>),
    Call(Function, Vec<BoundExpr>),
    /// `matchesPattern`, with the pattern compiled once.
    Matches(Box<BoundExpr>, Pattern),
    Cast(PrimitiveType, Box<BoundExpr>),
    /// The value in a lookup table for the key that the expression yields.
    Lookup(Box<BoundExpr>, LookupTable),
    /// An aggregate over figures, for the key that the expression yields. It cannot be evaluated until it is replaced by a lookup table.
    LambdaAggregate(Box<BoundExpr>, Box<LambdaAggregate>),
    /// Whether a text, in any letter case, contains another, which is in lower case. False for null.
    ContainsWords(Box<BoundExpr>, Value),
    /// The value of the first condition that is true.
    Case(Vec<(BoundExpr, BoundExpr)>),
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

    /// Whether a column of the set has that value.
    #[must_use]
    pub fn equal(set: &Set, column: usize, value: Value) -> Self {
        let primitive = set.columns.get(column).map(|column| column.primitive);
        let left = Self { kind: BoundExprKind::Column(column), primitive };
        let right = Self::literal(value, primitive);
        Self::boolean(BoundExprKind::Compare(Comparison::Eq, Box::new(left), Box::new(right)))
    }

    /// Whether all of the terms are true.
    #[must_use]
    pub fn all(terms: impl IntoIterator<Item = Self>) -> Self {
        let flat = |term: Self| if let BoundExprKind::And(inner) = term.kind { inner } else { vec![term] };
        let mut terms: Vec<Self> = terms.into_iter().flat_map(flat).collect();
        match terms.len() {
            0 => Self::boolean(BoundExprKind::Literal(Value::Boolean(true))),
            1 => terms.swap_remove(0),
            _ => Self::boolean(BoundExprKind::And(terms)),
        }
    }

    /// Whether any of the terms is true.
    #[must_use]
    pub fn any(terms: impl IntoIterator<Item = Self>) -> Self {
        let flat = |term: Self| if let BoundExprKind::Or(inner) = term.kind { inner } else { vec![term] };
        let mut terms: Vec<Self> = terms.into_iter().flat_map(flat).collect();
        match terms.len() {
            0 => Self::boolean(BoundExprKind::Literal(Value::Boolean(false))),
            1 => terms.swap_remove(0),
            _ => Self::boolean(BoundExprKind::Or(terms)),
        }
    }

    /// The value, if the expression is a constant.
    #[must_use]
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.kind {
            BoundExprKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The column, if the expression is one.
    #[must_use]
    pub fn as_column(&self) -> Option<usize> {
        if let BoundExprKind::Column(column) = self.kind { Some(column) } else { None }
    }

    /// The direct operands.
    #[must_use]
    pub fn operands(&self) -> Vec<&Self> {
        use BoundExprKind as Kind;
        match &self.kind {
            Kind::Literal(_) | Kind::Column(_) => Vec::new(),
            Kind::Not(operand)
            | Kind::Negate(operand)
            | Kind::In(operand, _)
            | Kind::Matches(operand, _)
            | Kind::Cast(_, operand)
            | Kind::Lookup(operand, _)
            | Kind::LambdaAggregate(operand, _)
            | Kind::ContainsWords(operand, _) => vec![operand],
            Kind::Case(cases) => cases.iter().flat_map(|(condition, value)| [condition, value]).collect(),
            Kind::Compare(_, left, right) | Kind::Arithmetic(_, left, right) => vec![left, right],
            Kind::And(terms) | Kind::Or(terms) | Kind::Call(_, terms) => terms.iter().collect(),
        }
    }

    fn operands_mut(&mut self) -> Vec<&mut Self> {
        use BoundExprKind as Kind;
        match &mut self.kind {
            Kind::Literal(_) | Kind::Column(_) => Vec::new(),
            Kind::Not(operand)
            | Kind::Negate(operand)
            | Kind::In(operand, _)
            | Kind::Matches(operand, _)
            | Kind::Cast(_, operand)
            | Kind::Lookup(operand, _)
            | Kind::LambdaAggregate(operand, _)
            | Kind::ContainsWords(operand, _) => vec![operand],
            Kind::Case(cases) => cases.iter_mut().flat_map(|(condition, value)| [condition, value]).collect(),
            Kind::Compare(_, left, right) | Kind::Arithmetic(_, left, right) => vec![left, right],
            Kind::And(terms) | Kind::Or(terms) | Kind::Call(_, terms) => terms.iter_mut().collect(),
        }
    }

    /// The expression and all its operands, direct and indirect, in no particular order.
    pub fn nodes(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let expr = open.pop()?;
            open.extend(expr.operands());
            Some(expr)
        })
    }

    /// How many terms are evaluated for a row. For `in`, a column is looked up in a hash table; other operands are compared with each
    /// value.
    #[must_use]
    pub fn cost(&self) -> u64 {
        let terms = self.nodes().map(|expr| match &expr.kind {
            BoundExprKind::In(operand, values) if !matches!(operand.kind, BoundExprKind::Column(_)) => {
                values.len()
            }
            _ => 1,
        });
        terms.sum::<usize>() as u64
    }

    /// Whether evaluating it for a row may fail.
    #[must_use]
    pub fn can_fail(&self) -> bool {
        self.nodes().any(|expr| matches!(expr.kind, BoundExprKind::Arithmetic(..)))
    }

    /// The only column that the expression reads; `None` if it reads several or none.
    #[must_use]
    pub fn only_column(&self) -> Option<usize> {
        let mut columns = self.nodes().filter_map(Self::as_column);
        let first = columns.next()?;
        columns.all(|column| column == first).then_some(first)
    }

    /// Whether it gives each row a text that is written for that row: every text but a constant and what stands in a column.
    #[must_use]
    pub fn writes_text(&self) -> bool {
        let is_there = matches!(self.kind, BoundExprKind::Literal(_) | BoundExprKind::Column(_));
        self.primitive == Some(PrimitiveType::String) && !is_there
    }

    /// The columns that the expression reads, ascending.
    #[must_use]
    pub fn columns(&self) -> Vec<usize> {
        self.nodes().filter_map(Self::as_column).collect::<BTreeSet<_>>().into_iter().collect()
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
    /// The comparison that the operator is, if it is one.
    #[must_use]
    pub fn of(operator: BinaryOp) -> Option<Self> {
        Some(match operator {
            BinaryOp::Eq => Self::Eq,
            BinaryOp::Ne => Self::Ne,
            BinaryOp::Lt => Self::Lt,
            BinaryOp::Le => Self::Le,
            BinaryOp::Gt => Self::Gt,
            BinaryOp::Ge => Self::Ge,
            BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Has
            | BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::DivBy
            | BinaryOp::Mod => return None,
        })
    }

    /// The same comparison with its sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Eq | Self::Ne => self,
        }
    }

    /// Whether the comparison is true for two values in that ordering.
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
