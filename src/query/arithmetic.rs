//! Arithmetic: which operators are defined for which types, and the type of the result.

use super::error::{NotOfferedReason, QueryError, Shape};
use super::eval::negate;
use super::expr::{Binder, Bound};
use super::{Arithmetic, BoundExpr, BoundExprKind};
use crate::odata::uri::syntax::{BinaryOp, Expr};
use crate::odata::value::PrimitiveType;

impl Binder<'_> {
    pub(super) fn arithmetic(
        &self,
        expr: &Expr,
        operator: BinaryOp,
        (left, bound_left): (&Expr, BoundExpr),
        right: &Expr,
    ) -> Bound {
        let operator = match operator {
            BinaryOp::Add => Arithmetic::Add,
            BinaryOp::Sub => Arithmetic::Sub,
            BinaryOp::Mul => Arithmetic::Mul,
            BinaryOp::Div => Arithmetic::Div,
            BinaryOp::DivBy => Arithmetic::DivBy,
            BinaryOp::Mod => Arithmetic::Mod,
            BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Has
            | BinaryOp::Eq
            | BinaryOp::Ne
            | BinaryOp::Lt
            | BinaryOp::Le
            | BinaryOp::Gt
            | BinaryOp::Ge => return Err(self.not_offered(expr, "operator", NotOfferedReason::NotBuilt)),
        };
        self.check_operand(left, &bound_left)?;
        let bound_right = self.bind(right)?;
        self.check_operand(right, &bound_right)?;
        let primitive = match (bound_left.primitive, bound_right.primitive) {
            (None, known) | (known, None) => known,
            (Some(a), Some(b)) => match result(operator, a, b) {
                Some(primitive) => Some(primitive),
                None if a == PrimitiveType::Duration || b == PrimitiveType::Duration => {
                    return Err(self.not_offered(expr, "duration", NotOfferedReason::NotBuilt));
                }
                None => {
                    let (at, found) = if a.is_numeric() { (right, b) } else { (left, a) };
                    return Err(self.mismatch(at, Shape::Number, Shape::Primitive(found)));
                }
            },
        };
        let kind = BoundExprKind::Arithmetic(operator, Box::new(bound_left), Box::new(bound_right));
        self.fold_constants(expr, BoundExpr { kind, primitive })
    }

    pub(super) fn negation(&self, expr: &Expr, operand: &Expr) -> Bound {
        let bound = self.bind(operand)?;
        self.check_operand(operand, &bound)?;
        let primitive = bound.primitive;
        match (bound.as_literal().map(negate), primitive) {
            (Some(Ok(value)), _) => Ok(BoundExpr::literal(value, primitive)),
            (_, Some(found)) if !found.is_numeric() && found != PrimitiveType::Duration => {
                Err(self.mismatch(operand, Shape::Number, Shape::Primitive(found)))
            }
            _ => {
                let kind = BoundExprKind::Negate(Box::new(bound));
                self.fold_constants(expr, BoundExpr { kind, primitive })
            }
        }
    }

    /// Arithmetic is defined for numbers, dates and durations, not for booleans, texts and GUIDs.
    fn check_operand(&self, expr: &Expr, bound: &BoundExpr) -> Result<(), QueryError> {
        use PrimitiveType as Type;
        match bound.primitive {
            Some(Type::String | Type::Boolean | Type::Guid | Type::Binary) => {
                Err(self.mismatch(expr, Shape::Number, Shape::of(bound.primitive)))
            }
            _ => Ok(()),
        }
    }
}

/// The type of the result; `None` where the operator is not defined for the types or not supported.
fn result(operator: Arithmetic, left: PrimitiveType, right: PrimitiveType) -> Option<PrimitiveType> {
    use PrimitiveType as Type;
    let additive = matches!(operator, Arithmetic::Add | Arithmetic::Sub);
    match (left, right) {
        _ if left.is_numeric() && right.is_numeric() => Some(promoted(operator, left, right)),
        (Type::Date | Type::DateTimeOffset | Type::Duration, Type::Duration) => additive.then_some(left),
        (Type::Date, Type::Date) | (Type::DateTimeOffset, Type::DateTimeOffset) => {
            (operator == Arithmetic::Sub).then_some(Type::Duration)
        }
        _ => None,
    }
}

/// Numeric promotion: the wider of the two types (whole numbers, decimals, doubles).
fn promoted(operator: Arithmetic, left: PrimitiveType, right: PrimitiveType) -> PrimitiveType {
    let either = |wanted| left == wanted || right == wanted;
    if either(PrimitiveType::Double) || either(PrimitiveType::Single) {
        PrimitiveType::Double
    } else if either(PrimitiveType::Decimal) || operator == Arithmetic::DivBy {
        PrimitiveType::Decimal
    } else {
        PrimitiveType::Int64
    }
}
