//! `$expand`: target rows of navigation properties inside the rows that lead to them, each with its own options. `$levels` is replaced
//! by nested expansions of the same navigation property.

use std::cell::Cell;

use super::error::{NotOfferedReason, QueryError, QueryErrorKind};
use super::request_part::RequestPart;
use super::{BoundExpand, BoundQuery, ExpandForm, Target};
use crate::feed::{Feed, Navigation, Set};
use crate::odata::uri::syntax::{ExpandSuffix, ExpandTerm, Levels, QueryOptions};

pub(super) const PART: RequestPart = RequestPart("$expand");

/// The most expanded navigation properties of one request, all levels together.
const EXPAND_LIMIT: usize = 100;
/// The number of levels for `max`; no hierarchy is deeper.
const DEEPEST: u64 = 12;

/// How many navigation properties a request may still expand.
#[derive(Debug)]
pub(super) struct Allowance(Cell<usize>);

impl Default for Allowance {
    fn default() -> Self {
        Self(Cell::new(EXPAND_LIMIT))
    }
}

impl Allowance {
    fn take(&self, at: usize) -> Result<(), QueryError> {
        match self.0.get().checked_sub(1) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(PART.error(at, QueryErrorKind::TooManyExpansions { max: EXPAND_LIMIT })),
        }
    }
}

/// Binds the `$expand` of a request.
pub(super) struct Expander<'a> {
    pub(super) feed: &'a Feed,
    pub(super) allowance: &'a Allowance,
    /// Binds the options of a term to the target set.
    pub(super) inner: &'a dyn Fn(usize, &QueryOptions) -> Result<BoundQuery, QueryError>,
}

impl Expander<'_> {
    /// Binds the terms; each navigation property may occur once.
    pub(super) fn bind(&self, set: &Set, terms: &[ExpandTerm]) -> Result<Vec<BoundExpand>, QueryError> {
        let mut bound: Vec<BoundExpand> = Vec::new();
        let (named, stars): (Vec<_>, Vec<_>) = terms.iter().partition(|term| !is_star(term));
        for term in named {
            let navigation = self.navigation(set, term)?;
            if bound.iter().any(|known| known.navigation == navigation) {
                let name = set.navigation[navigation].name.clone();
                return Err(PART.error(term.span.start, QueryErrorKind::NameTaken { name }));
            }
            bound.push(self.expand(set, navigation, term)?);
        }
        for term in stars {
            for navigation in 0..set.navigation.len() {
                if bound.iter().all(|known| known.navigation != navigation) {
                    bound.push(self.expand(set, navigation, term)?);
                }
            }
        }
        Ok(bound)
    }

    /// The navigation property that a term names. Casts to the own type of the set or of the target may stand beside it.
    fn navigation(&self, set: &Set, term: &ExpandTerm) -> Result<usize, QueryError> {
        let error = |kind| Err(PART.error(term.span.start, kind));
        let position = |name: &str| set.navigation_index(name);
        let is_cast_of_target = |navigation: usize, name: &str| {
            let target = self.feed.sets.get(set.navigation[navigation].target);
            target.is_some_and(|target| self.feed.is_type_of(target, name))
        };
        match self.feed.without_cast(set, &term.path) {
            [name] => match position(name) {
                Some(navigation) => Ok(navigation),
                None => error(unknown_navigation(set, name)),
            },
            path => {
                if let [name, cast] = path
                    && let Some(navigation) = position(name)
                    && is_cast_of_target(navigation, cast)
                {
                    return Ok(navigation);
                }
                let is_cast = path.iter().any(|name| self.feed.has_type(name));
                let reason = match path.first().is_some_and(|first| set.has(first)) && !is_cast {
                    true => NotOfferedReason::NestedNavigation,
                    false => NotOfferedReason::NoDerivedTypes,
                };
                error(QueryErrorKind::NotOffered { construct: path.join("/"), reason })
            }
        }
    }

    fn expand(&self, set: &Set, navigation: usize, term: &ExpandTerm) -> Result<BoundExpand, QueryError> {
        let at = &set.navigation[navigation];
        self.allowance.take(term.span.start)?;
        check_options(at, term)?;
        let shown = match term.suffix {
            ExpandSuffix::None => ExpandForm::Rows,
            ExpandSuffix::Ref => ExpandForm::References,
            ExpandSuffix::Count => ExpandForm::Count,
            ExpandSuffix::Value => {
                let construct = format!("{}/$value", at.name);
                let kind = QueryErrorKind::NotOffered { construct, reason: NotOfferedReason::NoStreams };
                return Err(PART.error(term.span.start, kind));
            }
        };
        let mut query = (self.inner)(at.target, &term.options)?;
        if let Some(next) = self.next_level(set, at, term)? {
            let target = &self.feed.sets[at.target];
            let more = self.bind(target, &[next])?;
            query.expand.extend(more);
        }
        if shown == ExpandForm::Count {
            (query.target, query.order, query.top, query.skip) = (Target::Count, Vec::new(), None, 0);
        }
        query.references = shown == ExpandForm::References;
        Ok(BoundExpand { navigation, shown, query })
    }

    /// The term for the next level, if `$levels` asks for one.
    fn next_level(
        &self,
        set: &Set,
        navigation: &Navigation,
        term: &ExpandTerm,
    ) -> Result<Option<ExpandTerm>, QueryError> {
        let levels = match term.options.levels {
            None => return Ok(None),
            Some(Levels::Number(number)) => number.min(DEEPEST),
            Some(Levels::Max) => DEEPEST,
        };
        let recursive = self.feed.sets.get(navigation.target).is_some_and(|target| target.name == set.name);
        if !recursive && !is_star(term) {
            let kind = QueryErrorKind::OptionNotApplicable {
                option: "$levels",
                target: "a navigation property to another set",
            };
            return Err(PART.error(term.span.start, kind));
        }
        if levels <= 1 {
            return Ok(None);
        }
        let options = QueryOptions { levels: Some(Levels::Number(levels - 1)), ..term.options.clone() };
        Ok(Some(ExpandTerm { options, ..term.clone() }))
    }
}

fn is_star(term: &ExpandTerm) -> bool {
    matches!(term.path.as_slice(), [only] if only == "*")
}

fn unknown_navigation(set: &Set, name: &str) -> QueryErrorKind {
    if set.column_index(name).is_some() {
        return QueryErrorKind::NotANavigation { name: name.to_owned(), set: set.name.clone() };
    }
    let navigations = set.navigation.iter().map(|navigation| navigation.name.as_str());
    let suggestion = crate::error::closest(name, navigations);
    QueryErrorKind::UnknownProperty { name: name.to_owned(), set: set.name.clone(), suggestion }
}

/// Refuses options for collections on a navigation property to one row.
fn check_options(navigation: &Navigation, term: &ExpandTerm) -> Result<(), QueryError> {
    let options = &term.options;
    let for_many = [
        ("$orderby", options.orderby.is_some()),
        ("$top", options.top.is_some()),
        ("$skip", options.skip.is_some()),
        ("$count", options.count.is_some() || term.suffix == ExpandSuffix::Count),
        ("$search", options.search.is_some()),
    ];
    let wrong = for_many.into_iter().find(|(_, given)| *given && !navigation.collection && !is_star(term));
    if let Some((option, _)) = wrong {
        let kind = QueryErrorKind::OptionNotApplicable { option, target: "a single entity" };
        return Err(PART.error(term.span.start, kind));
    }
    if options.apply.is_some() {
        let (construct, reason) = ("$expand(…$apply…)".to_owned(), NotOfferedReason::NotBuilt);
        return Err(PART.error(term.span.start, QueryErrorKind::NotOffered { construct, reason }));
    }
    Ok(())
}
