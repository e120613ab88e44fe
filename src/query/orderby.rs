//! `$orderby`: the terms that rows are sorted by, first term first.

use super::error::QueryError;
use super::expr::Binder;
use super::{BoundExprKind, OrderKey};
use crate::odata::uri::syntax::OrderTerm;

/// The terms of the order. A term whose expression already stands before it, or is a constant, sorts nothing and is left out.
pub(super) fn bind(binder: &Binder<'_>, terms: &[OrderTerm]) -> Result<Vec<OrderKey>, QueryError> {
    let mut keys: Vec<OrderKey> = Vec::with_capacity(terms.len());
    for term in terms {
        let expr = binder.bind(&term.expr)?;
        let constant = matches!(expr.kind, BoundExprKind::Literal(_));
        if !constant && keys.iter().all(|key| key.expr != expr) {
            keys.push(OrderKey { expr, descending: term.descending });
        }
    }
    Ok(keys)
}
