//! `in`: equality with any of a list of values.

use super::error::Shape;
use super::expr::{Binder, Bound};
use super::{BoundExpr, BoundExprKind, Comparison, error::QueryError};
use crate::odata::uri::syntax::{Expr, ExprKind, Literal};
use crate::odata::value::Value;

impl Binder<'_> {
    /// Constants of the operand's type become a list of values; other elements are compared one by one.
    pub(super) fn membership(&self, expr: &Expr, operand: &Expr, list: &Expr) -> Bound {
        let bound = self.bind(operand)?;
        let size = bound.nodes().count();
        let (mut constants, mut others) = (Vec::new(), Vec::new());
        self.each_element(list, &mut |at| {
            let element = self.bind(at)?;
            // Each comparison has a copy of the operand.
            self.charge(size)?;
            let (first, second) = self.aligned(bound.clone(), at, element)?;
            match second.as_literal() {
                Some(value) if first.primitive == bound.primitive => {
                    constants.push((at.span.start, value.clone()));
                }
                _ => others.push(BoundExpr::boolean(BoundExprKind::Compare(
                    Comparison::Eq,
                    Box::new(first),
                    Box::new(second),
                ))),
            }
            Ok(())
        })?;
        self.note_unknown_members((operand, &bound), &constants);
        let values = constants.into_iter().map(|(_, value)| value).collect();
        let listed =
            self.fold_constants(expr, BoundExpr::boolean(BoundExprKind::In(Box::new(bound), values)))?;
        if others.is_empty() {
            return Ok(listed);
        }
        others.insert(0, listed);
        Ok(BoundExpr::boolean(BoundExprKind::Or(others)))
    }

    /// Visits the elements of a list; a single value in parentheses is a list of one, and an alias is replaced by its list.
    fn each_element(
        &self,
        list: &Expr,
        visit: &mut dyn FnMut(&Expr) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        match &list.kind {
            ExprKind::List(elements) => elements.iter().try_for_each(visit),
            ExprKind::Literal(Literal::Value(Value::List(values))) => values.iter().try_for_each(|value| {
                visit(&Expr { kind: ExprKind::Literal(Literal::Value(value.clone())), span: list.span })
            }),
            ExprKind::Literal(_) => visit(list),
            ExprKind::Alias(name) => self.through_alias(name, |aliased| match aliased {
                Some(aliased) => self.each_element(aliased, visit),
                None => Err(self.mismatch(list, Shape::List, Shape::Null)),
            }),
            _ => {
                let found = Shape::of(self.bind(list)?.primitive);
                Err(self.mismatch(list, Shape::List, found))
            }
        }
    }
}
