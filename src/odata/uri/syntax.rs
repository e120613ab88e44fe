//! The syntax tree of a request. Names are text as the client wrote them; every node has its position in the text.

use crate::odata::value::{PrimitiveType, Value};

/// The position of a piece of text: characters in the decoded text of its option (or of the resource path).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// A request below the service root: the resource path and the system query options.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestSyntax {
    pub path: ResourcePath,
    pub options: QueryOptions,
}

/// A resource path in segments.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourcePath {
    pub segments: Vec<PathSegment>,
}

/// One segment of a resource path. With keys as segments, `Name` may turn out to be a key value when it is bound.
#[derive(Debug, Clone, PartialEq)]
pub enum PathSegment {
    /// A name, perhaps with parentheses behind it.
    Name { name: String, key: Option<KeySyntax>, span: Span },
    /// A key in parentheses behind the parentheses of a function: `F(a=1)(2)`.
    Key { key: KeySyntax, span: Span },
    /// `$metadata`, `$batch`, `$entity`, `$all`, `$count`, `$value`, `$ref`, `$each`, `$crossjoin(…)`, `$query`
    System { name: SystemSegment, span: Span },
    /// `$filter(…)` as a path segment.
    Filter { expr: Box<Expr>, span: Span },
}

/// The segments that begin with a dollar sign.
#[derive(Debug, Clone, PartialEq)]
pub enum SystemSegment {
    Metadata,
    Batch,
    Entity,
    /// `$entity/Namespace.Type`
    All,
    Count,
    Value,
    Ref,
    Each,
    Query,
    Crossjoin(Vec<String>),
}

/// The content of the parentheses after a name: keys or function parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum KeySyntax {
    /// `()`
    Empty,
    /// `('x')`
    Single(Expr),
    /// `(A='x',B=@p)`
    Named(Vec<(String, Expr)>),
}

/// The system query options, each at most once. Absent options are `None`; texts of aliases are parsed where they are used.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryOptions {
    pub select: Option<Vec<SelectTerm>>,
    pub expand: Option<Vec<ExpandTerm>>,
    pub filter: Option<Expr>,
    pub orderby: Option<Vec<OrderTerm>>,
    pub top: Option<u64>,
    pub skip: Option<u64>,
    pub count: Option<bool>,
    pub search: Option<SearchExpr>,
    pub compute: Option<Vec<ComputeTerm>>,
    pub apply: Option<Vec<Transformation>>,
    pub format: Option<String>,
    pub skiptoken: Option<String>,
    pub deltatoken: Option<String>,
    pub schemaversion: Option<String>,
    pub levels: Option<Levels>,
    pub index: Option<i64>,
    pub id: Option<String>,
    /// `$at`, `$from`, `$to`, `$toInclusive` of the temporal extension: recognised, not offered.
    pub temporal: Vec<(String, Expr)>,
    /// Parameter aliases, `@p=…`, by their names without the `@`.
    pub aliases: Vec<(String, Expr)>,
    /// Custom options, which have no dollar sign. The parser ignores them; callers use those that they know.
    pub custom: Vec<(String, String)>,
}

impl QueryOptions {
    /// The names of the system query options that are given.
    #[must_use]
    pub fn present(&self) -> Vec<&str> {
        let given = [
            (self.select.is_some(), "$select"),
            (self.expand.is_some(), "$expand"),
            (self.filter.is_some(), "$filter"),
            (self.orderby.is_some(), "$orderby"),
            (self.top.is_some(), "$top"),
            (self.skip.is_some(), "$skip"),
            (self.count.is_some(), "$count"),
            (self.search.is_some(), "$search"),
            (self.compute.is_some(), "$compute"),
            (self.apply.is_some(), "$apply"),
            (self.format.is_some(), "$format"),
            (self.skiptoken.is_some(), "$skiptoken"),
            (self.deltatoken.is_some(), "$deltatoken"),
            (self.schemaversion.is_some(), "$schemaversion"),
            (self.levels.is_some(), "$levels"),
            (self.index.is_some(), "$index"),
            (self.id.is_some(), "$id"),
        ];
        let temporal = self.temporal.iter().map(|(name, _)| name.as_str());
        given.into_iter().filter_map(|(is_given, name)| is_given.then_some(name)).chain(temporal).collect()
    }
}

/// One term of `$select`.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectTerm {
    pub item: SelectItem,
    /// Options in parentheses behind it.
    pub options: Option<Box<QueryOptions>>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `*`
    Star,
    /// `Namespace.*`
    QualifiedStar(String),
    Path(Vec<String>),
    /// An operation by its path and the names of its parameters: `Namespace.F(a,b)`.
    Operation(Vec<String>, Vec<String>),
}

/// One term of `$expand`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpandTerm {
    /// The names of the path, the navigation property last; `*` is the single name `*`.
    pub path: Vec<String>,
    pub suffix: ExpandSuffix,
    pub options: QueryOptions,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpandSuffix {
    None,
    Ref,
    Count,
    /// `/$value`, for streams.
    Value,
}

/// `$levels`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Levels {
    Number(u64),
    Max,
}

/// One term of `$orderby`.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderTerm {
    pub expr: Expr,
    pub descending: bool,
}

/// One term of `$compute`.
#[derive(Debug, Clone, PartialEq)]
pub struct ComputeTerm {
    pub expr: Expr,
    pub alias: String,
    pub span: Span,
}

/// `$search`
#[derive(Debug, Clone, PartialEq)]
pub enum SearchExpr {
    Word(String),
    Phrase(String),
    Not(Box<SearchExpr>),
    And(Box<SearchExpr>, Box<SearchExpr>),
    Or(Box<SearchExpr>, Box<SearchExpr>),
}

/// An expression and its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Literal(Literal),
    /// A path that begins at the current instance, at `$it`, `$this`, `$root` or at a lambda variable.
    Path(MemberPath),
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `x in (…)`, `x in Path`, `x in @p`
    In(Box<Expr>, Box<Expr>),
    /// A parenthesised list of expressions, or a JSON array.
    List(Vec<Expr>),
    /// A JSON object; only functions with complex parameters take one.
    Object(Vec<(String, Expr)>),
    /// A call with arguments in order. Functions of the language bear the name that the standard writes.
    Call {
        name: String,
        args: Vec<Expr>,
    },
    /// `cast(T)`, `cast(x,T)`, `isof(T)`, `isof(x,T)`
    TypeCall {
        name: TypeFunction,
        operand: Option<Box<Expr>>,
        type_name: String,
    },
    /// `@p`, by its name without the `@`.
    Alias(String),
    /// A case expression: pairs of condition and value.
    Case(Vec<(Expr, Expr)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeFunction {
    Cast,
    IsOf,
}

/// A path of members within an expression.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberPath {
    pub root: PathRoot,
    pub steps: Vec<MemberStep>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathRoot {
    /// The instance that the expression is about (or a lambda variable: the first step's name decides when bound).
    Implicit,
    It,
    This,
    Root,
    /// `$these` of the aggregation extension: the collection that the instance belongs to.
    These,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MemberStep {
    /// A property, navigation property, type cast, function, lambda variable, alias (`@p`) or annotation (`@Core.x`).
    Name {
        name: String,
        key: Option<KeySyntax>,
        span: Span,
    },
    /// A key behind the parentheses of a function.
    Key {
        key: KeySyntax,
        span: Span,
    },
    Count {
        filter: Option<Box<Expr>>,
        search: Option<SearchExpr>,
        span: Span,
    },
    Filter {
        expr: Box<Expr>,
        span: Span,
    },
    /// `/any(x:…)`, `/all(x:…)`, `/any()`
    Lambda {
        op: LambdaOp,
        variable: Option<String>,
        body: Option<Box<Expr>>,
        span: Span,
    },
    /// `/aggregate(…)` of the aggregation extension.
    Aggregate {
        span: Span,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LambdaOp {
    Any,
    All,
}

/// A literal; the written type is kept where the text names one.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Value(Value),
    /// `Namespace.Colour'Red'`
    Enum {
        type_name: String,
        members: String,
    },
    /// A `geography'…'` or `geometry'…'` literal: recognised, not offered.
    Geo(String),
    /// A literal with the type in front, `duration'…'`, `binary'…'`, `cast`-like forms of 4.01.
    Typed(PrimitiveType, Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    Not,
    Negate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Has,
    Add,
    Sub,
    Mul,
    Div,
    DivBy,
    Mod,
}

/// One step of `$apply`.
#[derive(Debug, Clone, PartialEq)]
pub enum Transformation {
    Identity,
    Filter(Expr),
    Search(SearchExpr),
    OrderBy(Vec<OrderTerm>),
    Top(Expr),
    Skip(Expr),
    Compute(Vec<ComputeTerm>),
    GroupBy {
        groups: Vec<GroupItem>,
        then: Vec<Transformation>,
    },
    Aggregate(Vec<AggregateTerm>),
    Concat(Vec<Vec<Transformation>>),
    /// `topcount` and `bottomcount`: so many rows with the greatest or the least values.
    Extremes {
        greatest: bool,
        count: Expr,
        by: Expr,
    },
    /// Recognised and not offered: `topsum`, `rollup` hierarchies, `join`, `nest`, `ancestors`, `descendants`, `traverse`,
    /// service-defined functions, and so on, by name.
    Other {
        name: String,
        span: Span,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum GroupItem {
    Path(Vec<String>, Span),
    /// `rollup(…)`: recognised, not offered.
    Rollup(Span),
}

/// One term of `aggregate(…)`.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateTerm {
    pub what: AggregateWhat,
    pub alias: Option<String>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum AggregateWhat {
    /// `$count as N`, with the path in front if there is one.
    Count(Vec<String>),
    /// `Value with sum as S`
    With { expr: Expr, method: String },
    /// A custom aggregate, by its path.
    Custom(Vec<String>),
    /// Anything else of the grammar: `from`, nested `aggregate`, …: recognised, not offered.
    Other,
}
