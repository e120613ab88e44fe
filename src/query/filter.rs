//! `$filter`: a condition on the columns of a row. Rows for which it is true pass; those for which it is false or unknown do not.

use super::BoundExpr;
use super::error::QueryError;
use super::expr::Binder;
use crate::odata::uri::syntax::Expr;
use crate::odata::value::Value;

/// The condition; `None` if every row passes.
pub(super) fn bind(binder: &Binder<'_>, filter: Option<&Expr>) -> Result<Option<BoundExpr>, QueryError> {
    let Some(filter) = filter else { return Ok(None) };
    let condition = binder.condition(filter)?;
    Ok((condition.as_literal() != Some(&Value::Boolean(true))).then_some(condition))
}

/// The conjunction of several conditions; `None` if there are none.
pub(super) fn joined(conditions: impl Iterator<Item = BoundExpr>) -> Option<BoundExpr> {
    let mut conditions = conditions.peekable();
    conditions.peek()?;
    Some(BoundExpr::all(conditions))
}
