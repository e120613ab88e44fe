//! One request read against one feed. Each option is bound in the file named after it; which of them apply to what stands here.

use chrono::{DateTime, Utc};

use super::apply::BoundApply;
use super::error::{Lack, QueryError, QueryErrorKind};
use super::expr::Binder;
use super::place::Place;
use super::{BoundQuery, Target, apply, filter, orderby, path, select};
use crate::feed::{Feed, Set};
use crate::odata::uri::syntax::{QueryOptions, RequestSyntax};

/// Binds the request. `now` is the instant that `now()` stands for, one for the whole request.
///
/// # Errors
/// When a name is unknown, types do not fit, or something is asked for that is not offered.
pub fn bind(feed: &Feed, request: &RequestSyntax, now: DateTime<Utc>) -> Result<BoundQuery, QueryError> {
    let options = &request.options;
    let (index, set, target) = path::bind(feed, &request.path, &options.aliases, now)?;
    refuse_unoffered(options)?;
    refuse_inapplicable(options, &target)?;
    let apply = apply_option(feed, set, options, now)?;
    let set = apply.as_ref().map_or(set, |apply| &apply.result);
    let binder = |option| Binder::new(feed, set, &options.aliases, Place(option), now);
    let mut query = BoundQuery {
        set: index,
        target,
        filter: filter::bind(&binder("$filter"), options.filter.as_ref())?,
        order: orderby::bind(&binder("$orderby"), options.orderby.as_deref().unwrap_or_default())?,
        select: select::bind(set, options.select.as_deref())?,
        top: options.top,
        skip: options.skip.unwrap_or(0),
        count: options.count.unwrap_or(false),
        apply: None,
    };
    match apply {
        // Conditions alone make no new rows: they are a filter like another.
        Some(apply) if apply.steps.is_empty() => {
            query.filter = apply::conjunction(apply.filter.into_iter().chain(query.filter.take()));
        }
        apply => query.apply = apply,
    }
    if query.target == Target::Count {
        // The number of all rows that match, whatever window was asked for beside it.
        (query.order, query.select, query.top, query.skip) = (Vec::new(), None, None, 0);
    }
    Ok(query)
}

fn apply_option(
    feed: &Feed,
    set: &Set,
    options: &QueryOptions,
    now: DateTime<Utc>,
) -> Result<Option<BoundApply>, QueryError> {
    let Some(transformations) = &options.apply else { return Ok(None) };
    apply::refuse_beside(options)?;
    apply::bind(feed, set, transformations, &options.aliases, now).map(Some)
}

/// Options of the standard that have no meaning here yet.
fn refuse_unoffered(options: &QueryOptions) -> Result<(), QueryError> {
    let unoffered = [
        ("$expand", options.expand.is_some(), Lack::Navigation),
        ("$search", options.search.is_some(), Lack::NotBuilt),
        ("$compute", options.compute.is_some(), Lack::NotBuilt),
        ("$deltatoken", options.deltatoken.is_some(), Lack::NotBuilt),
        ("$levels", options.levels.is_some(), Lack::Navigation),
        ("$index", options.index.is_some(), Lack::NotBuilt),
        ("$id", options.id.is_some(), Lack::NotBuilt),
        ("$at", !options.temporal.is_empty(), Lack::NotBuilt),
    ];
    match unoffered.into_iter().find(|(_, given, _)| *given) {
        Some((option, _, lack)) => {
            Err(Place(option).fault(QueryErrorKind::NotOffered { construct: option.to_owned(), lack }))
        }
        None => Ok(()),
    }
}

/// Options for collections mean nothing on a single row, and none shapes a single value.
fn refuse_inapplicable(options: &QueryOptions, target: &Target) -> Result<(), QueryError> {
    let (name, shaped) = match target {
        Target::Collection | Target::Count => return Ok(()),
        Target::Entity(_) => ("a single entity", false),
        Target::Property { .. } => ("a property", options.select.is_some()),
    };
    let given = [
        ("$apply", options.apply.is_some()),
        ("$filter", options.filter.is_some()),
        ("$orderby", options.orderby.is_some()),
        ("$top", options.top.is_some()),
        ("$skip", options.skip.is_some()),
        ("$count", options.count.is_some()),
        ("$select", shaped),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => {
            Err(Place(option).fault(QueryErrorKind::OptionNotApplicable { option, target: name }))
        }
        None => Ok(()),
    }
}
