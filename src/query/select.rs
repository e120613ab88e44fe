//! `$select`: the columns of the answer. A path through a navigation property, or options after it, select columns of the target, so
//! the navigation property is expanded.

use super::Computed;
use super::error::{NotOfferedReason, QueryError, QueryErrorKind};
use super::request_part::RequestPart;
use crate::error::closest;
use crate::feed::{Feed, Set};
use crate::odata::uri::syntax::{ExpandSuffix, ExpandTerm, QueryOptions, SelectItem, SelectTerm};

/// The bound `$select`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Selected {
    /// Columns in the requested order without duplicates; computed values have the indexes after the set's columns. `None` for all.
    pub(super) columns: Option<Vec<usize>>,
    /// Navigation properties that are selected by name.
    pub(super) navigations: Vec<usize>,
    /// Selections in the targets of navigation properties.
    pub(super) below: Vec<ExpandTerm>,
}

/// Binds the terms to the set.
pub(super) fn bind(
    (feed, set): (&Feed, &Set),
    computed: &[Computed],
    part: RequestPart,
    terms: Option<&[SelectTerm]>,
) -> Result<Selected, QueryError> {
    let mut selected = Selected::default();
    let Some(terms) = terms else { return Ok(selected) };
    let (mut columns, mut all) = (Vec::new(), false);
    for term in terms {
        match item((feed, set), computed, part, term)? {
            Item::All => all = true,
            Item::Column(column) if columns.contains(&column) => {}
            Item::Column(column) => columns.push(column),
            Item::Navigation(navigation) if selected.navigations.contains(&navigation) => {}
            Item::Navigation(navigation) => selected.navigations.push(navigation),
            Item::Below(term) => selected.below.push(*term),
        }
    }
    selected.columns = (!all).then_some(columns);
    Ok(selected)
}

impl Selected {
    /// The terms of `$expand`, combined with selections in targets: these add columns to an expanded navigation property, or expand
    /// another one.
    pub(super) fn expanded(&self, terms: &[ExpandTerm]) -> Vec<ExpandTerm> {
        let mut terms = terms.to_vec();
        for below in &self.below {
            match (terms.iter_mut().find(|known| known.path == below.path), only_select(&below.options)) {
                (Some(known), Some(select)) => {
                    known.options.select.get_or_insert_default().extend_from_slice(select);
                }
                _ => terms.push(below.clone()),
            }
        }
        terms
    }
}

/// The options' `$select`, if it is their only option.
fn only_select(options: &QueryOptions) -> Option<&[SelectTerm]> {
    options.select.as_deref().filter(|_| options.present() == ["$select"])
}

/// The bound form of one term.
enum Item {
    All,
    Column(usize),
    Navigation(usize),
    Below(Box<ExpandTerm>),
}

fn item(
    (feed, set): (&Feed, &Set),
    computed: &[Computed],
    part: RequestPart,
    term: &SelectTerm,
) -> Result<Item, QueryError> {
    let not_offered = |construct: &str, reason| {
        Err(part
            .error(term.span.start, QueryErrorKind::NotOffered { construct: construct.to_owned(), reason }))
    };
    match &term.item {
        SelectItem::Star => Ok(Item::All),
        SelectItem::QualifiedStar(name) => not_offered(&format!("{name}.*"), NotOfferedReason::NoOperations),
        SelectItem::Operation(path, _) => {
            not_offered(&format!("{}(…)", path.join("/")), NotOfferedReason::NoOperations)
        }
        SelectItem::Path(path) => match named(set, computed, feed.without_cast(set, path), term) {
            Some(Item::Column(_)) if term.options.is_some() => {
                not_offered(&format!("{}(…)", path.join("/")), NotOfferedReason::NoCollections)
            }
            Some(item) => Ok(item),
            None if path.first().is_some_and(|name| feed.has_type(name)) => {
                not_offered(&path.join("/"), NotOfferedReason::NoDerivedTypes)
            }
            None => Err(part.error(term.span.start, unknown_property(set, &path.join("/")))),
        },
    }
}

fn named(set: &Set, computed: &[Computed], path: &[String], term: &SelectTerm) -> Option<Item> {
    let (name, below) = path.split_first()?;
    if below.is_empty() {
        // The name of a computed value is none of the set's, but it may be a second name of one.
        let worked_out = computed.iter().position(|computed| computed.name == *name);
        let worked_out = worked_out.map(|index| set.columns.len() + index);
        if let Some(column) = worked_out.or_else(|| set.column_index(name)) {
            return Some(Item::Column(column));
        }
    }
    let navigation = set.navigation_index(name)?;
    let options = match (&term.options, below) {
        (None, []) => return Some(Item::Navigation(navigation)),
        (Some(options), []) => (**options).clone(),
        (options, below) => {
            let item = SelectItem::Path(below.to_vec());
            let term = SelectTerm { item, options: options.clone(), span: term.span };
            QueryOptions { select: Some(vec![term]), ..QueryOptions::default() }
        }
    };
    let (path, suffix) = (vec![set.navigation[navigation].name.clone()], ExpandSuffix::None);
    Some(Item::Below(Box::new(ExpandTerm { path, suffix, options, span: term.span })))
}

/// The error for a name that is not a column of the set.
pub(super) fn unknown_property(set: &Set, name: &str) -> QueryErrorKind {
    let columns = set.columns.iter().map(|column| column.name.as_str());
    let navigations = set.navigation.iter().map(|navigation| navigation.name.as_str());
    QueryErrorKind::UnknownProperty {
        name: name.to_owned(),
        set: set.name.clone(),
        suggestion: closest(name, columns.chain(navigations)),
    }
}
