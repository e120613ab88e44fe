//! Describes rows and their expansions for the payload writer: names, column indexes, URLs.

use arrow_array::RecordBatch;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::{Expanded, Expansion};
use crate::feed::column::Column;
use crate::feed::{Feed, Set};
use crate::frame::Frame;
use crate::odata::context_url::{self, ExpandSuffix, Shape};
use crate::odata::payload::{ExpandedRows, Identity, Output, OutputExpand, OutputProperty, PayloadError};
use crate::query::{BoundExpand, BoundQuery, ExpandForm};

/// A feed and its root URL.
#[derive(Clone, Copy)]
pub(super) struct FeedRoot<'a> {
    pub(super) feed: &'a Feed,
    pub(super) root: &'a str,
}

/// The output of a set's rows.
pub(super) struct RowOutput<'a> {
    properties: Vec<OutputProperty<'a>>,
    key: Vec<OutputProperty<'a>>,
    identity: Option<EntityIdentity>,
    navigation: Vec<&'a str>,
    shows_key: bool,
    references: bool,
    expanded: Vec<ExpandOutput<'a>>,
}

/// The output of an expanded navigation property.
struct ExpandOutput<'a> {
    name: &'a str,
    expansion: &'a Expansion,
    shown: RowOutput<'a>,
}

/// The parts of entities' ids.
struct EntityIdentity {
    entity_type: String,
    set_url: String,
}

impl<'a> RowOutput<'a> {
    /// The output of a query's rows; `frame` is `None` if there are no rows.
    pub(super) fn new(
        feed_root: FeedRoot<'a>,
        set: &'a Set,
        query: &'a BoundQuery,
        frame: Option<&Frame>,
        expansions: &'a [Expansion],
    ) -> Self {
        let expanded = query.expand.iter().zip(expansions);
        let model = &feed_root.feed.sets[query.set];
        let properties = properties(model, set, query, frame, &query.shown(set));
        let is_shown = |&column: &usize| {
            properties.iter().any(|property| property.declared && property.name == model.columns[column].name)
        };
        // A singleton has no key in its address.
        let key: &[usize] = if set.singleton { &[] } else { &set.key };
        Self {
            shows_key: model.key.iter().all(is_shown),
            key: self::properties(model, set, query, frame, key),
            properties,
            identity: EntityIdentity::of(feed_root, set, query),
            navigation: set.navigation.iter().map(|navigation| navigation.name.as_str()).collect(),
            references: query.references,
            expanded: expanded
                .map(|(expand, expansion)| ExpandOutput::new(feed_root, set, expand, expansion))
                .collect(),
        }
    }

    /// Passes the output for a batch to a function. A callback, because the outputs of expansions borrow from each other.
    pub(super) fn output(
        &self,
        batch: &RecordBatch,
        then: &mut dyn FnMut(&Output<'_>) -> Result<(), PayloadError>,
    ) -> Result<(), PayloadError> {
        with_all(&self.expanded, &[], &mut |expands| {
            then(&Output {
                batch,
                properties: &self.properties,
                expands,
                identity: Some(self.identity()),
                references: self.references,
            })
        })
    }

    fn identity(&self) -> Identity<'_> {
        self.identity.as_ref().map_or(Identity::transient(self.shows_key), |identity| Identity {
            entity_type: &identity.entity_type,
            set_url: &identity.set_url,
            key: &self.key,
            navigation: &self.navigation,
            shows_key: self.shows_key,
        })
    }
}

impl<'a> ExpandOutput<'a> {
    fn new(feed_root: FeedRoot<'a>, set: &'a Set, expand: &'a BoundExpand, expansion: &'a Expansion) -> Self {
        let navigation = &set.navigation[expand.navigation];
        let target = &feed_root.feed.sets[navigation.target];
        let (frame, expanded) = (Some(&expansion.frame), &expansion.expansions);
        let shown = RowOutput::new(feed_root, target, &expand.query, frame, expanded);
        Self { name: &navigation.name, expansion, shown }
    }

    fn rows(&self) -> ExpandedRows<'_> {
        match &self.expansion.rows {
            Expanded::One(rows) => ExpandedRows::One(rows),
            Expanded::Many { rows, counts } => ExpandedRows::Many { rows, counts: counts.as_deref() },
            Expanded::Count(counts) => ExpandedRows::Count(counts),
        }
    }
}

/// Passes all expansions to a function: adds the first of `left` to `done` and calls itself for the rest.
fn with_all(
    left: &[ExpandOutput<'_>],
    done: &[OutputExpand<'_>],
    then: &mut dyn FnMut(&[OutputExpand<'_>]) -> Result<(), PayloadError>,
) -> Result<(), PayloadError> {
    let Some((first, rest)) = left.split_first() else { return then(done) };
    first.shown.output(&first.expansion.frame.batch, &mut |target| {
        let mut all = done.to_vec();
        all.push(OutputExpand { name: first.name, target, rows: first.rows() });
        with_all(rest, &all, then)
    })
}

/// The properties for columns of a result and computed values, as far as the frame has them. Declared are those that `model`, the set
/// of the feed, has with the same type.
pub(super) fn properties<'a>(
    model: &Set,
    set: &'a Set,
    query: &'a BoundQuery,
    frame: Option<&Frame>,
    columns: &[usize],
) -> Vec<OutputProperty<'a>> {
    let property = |&index: &usize| {
        let column = frame?.position(index)?;
        if let Some(source) = set.columns.get(index) {
            let is_source = |one: &Column| one.name == source.name && one.primitive == source.primitive;
            let declared = model.columns.iter().any(is_source);
            return Some(OutputProperty {
                name: &source.name,
                column,
                primitive: source.primitive,
                declared,
            });
        }
        let computed = query.computed.get(index - set.columns.len())?;
        let primitive = computed.column_type();
        Some(OutputProperty { name: &computed.name, column, primitive, declared: false })
    };
    columns.iter().filter_map(property).collect()
}

/// The select and expand part of the context URL.
pub(super) fn shape<'a>(feed: &'a Feed, set: &'a Set, query: &'a BoundQuery, is_grouped: bool) -> Shape<'a> {
    let selected = match &query.select {
        // Columns of an aggregation are always listed, because they are not those of a declared type.
        None if is_grouped => query.shown(set),
        selected => selected.clone().unwrap_or_default(),
    };
    let name = |index: usize| match set.columns.get(index) {
        Some(column) => Some(column.name.as_str()),
        None => query.computed.get(index - set.columns.len()).map(|computed| computed.name.as_str()),
    };
    let star = (query.select.is_none() && !query.selected_navigation.is_empty()).then_some("*");
    let navigations =
        query.selected_navigation.iter().map(|&navigation| set.navigation[navigation].name.as_str());
    Shape {
        selected: star.into_iter().chain(selected.into_iter().filter_map(name)).chain(navigations).collect(),
        expanded: query.expand.iter().map(|expand| expanded(feed, set, expand)).collect(),
    }
}

fn expanded<'a>(feed: &'a Feed, set: &'a Set, expand: &'a BoundExpand) -> context_url::Expanded<'a> {
    let navigation = &set.navigation[expand.navigation];
    context_url::Expanded {
        name: &navigation.name,
        suffix: match expand.shown {
            ExpandForm::Rows => ExpandSuffix::Entities,
            ExpandForm::References => ExpandSuffix::References,
            ExpandForm::Count => ExpandSuffix::Count,
        },
        shape: shape(feed, &feed.sets[navigation.target], &expand.query, false),
    }
}

impl EntityIdentity {
    /// `None` for grouped rows: they are not entities.
    fn of(feed_root: FeedRoot<'_>, set: &Set, query: &BoundQuery) -> Option<Self> {
        if query.apply.as_ref().is_some_and(crate::query::apply::BoundApply::is_grouped) {
            return None;
        }
        let feed = feed_root.feed;
        let entity_type = feed.entity_type(set)?;
        let name = utf8_percent_encode(&set.name, NON_ALPHANUMERIC);
        Some(Self {
            entity_type: feed.schema.qualified(&entity_type.name),
            set_url: format!("{}{name}", feed_root.root),
        })
    }
}
