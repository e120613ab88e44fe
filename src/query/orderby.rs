//! `$orderby`: the terms that rows are sorted by, first term first.

use super::error::{QueryError, QueryErrorKind};
use super::expr::Binder;
use super::{BoundExprKind, OrderKey};
use crate::odata::uri::syntax::OrderTerm;

/// The most terms, and the most terms whose values are computed for every row and kept while sorting.
const TERM_LIMIT: usize = 64;
const COMPUTED_LIMIT: usize = 4;

/// The order keys. A constant term, or one that repeats an earlier expression, has no effect and is left out.
pub(super) fn bind(binder: &Binder<'_>, terms: &[OrderTerm]) -> Result<Vec<OrderKey>, QueryError> {
    let mut keys: Vec<OrderKey> = Vec::with_capacity(terms.len());
    for term in terms {
        let expr = binder.bind(&term.expr)?;
        let constant = matches!(expr.kind, BoundExprKind::Literal(_));
        if !constant && keys.iter().all(|key| key.expr != expr) {
            keys.push(OrderKey { expr, descending: term.descending });
            check_count(binder, term, &keys)?;
        }
    }
    Ok(keys)
}

fn check_count(binder: &Binder<'_>, term: &OrderTerm, keys: &[OrderKey]) -> Result<(), QueryError> {
    let computed = keys.iter().filter(|key| !matches!(key.expr.kind, BoundExprKind::Column(_))).count();
    if keys.len() <= TERM_LIMIT && computed <= COMPUTED_LIMIT {
        return Ok(());
    }
    let kind = QueryErrorKind::TooManyTerms { max: TERM_LIMIT, max_computed: COMPUTED_LIMIT };
    Err(binder.part.error(term.expr.span.start, kind))
}
