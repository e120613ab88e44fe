//! `$filter`: one condition over the columns of a row. A row passes where it is true; unknown is not true.

use super::BoundExpr;
use super::error::QueryError;
use super::expr::Binder;
use crate::odata::uri::syntax::Expr;
use crate::odata::value::Value;

/// The condition; `None` where every row passes.
pub(super) fn bind(binder: &Binder<'_>, filter: Option<&Expr>) -> Result<Option<BoundExpr>, QueryError> {
    let Some(filter) = filter else { return Ok(None) };
    let condition = binder.condition(filter)?;
    Ok((condition.as_literal() != Some(&Value::Boolean(true))).then_some(condition))
}

/// One condition out of several, all of which must be true; `None` out of none.
pub(super) fn joined(conditions: impl Iterator<Item = BoundExpr>) -> Option<BoundExpr> {
    let mut conditions = conditions.peekable();
    conditions.peek()?;
    Some(BoundExpr::all(conditions))
}
