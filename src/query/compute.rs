//! `$compute`: values computed for every row, with names that the other options may use. A name is replaced by its expression
//! wherever it is used, so that a condition on it is pushed down like one on the expression.

use super::error::{NotOfferedReason, QueryError, QueryErrorKind};
use super::expr::Binder;
use super::{BoundExpr, Computed};
use crate::feed::Set;
use crate::odata::uri::syntax::ComputeTerm;
use crate::odata::value::PrimitiveType;

/// The most terms, and the most nodes of all terms together after names are replaced.
const TERM_LIMIT: usize = 16;
const NODE_LIMIT: usize = 20_000;

/// The computed values in the order given; each may use those before it.
pub(super) fn bind<'a>(
    binder: impl Fn() -> Binder<'a>,
    terms: &[ComputeTerm],
) -> Result<Vec<Computed>, QueryError> {
    let mut computed: Vec<Computed> = Vec::new();
    let mut nodes = 0;
    for term in terms {
        let binder = binder().with_computed(&computed);
        let error = |kind| binder.part.error(term.span.start, kind);
        if is_taken(binder.set, &computed, &term.alias) {
            return Err(error(QueryErrorKind::NameTaken { name: term.alias.clone() }));
        }
        let expr = binder.bind(&term.expr)?;
        if !is_shown(&expr) {
            return Err(binder.not_offered(&term.expr, "$compute", NotOfferedReason::NoSuchColumns));
        }
        nodes += expr.nodes().count();
        if nodes > NODE_LIMIT || computed.len() >= TERM_LIMIT {
            return Err(error(QueryErrorKind::ExpressionTooLarge { nodes: NODE_LIMIT, depth: TERM_LIMIT }));
        }
        computed.push(Computed { name: term.alias.clone(), expr });
    }
    Ok(computed)
}

/// Whether a name is taken. Letter case is ignored, because many clients treat such names as equal.
fn is_taken(set: &Set, computed: &[Computed], name: &str) -> bool {
    let columns = set.columns.iter().map(|column| column.name.as_str());
    let navigations = set.navigation.iter().map(|navigation| navigation.name.as_str());
    let before = computed.iter().map(|computed| computed.name.as_str());
    columns.chain(navigations).chain(before).any(|taken| taken.to_lowercase() == name.to_lowercase())
}

/// Whether the expression's type can be the type of a column.
fn is_shown(expr: &BoundExpr) -> bool {
    use PrimitiveType as Type;
    !matches!(expr.primitive, Some(Type::Duration | Type::TimeOfDay | Type::Guid | Type::Binary))
}
