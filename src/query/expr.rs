//! Expressions: names become columns, literals become typed values, and operators are given only what they can work on.
//! Constants are worked out at once, so that what is left depends on the row.

use std::cell::Cell;

use chrono::{DateTime, Utc};

use super::error::{Lack, QueryError, QueryErrorKind, Shape};
use super::eval::{NoRow, evaluate};
use super::place::Place;
use super::select::unknown_property;
use super::{BoundExpr, BoundExprKind, cast};
use crate::feed::{Feed, Set};
use crate::odata::uri::syntax::{
    BinaryOp, Expr, ExprKind, Literal, MemberPath, MemberStep, PathRoot, TypeFunction, UnaryOp,
};
use crate::odata::value::{PrimitiveType, Value};

/// Nodes that the expressions of one option may have once their aliases are filled in. The parser limits what is written; an
/// alias that is used many times multiplies it.
const NODE_LIMIT: usize = 200_000;

/// Bytes of a text that count as one more node: constants that are joined again and again grow too.
const BYTES_PER_NODE: usize = 64;

/// How deep expressions may nest once their aliases are filled in; chains of operators do not nest.
const DEPTH_LIMIT: usize = 200;

/// Reads the expressions of one option against one set.
pub(super) struct Binder<'a> {
    feed: &'a Feed,
    pub(super) set: &'a Set,
    aliases: &'a [(String, Expr)],
    pub(super) place: Place,
    pub(super) now: DateTime<Utc>,
    nodes_left: Cell<usize>,
    depth: Cell<usize>,
}

pub(super) type Bound = Result<BoundExpr, QueryError>;

impl<'a> Binder<'a> {
    pub(super) fn new(
        feed: &'a Feed,
        set: &'a Set,
        aliases: &'a [(String, Expr)],
        place: Place,
        now: DateTime<Utc>,
    ) -> Self {
        let (nodes_left, depth) = (Cell::new(NODE_LIMIT), Cell::new(0));
        Self { feed, set, aliases, place, now, nodes_left, depth }
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
                self.settle(expr, BoundExpr::boolean(BoundExprKind::Not(operand)))
            }
            ExprKind::Unary(UnaryOp::Negate, operand) => self.negation(expr, operand),
            ExprKind::Binary(operator @ (BinaryOp::And | BinaryOp::Or), ..) => self.junction(expr, *operator),
            ExprKind::Binary(BinaryOp::Has, ..) => Err(self.not_offered(expr, "has", Lack::NoEnumerations)),
            ExprKind::Binary(..) => self.chain(expr),
            ExprKind::In(operand, list) => self.membership(expr, operand, list),
            ExprKind::List(_) => Err(self.unexpected_list(expr)),
            ExprKind::Object(_) => Err(self.not_offered(expr, "{…}", Lack::NoDerivedTypes)),
            ExprKind::Call { name, args } => self.call(expr, name, args),
            ExprKind::TypeCall { name, operand, type_name } => {
                self.type_call(expr, *name, operand.as_deref(), type_name)
            }
            ExprKind::Alias(name) => self.through_alias(name, |aliased| match aliased {
                Some(aliased) => self.bind(aliased),
                None => Ok(BoundExpr::literal(Value::Null, None)),
            }),
            ExprKind::Case(_) => Err(self.not_offered(expr, "case", Lack::NotBuilt)),
        }
    }

    /// Does something with what an alias stands for: `None` if nothing was given for it, which means null.
    pub(super) fn through_alias<T>(
        &self,
        name: &str,
        then: impl FnOnce(Option<&'a Expr>) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let found = self.aliases.iter().find(|(alias, _)| alias == name);
        self.deeper(|| then(found.map(|(_, expr)| expr)))
    }

    /// Does something one level deeper.
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
                Err(self.not_offered(expr, &format!("{type_name}'…'"), Lack::NoEnumerations))
            }
            Literal::Geo(_) => Err(self.not_offered(expr, "geography'…'", Lack::NoGeography)),
        }
    }

    /// A path to a column. Ways to other sets are known, and not offered.
    fn path(&self, expr: &Expr, path: &MemberPath) -> Bound {
        if let PathRoot::This | PathRoot::Root | PathRoot::These = path.root {
            return Err(self.not_offered(expr, "$this/$root/$these", Lack::NotBuilt));
        }
        let mut steps = path.steps.iter();
        let Some(MemberStep::Name { name, key, span }) = steps.next() else {
            return Err(self.not_offered(expr, "$it", Lack::NoCollections));
        };
        if self.set.navigation.iter().any(|way| way.name == *name) {
            return Err(self.not_offered(expr, name, Lack::Navigation));
        }
        if name.starts_with('@') {
            return Err(self.not_offered(expr, name, Lack::NotBuilt));
        }
        if self.is_type_name(name) {
            return Err(self.not_offered(expr, name, Lack::NoDerivedTypes));
        }
        match (self.set.column_index(name), key, steps.next()) {
            (Some(index), None, None) => {
                let primitive = self.set.columns.get(index).map(|column| column.primitive);
                Ok(BoundExpr { kind: BoundExprKind::Column(index), primitive })
            }
            (Some(_), None, Some(MemberStep::Name { name: below, span, .. })) => {
                let unknown = unknown_property(self.set, &format!("{name}/{below}"));
                Err(self.place.error(span.start, unknown))
            }
            (Some(_), ..) => Err(self.not_offered(expr, name, Lack::NoCollections)),
            (None, Some(_), _) => Err(self.unknown_function(expr, name)),
            (None, ..) => Err(self.place.error(span.start, unknown_property(self.set, name))),
        }
    }

    /// Whether the name is that of a type of the model, which a path may name to cast.
    fn is_type_name(&self, name: &str) -> bool {
        let types = &self.feed.schema.entity_types;
        let below = name.strip_prefix(&self.feed.schema.namespace).and_then(|rest| rest.strip_prefix('.'));
        below.is_some_and(|below| types.iter().any(|entity_type| entity_type.name == below))
    }

    /// Comparisons and arithmetic, from the innermost left operand outwards, so that `1 add 1 add …` needs no depth.
    fn chain(&self, expr: &Expr) -> Bound {
        let (mut outer, mut innermost) = (Vec::new(), expr);
        while let ExprKind::Binary(operator, left, right) = &innermost.kind
            && !matches!(operator, BinaryOp::And | BinaryOp::Or | BinaryOp::Has)
        {
            outer.push((innermost, *operator, &**left, &**right));
            innermost = left;
        }
        let mut bound = self.bind(innermost)?;
        for (expr, operator, left, right) in outer.into_iter().rev() {
            self.charge(1)?;
            bound = match super::comparison::of(operator) {
                Some(comparison) => self.comparison(expr, comparison, (left, bound), right)?,
                None => self.arithmetic(expr, operator, (left, bound), right)?,
            };
        }
        Ok(bound)
    }

    /// `cast` to a primitive type. `isof` asks about types that the model does not have.
    fn type_call(&self, expr: &Expr, name: TypeFunction, operand: Option<&Expr>, type_name: &str) -> Bound {
        let (TypeFunction::Cast, Some(operand)) = (name, operand) else {
            return Err(self.not_offered(expr, "cast/isof", Lack::NoDerivedTypes));
        };
        let Some(primitive) = cast::target(type_name) else {
            return Err(self.not_offered(expr, &format!("cast(…,{type_name})"), Lack::NoDerivedTypes));
        };
        let operand = Box::new(self.bind(operand)?);
        let kind = BoundExprKind::Cast(primitive, operand);
        self.settle(expr, BoundExpr { kind, primitive: Some(primitive) })
    }

    /// Works the expression out if all that it is made of is constant.
    pub(super) fn settle(&self, expr: &Expr, bound: BoundExpr) -> Bound {
        if !bound.operands().iter().all(|operand| operand.as_literal().is_some()) {
            return Ok(bound);
        }
        match evaluate(&bound, &NoRow) {
            Ok(value) => Ok(BoundExpr::literal(value, bound.primitive)),
            Err(error) => Err(self.place.error(expr.span.start, QueryErrorKind::Evaluation(error))),
        }
    }

    /// Takes nodes from what the request may still use.
    pub(super) fn charge(&self, nodes: usize) -> Result<(), QueryError> {
        let left = self.nodes_left.get().checked_sub(nodes).ok_or_else(|| self.too_large())?;
        self.nodes_left.set(left);
        Ok(())
    }

    fn too_large(&self) -> QueryError {
        self.place.fault(QueryErrorKind::ExpressionTooLarge { nodes: NODE_LIMIT, depth: DEPTH_LIMIT })
    }

    fn unexpected_list(&self, expr: &Expr) -> QueryError {
        self.mismatch(expr, Shape::Value, Shape::List)
    }

    pub(super) fn mismatch(&self, expr: &Expr, expected: Shape, found: Shape) -> QueryError {
        self.place.error(expr.span.start, QueryErrorKind::TypeMismatch { expected, found })
    }

    pub(super) fn not_offered(&self, expr: &Expr, construct: &str, lack: Lack) -> QueryError {
        let kind = QueryErrorKind::NotOffered { construct: construct.to_owned(), lack };
        self.place.error(expr.span.start, kind)
    }
}
