//! Binds expressions: names become columns, literals become typed values, and the operands' types are checked. Constant parts are
//! evaluated at once, so that the rest depends on the row.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::error::{NotOfferedReason, QueryError, QueryErrorKind, Shape};
use super::eval::{NoColumns, evaluate};
use super::lookup_table::LookupTable;
use super::request_part::RequestPart;
use super::unknown_member::UnknownMembers;
use super::{BoundExpr, BoundExprKind, Comparison, Computed, cast};
use crate::feed::{Feed, Set};
use crate::odata::uri::syntax::{BinaryOp, Expr, ExprKind, Literal, TypeFunction, UnaryOp};
use crate::odata::value::{PrimitiveType, Value};

/// The most nodes of all expressions of a request after aliases and computed names are replaced. The parser limits what is written;
/// each use of an alias multiplies it.
const NODE_LIMIT: usize = 200_000;

/// So many bytes of a constant text count as one more node, because concatenating constants repeatedly makes them grow.
const BYTES_PER_NODE: usize = 64;

/// The deepest nesting of expressions after aliases are replaced; a chain of operators counts as one level.
const DEPTH_LIMIT: usize = 200;

/// What all expressions of a request share.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) feed: &'a Feed,
    pub(super) aliases: &'a [(String, Expr)],
    /// The value of `now()`.
    pub(super) now: DateTime<Utc>,
    pub(super) nodes: &'a NodeBudget,
    pub(super) unknown_members: &'a UnknownMembers,
}

/// The nodes that the expressions of a request may still have.
pub(super) struct NodeBudget(Cell<usize>);

impl Default for NodeBudget {
    fn default() -> Self {
        Self(Cell::new(NODE_LIMIT))
    }
}

/// Binds the expressions of one option to one set.
pub(super) struct Binder<'a> {
    scope: Scope<'a>,
    pub(super) feed: &'a Feed,
    pub(super) set: &'a Set,
    pub(super) part: RequestPart,
    computed: &'a [Computed],
    /// The variable of the lambda expression whose body this is.
    pub(super) variable: Option<&'a str>,
    /// Whether the rows are those of an expansion rather than of the resource path.
    inner: bool,
    /// The sets of the enclosing lambda expressions with their variables, the outermost first; the first is the set of the whole
    /// expression.
    pub(super) around: Vec<(Option<&'a str>, &'a Set)>,
    /// Lookup tables made so far, by set, key column and value column.
    pub(super) tables: RefCell<HashMap<(usize, usize, usize), LookupTable>>,
    depth: Cell<usize>,
}

pub(super) type Bound = Result<BoundExpr, QueryError>;

impl<'a> Binder<'a> {
    pub(super) fn new(scope: Scope<'a>, set: &'a Set, part: RequestPart) -> Self {
        Self {
            scope,
            feed: scope.feed,
            set,
            part,
            computed: &[],
            variable: None,
            inner: false,
            around: Vec::new(),
            tables: RefCell::default(),
            depth: Cell::new(0),
        }
    }

    /// The conditions on members that do not exist, of the whole request.
    pub(super) fn unknown_members(&self) -> &UnknownMembers {
        self.scope.unknown_members
    }

    /// The value of `now()`.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.scope.now
    }

    /// The binder with computed values, which can then be used by name.
    pub(super) fn with_computed(self, computed: &'a [Computed]) -> Self {
        Self { computed, ..self }
    }

    /// The binder for the rows of an expansion.
    pub(super) fn for_inner_rows(self, inner: bool) -> Self {
        Self { inner, ..self }
    }

    /// Whether `$it` is another row than the current one.
    pub(super) fn is_inner(&self) -> bool {
        self.inner || self.variable.is_some()
    }

    /// The computed value of that name.
    pub(super) fn computed(&self, name: &str) -> Option<&BoundExpr> {
        self.computed.iter().find(|computed| computed.name == name).map(|computed| &computed.expr)
    }

    /// Binds an expression over another set's rows. Its nodes count towards the same limit.
    pub(super) fn within<T>(
        &self,
        set: &Set,
        variable: Option<&str>,
        bind: impl FnOnce(&Binder<'_>) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let around = self.around.iter().copied().chain([(self.variable, self.set)]).collect();
        let inner = Binder { variable, around, ..Binder::new(self.scope, set, self.part) };
        let inner = inner.for_inner_rows(true);
        inner.depth.set(self.depth.get());
        self.deeper(|| bind(&inner))
    }

    /// An expression that is true, false or unknown.
    pub(super) fn condition(&self, expr: &Expr) -> Bound {
        let bound = self.bind(expr)?;
        match bound.primitive {
            Some(PrimitiveType::Boolean) | None => Ok(bound),
            found => Err(self.mismatch(expr, Shape::Primitive(PrimitiveType::Boolean), Shape::of(found))),
        }
    }

    /// Any expression with a single value.
    pub(super) fn bind(&self, expr: &Expr) -> Bound {
        self.charge(1)?;
        self.deeper(|| self.bind_kind(expr))
    }

    fn bind_kind(&self, expr: &Expr) -> Bound {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(expr, literal),
            ExprKind::Path(path) => self.path(expr, path),
            ExprKind::Unary(UnaryOp::Not, operand) => {
                let operand = Box::new(self.condition(operand)?);
                self.fold_constants(expr, BoundExpr::boolean(BoundExprKind::Not(operand)))
            }
            ExprKind::Unary(UnaryOp::Negate, operand) => self.negation(expr, operand),
            ExprKind::Binary(operator @ (BinaryOp::And | BinaryOp::Or), ..) => self.junction(expr, *operator),
            ExprKind::Binary(BinaryOp::Has, ..) => {
                Err(self.not_offered(expr, "has", NotOfferedReason::NoEnumerations))
            }
            ExprKind::Binary(..) => self.chain(expr),
            ExprKind::In(operand, list) => self.membership(expr, operand, list),
            ExprKind::List(_) => Err(self.unexpected_list(expr)),
            ExprKind::Object(_) => Err(self.not_offered(expr, "{…}", NotOfferedReason::NoDerivedTypes)),
            ExprKind::Call { name, args } => self.call(expr, name, args),
            ExprKind::TypeCall { name, operand, type_name } => {
                self.type_call(expr, *name, operand.as_deref(), type_name)
            }
            ExprKind::Alias(name) => self.through_alias(name, |aliased| match aliased {
                Some(aliased) => self.bind(aliased),
                None => Ok(BoundExpr::literal(Value::Null, None)),
            }),
            ExprKind::Case(cases) => self.case(expr, cases),
        }
    }

    /// Applies a function to the expression of an alias; `None` if the request gives none, which means null.
    pub(super) fn through_alias<T>(
        &self,
        name: &str,
        then: impl FnOnce(Option<&'a Expr>) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let found = self.scope.aliases.iter().find(|(alias, _)| alias == name);
        self.deeper(|| then(found.map(|(_, expr)| expr)))
    }

    /// Runs a function one level deeper.
    fn deeper<T>(&self, inner: impl FnOnce() -> Result<T, QueryError>) -> Result<T, QueryError> {
        let depth = self.depth.get();
        if depth >= DEPTH_LIMIT {
            return Err(self.too_large());
        }
        self.depth.set(depth + 1);
        let result = inner();
        self.depth.set(depth);
        result
    }

    fn literal(&self, expr: &Expr, literal: &Literal) -> Bound {
        match literal {
            Literal::Value(Value::List(_)) => Err(self.unexpected_list(expr)),
            Literal::Value(Value::String(text)) => {
                self.charge(text.len() / BYTES_PER_NODE)?;
                Ok(BoundExpr::literal(Value::String(text.clone()), Some(PrimitiveType::String)))
            }
            Literal::Value(value) => Ok(BoundExpr::literal(value.clone(), cast::type_of(value))),
            Literal::Typed(primitive, value) => Ok(BoundExpr::literal(value.clone(), Some(*primitive))),
            Literal::Enum { type_name, .. } => {
                Err(self.not_offered(expr, &format!("{type_name}'…'"), NotOfferedReason::NoEnumerations))
            }
            Literal::Geo(_) => Err(self.not_offered(expr, "geography'…'", NotOfferedReason::NoGeography)),
        }
    }

    /// Comparisons and arithmetic, from the innermost left operand outwards, so that `1 add 1 add …` needs no recursion.
    fn chain(&self, expr: &Expr) -> Bound {
        let (mut outer, mut innermost) = (Vec::new(), expr);
        while let ExprKind::Binary(operator, left, right) = &innermost.kind
            && !matches!(operator, BinaryOp::And | BinaryOp::Or | BinaryOp::Has)
        {
            outer.push((innermost, *operator, &**left, &**right));
            innermost = left;
        }
        let presence = match outer.last() {
            Some((_, operator, left, right)) => match Comparison::of(*operator) {
                Some(comparison) => self.presence(comparison, left, right)?,
                None => None,
            },
            None => None,
        };
        let mut bound = match presence {
            Some(bound) => {
                outer.pop();
                bound
            }
            None => self.bind(innermost)?,
        };
        for (expr, operator, left, right) in outer.into_iter().rev() {
            self.charge(1)?;
            bound = match Comparison::of(operator) {
                Some(comparison) => self.comparison(expr, comparison, (left, bound), right)?,
                None => self.arithmetic(expr, operator, (left, bound), right)?,
            };
        }
        Ok(bound)
    }

    /// `cast` and `isof` with a primitive type. Every column has one type, so `isof` is false only for null or another type.
    fn type_call(&self, expr: &Expr, name: TypeFunction, operand: Option<&Expr>, type_name: &str) -> Bound {
        let Some(operand) = operand else {
            return Err(self.not_offered(expr, "cast/isof", NotOfferedReason::NoDerivedTypes));
        };
        let Some(primitive) = cast::target(type_name) else {
            return Err(self.not_offered(
                expr,
                &format!("cast/isof(…,{type_name})"),
                NotOfferedReason::NoDerivedTypes,
            ));
        };
        let operand = self.bind(operand)?;
        let bound = match name {
            TypeFunction::Cast => BoundExpr {
                kind: BoundExprKind::Cast(primitive, Box::new(operand)),
                primitive: Some(primitive),
            },
            TypeFunction::IsOf if operand.primitive == Some(primitive) => {
                let null = BoundExpr::literal(Value::Null, None);
                BoundExpr::boolean(BoundExprKind::Compare(Comparison::Ne, Box::new(operand), Box::new(null)))
            }
            TypeFunction::IsOf => BoundExpr::boolean(BoundExprKind::Literal(Value::Boolean(false))),
        };
        self.fold_constants(expr, bound)
    }

    /// `case`: the value of the first condition that is true; null if none is. All values must be of one type, or numbers.
    fn case(&self, expr: &Expr, cases: &[(Expr, Expr)]) -> Bound {
        let (mut bound, mut primitive) = (Vec::with_capacity(cases.len()), None);
        for (condition, value) in cases {
            let (condition, case) = (self.condition(condition)?, self.bind(value)?);
            primitive = match (primitive, case.primitive) {
                (None, known) | (known, None) => known,
                (Some(first), Some(next)) if first == next => Some(first),
                (Some(first), Some(next)) if first.is_numeric() && next.is_numeric() => {
                    Some(PrimitiveType::Decimal)
                }
                (first, next) => return Err(self.mismatch(value, Shape::of(first), Shape::of(next))),
            };
            bound.push((condition, case));
        }
        self.fold_constants(expr, BoundExpr { kind: BoundExprKind::Case(bound), primitive })
    }

    /// Evaluates the expression if all its operands are constant.
    pub(super) fn fold_constants(&self, expr: &Expr, bound: BoundExpr) -> Bound {
        if !bound.operands().iter().all(|operand| operand.as_literal().is_some()) {
            return Ok(bound);
        }
        match evaluate(&bound, &NoColumns) {
            Ok(column) => Ok(BoundExpr::literal(column.value(0), bound.primitive)),
            Err(error) => Err(self.part.error(expr.span.start, QueryErrorKind::Evaluation(error))),
        }
    }

    /// Subtracts nodes from what is left of the limit.
    pub(super) fn charge(&self, nodes: usize) -> Result<(), QueryError> {
        let NodeBudget(left) = self.scope.nodes;
        left.set(left.get().checked_sub(nodes).ok_or_else(|| self.too_large())?);
        Ok(())
    }

    fn too_large(&self) -> QueryError {
        self.part.fault(QueryErrorKind::ExpressionTooLarge { nodes: NODE_LIMIT, depth: DEPTH_LIMIT })
    }

    fn unexpected_list(&self, expr: &Expr) -> QueryError {
        self.mismatch(expr, Shape::Value, Shape::List)
    }

    pub(super) fn mismatch(&self, expr: &Expr, expected: Shape, found: Shape) -> QueryError {
        self.part.error(expr.span.start, QueryErrorKind::TypeMismatch { expected, found })
    }

    pub(super) fn not_offered(&self, expr: &Expr, construct: &str, reason: NotOfferedReason) -> QueryError {
        let kind = QueryErrorKind::NotOffered { construct: construct.to_owned(), reason };
        self.part.error(expr.span.start, kind)
    }
}
