//! `$select`: the columns of the answer. A path through a way selects at the other end, and so expands the way.

use super::Computed;
use super::error::{Lack, QueryError, QueryErrorKind, closest};
use super::place::Place;
use crate::feed::Set;
use crate::odata::uri::syntax::{ExpandSuffix, ExpandTerm, QueryOptions, SelectItem, SelectTerm};

/// What is selected.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Selected {
    /// Columns in the order asked for, each once, computed values behind those of the set; `None` for all.
    pub(super) columns: Option<Vec<usize>>,
    /// Ways that are selected by name.
    pub(super) ways: Vec<usize>,
    /// Terms for the other ends of ways, by the way's name.
    pub(super) below: Vec<(String, SelectTerm)>,
}

/// Reads the terms against the set.
pub(super) fn bind(
    set: &Set,
    computed: &[Computed],
    place: Place,
    terms: Option<&[SelectTerm]>,
) -> Result<Selected, QueryError> {
    let mut selected = Selected::default();
    let Some(terms) = terms else { return Ok(selected) };
    let (mut columns, mut all) = (Vec::new(), false);
    for term in terms {
        match item(set, computed, place, term)? {
            Item::All => all = true,
            Item::Column(column) if columns.contains(&column) => {}
            Item::Column(column) => columns.push(column),
            Item::Way(way) if selected.ways.contains(&way) => {}
            Item::Way(way) => selected.ways.push(way),
            Item::Below(way, term) => selected.below.push((way, term)),
        }
    }
    selected.columns = (!all).then_some(columns);
    Ok(selected)
}

impl Selected {
    /// The terms of `$expand` with what is selected through ways.
    pub(super) fn expanded(&self, terms: &[ExpandTerm]) -> Vec<ExpandTerm> {
        let mut terms = terms.to_vec();
        for (way, term) in &self.below {
            let known = terms.iter_mut().find(|known| known.path.as_slice() == std::slice::from_ref(way));
            match known {
                Some(known) => known.options.select.get_or_insert_default().push(term.clone()),
                None => terms.push(ExpandTerm {
                    path: vec![way.clone()],
                    suffix: ExpandSuffix::None,
                    options: QueryOptions { select: Some(vec![term.clone()]), ..QueryOptions::default() },
                    span: term.span,
                }),
            }
        }
        terms
    }
}

/// What one term selects.
enum Item {
    All,
    Column(usize),
    Way(usize),
    Below(String, SelectTerm),
}

fn item(set: &Set, computed: &[Computed], place: Place, term: &SelectTerm) -> Result<Item, QueryError> {
    let not_offered = |construct: &str, lack| {
        Err(place
            .error(term.span.start, QueryErrorKind::NotOffered { construct: construct.to_owned(), lack }))
    };
    if term.options.as_deref().is_some_and(|options| *options != QueryOptions::default()) {
        return not_offered("$select(…)", Lack::NoDerivedTypes);
    }
    match &term.item {
        SelectItem::Star => Ok(Item::All),
        SelectItem::QualifiedStar(name) => not_offered(&format!("{name}.*"), Lack::NoOperations),
        SelectItem::Operation(path, _) => not_offered(&format!("{}(…)", path.join("/")), Lack::NoOperations),
        SelectItem::Path(path) => named(set, computed, path, term)
            .ok_or_else(|| place.error(term.span.start, unknown_property(set, &path.join("/")))),
    }
}

fn named(set: &Set, computed: &[Computed], path: &[String], term: &SelectTerm) -> Option<Item> {
    let (name, below) = path.split_first()?;
    if below.is_empty() {
        let own = set.column_index(name);
        let worked_out = || computed.iter().position(|computed| computed.name == *name);
        if let Some(column) = own.or_else(|| Some(set.columns.len() + worked_out()?)) {
            return Some(Item::Column(column));
        }
    }
    let way = set.navigation.iter().position(|way| way.name == *name)?;
    if below.is_empty() {
        return Some(Item::Way(way));
    }
    let item = SelectItem::Path(below.to_vec());
    Some(Item::Below(name.clone(), SelectTerm { item, options: None, span: term.span }))
}

/// The error for a name that is no column of the set.
pub(super) fn unknown_property(set: &Set, name: &str) -> QueryErrorKind {
    let columns = set.columns.iter().map(|column| column.name.as_str());
    let ways = set.navigation.iter().map(|way| way.name.as_str());
    QueryErrorKind::UnknownProperty {
        name: name.to_owned(),
        set: set.name.clone(),
        suggestion: closest(name, columns.chain(ways)),
    }
}
