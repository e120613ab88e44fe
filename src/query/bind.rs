//! Binds a request to a feed. Each option is bound in the file named after it; this file decides which options apply to what.

use chrono::{DateTime, Utc};

use super::apply::BoundApply;
use super::error::{NotOfferedReason, QueryError, QueryErrorKind};
use super::expand::{self, Allowance, Expander};
use super::expr::{Binder, NodeBudget, Scope};
use super::path::Addressed;
use super::request_part::RequestPart;
use super::unknown_member::UnknownMembers;
use super::{BoundQuery, Target, apply, compute, filter, orderby, path, search, select};
use crate::feed::{Feed, Set};
use crate::odata::uri::syntax::{QueryOptions, RequestSyntax};

/// Binds the request. `now` is the value of `now()` in the whole request.
///
/// # Errors
/// When a name is unknown, types do not fit, or something is not supported.
pub fn bind(feed: &Feed, request: &RequestSyntax, now: DateTime<Utc>) -> Result<BoundQuery, QueryError> {
    let options = &request.options;
    let (nodes, unknown_members) = (NodeBudget::default(), UnknownMembers::default());
    let scope =
        Scope { feed, aliases: &options.aliases, now, nodes: &nodes, unknown_members: &unknown_members };
    let addressed = path::bind(scope, &request.path)?;
    refuse_unoffered(options)?;
    refuse_inapplicable(options, &addressed)?;
    let allowance = Allowance::default();
    let request = Request { scope, allowance: &allowance };
    let Addressed { set: index, target, conditions, references, origin } = addressed;
    let set = &feed.sets[index];
    let apply = request.apply(set, options)?;
    if apply.is_some() && (origin.is_some() || !conditions.is_empty()) {
        let (construct, reason) = ("$apply under en anden række".to_owned(), NotOfferedReason::NotBuilt);
        return Err(RequestPart("$apply").fault(QueryErrorKind::NotOffered { construct, reason }));
    }
    let set = apply.as_ref().map_or(set, |apply| &apply.result);
    let mut query = request.rows(index, set, options, None)?;
    query.filter = filter::joined(conditions.into_iter().chain(query.filter));
    match apply {
        // An `$apply` of filters only is a filter.
        Some(apply) if apply.steps.is_empty() => {
            query.filter = filter::joined(apply.filter.into_iter().chain(query.filter));
        }
        apply => query.apply = apply,
    }
    (query.target, query.references, query.origin) = (target, references, origin);
    if query.target == Target::Count {
        // `/$count` counts all matching rows, whatever `$top` and `$skip` are.
        (query.order, query.select, query.top, query.skip) = (Vec::new(), None, None, 0);
        (query.computed, query.expand) = (Vec::new(), Vec::new());
    }
    query.unknown_members = unknown_members.noted();
    Ok(query)
}

/// The context that all options of a request share.
struct Request<'a> {
    scope: Scope<'a>,
    allowance: &'a Allowance,
}

impl Request<'_> {
    /// Binds the options of an expanded navigation property to its target set.
    fn inner(&self, set: usize, options: &QueryOptions) -> Result<BoundQuery, QueryError> {
        let aliases: Vec<_> = options.aliases.iter().chain(self.scope.aliases).cloned().collect();
        let request = Request { scope: Scope { aliases: &aliases, ..self.scope }, allowance: self.allowance };
        request.rows(set, &self.scope.feed.sets[set], options, Some(expand::PART))
    }

    fn apply(&self, set: &Set, options: &QueryOptions) -> Result<Option<BoundApply>, QueryError> {
        let Some(transformations) = &options.apply else { return Ok(None) };
        apply::refuse_beside(options)?;
        apply::bind(self.scope, set, transformations).map(Some)
    }

    /// Binds the options for the rows of a set. Errors in options inside `$expand` are reported as errors of `$expand`.
    fn rows(
        &self,
        index: usize,
        set: &Set,
        options: &QueryOptions,
        outer: Option<RequestPart>,
    ) -> Result<BoundQuery, QueryError> {
        let feed = self.scope.feed;
        let part = |option| outer.unwrap_or(RequestPart(option));
        let binder = |option| Binder::new(self.scope, set, part(option)).for_inner_rows(outer.is_some());
        let computed = compute::bind(|| binder("$compute"), options.compute.as_deref().unwrap_or_default())?;
        let binder = |option| binder(option).with_computed(&computed);
        let filter = filter::bind(&binder("$filter"), options.filter.as_ref())?;
        let search = options.search.as_ref();
        let found = search.map(|search| search::condition(&binder("$search"), search)).transpose()?;
        let order = orderby::bind(&binder("$orderby"), options.orderby.as_deref().unwrap_or_default())?;
        let selected = select::bind((feed, set), &computed, part("$select"), options.select.as_deref())?;
        let expand = selected.expanded(options.expand.as_deref().unwrap_or_default());
        let inner = |set, options: &QueryOptions| self.inner(set, options);
        let expander = Expander { feed, allowance: self.allowance, inner: &inner };
        Ok(BoundQuery {
            filter: filter::joined(filter.into_iter().chain(found)),
            order,
            select: selected.columns,
            top: options.top,
            skip: options.skip.unwrap_or(0),
            count: options.count.unwrap_or(false),
            selected_navigation: selected.navigations,
            expand: expander.bind(set, &expand)?,
            computed,
            ..BoundQuery::of(index, Target::Collection)
        })
    }
}

/// Refuses options that are not supported.
fn refuse_unoffered(options: &QueryOptions) -> Result<(), QueryError> {
    let unoffered = [
        ("$deltatoken", options.deltatoken.is_some(), NotOfferedReason::NoChanges),
        ("$levels", options.levels.is_some(), NotOfferedReason::NotBuilt),
        ("$index", options.index.is_some(), NotOfferedReason::NoCollections),
        ("$id", options.id.is_some(), NotOfferedReason::NotBuilt),
        ("$at", !options.temporal.is_empty(), NotOfferedReason::NotBuilt),
    ];
    match unoffered.into_iter().find(|(_, given, _)| *given) {
        Some((option, _, reason)) => {
            Err(RequestPart(option)
                .fault(QueryErrorKind::NotOffered { construct: option.to_owned(), reason }))
        }
        None => Ok(()),
    }
}

/// Refuses options for collections on a single row, and all options on a single value or a reference.
fn refuse_inapplicable(options: &QueryOptions, addressed: &Addressed) -> Result<(), QueryError> {
    let (name, is_many) = match addressed.target {
        Target::Count => return Ok(()),
        Target::Collection => ("references", true),
        Target::Entity(_) => ("a single entity", false),
        Target::Property { .. } => ("a property", false),
    };
    let is_row = matches!(addressed.target, Target::Collection | Target::Entity(_));
    let shaped = is_row && !addressed.references;
    let given = [
        ("$apply", options.apply.is_some(), is_many && shaped),
        ("$filter", options.filter.is_some(), is_many),
        ("$orderby", options.orderby.is_some(), is_many),
        ("$search", options.search.is_some(), is_many),
        ("$top", options.top.is_some(), is_many),
        ("$skip", options.skip.is_some(), is_many),
        ("$count", options.count.is_some(), is_many),
        ("$select", options.select.is_some(), shaped),
        ("$expand", options.expand.is_some(), shaped),
        ("$compute", options.compute.is_some(), shaped || is_many),
    ];
    match given.into_iter().find(|(_, given, applies)| *given && !applies) {
        Some((option, ..)) => {
            Err(RequestPart(option).fault(QueryErrorKind::OptionNotApplicable { option, target: name }))
        }
        None => Ok(()),
    }
}
