//! `$select`: the columns of the answer.

use super::error::{Lack, QueryError, QueryErrorKind, closest};
use super::place::Place;
use crate::feed::Set;
use crate::odata::uri::syntax::{QueryOptions, SelectItem, SelectTerm};

const PLACE: Place = Place("$select");

/// The selected columns in the order asked for, each once; `None` for all.
pub(super) fn bind(set: &Set, terms: Option<&[SelectTerm]>) -> Result<Option<Vec<usize>>, QueryError> {
    let Some(terms) = terms else { return Ok(None) };
    let (mut columns, mut all) = (Vec::new(), false);
    for term in terms {
        match column(set, term)? {
            None => all = true,
            Some(column) if columns.contains(&column) => {}
            Some(column) => columns.push(column),
        }
    }
    Ok((!all).then_some(columns))
}

/// The column that a term names; `None` for the star.
fn column(set: &Set, term: &SelectTerm) -> Result<Option<usize>, QueryError> {
    let not_offered = |construct: &str, lack| {
        Err(PLACE
            .error(term.span.start, QueryErrorKind::NotOffered { construct: construct.to_owned(), lack }))
    };
    if term.options.as_deref().is_some_and(|options| *options != QueryOptions::default()) {
        return not_offered("$select(…)", Lack::NoDerivedTypes);
    }
    match &term.item {
        SelectItem::Star => Ok(None),
        SelectItem::QualifiedStar(name) => not_offered(&format!("{name}.*"), Lack::NotBuilt),
        SelectItem::Operation(path, _) => not_offered(&format!("{}(…)", path.join("/")), Lack::NotBuilt),
        SelectItem::Path(path) => match path.as_slice() {
            [name] if set.column_index(name).is_some() => Ok(set.column_index(name)),
            [name, ..] if set.navigation.iter().any(|way| way.name == *name) => {
                not_offered(name, Lack::Navigation)
            }
            _ => Err(PLACE.error(term.span.start, unknown_property(set, &path.join("/")))),
        },
    }
}

/// The error for a name that is no column of the set.
pub(super) fn unknown_property(set: &Set, name: &str) -> QueryErrorKind {
    let names = set.columns.iter().map(|column| column.name.as_str());
    QueryErrorKind::UnknownProperty {
        name: name.to_owned(),
        set: set.name.clone(),
        suggestion: closest(name, names),
    }
}
