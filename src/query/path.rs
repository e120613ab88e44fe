//! Binds the resource path: the set, and the part of it that is requested. Keys are in parentheses, by position or by name, or are
//! segments. For a path that continues through a navigation property, the row before it is read first.

use super::cast;
use super::error::{NotOfferedReason, QueryError, QueryErrorKind};
use super::expr::{Binder, Scope};
use super::request_part::RequestPart;
use super::{BoundExpr, BoundQuery, Origin, Target};
use crate::error::{closest, excerpt};
use crate::feed::{Feed, Navigation, Set};
use crate::odata::uri::syntax::{Expr, ExprKind, KeySyntax, PathSegment, ResourcePath, Span, SystemSegment};
use crate::odata::value::{PrimitiveType, Value};

const PART: RequestPart = RequestPart("path");

/// The bound path.
#[derive(Debug)]
pub(super) struct Addressed {
    /// Index of the set in the feed.
    pub(super) set: usize,
    pub(super) target: Target,
    /// `$filter(…)` segments.
    pub(super) conditions: Vec<BoundExpr>,
    pub(super) references: bool,
    pub(super) origin: Option<Box<Origin>>,
}

/// Binds the path to a set and a part of it.
pub(super) fn bind(scope: Scope<'_>, path: &ResourcePath) -> Result<Addressed, QueryError> {
    let feed = scope.feed;
    let Some((first, rest)) = path.segments.split_first() else {
        return Err(PART.fault(QueryErrorKind::UnknownSet { name: String::new(), suggestion: None }));
    };
    let PathSegment::Name { name, key, span } = first else {
        let reason = match first {
            PathSegment::System { name: SystemSegment::Crossjoin(_), .. } => NotOfferedReason::NoProducts,
            PathSegment::System { name: SystemSegment::Entity, .. } => NotOfferedReason::NoDerivedTypes,
            _ => NotOfferedReason::NoUnions,
        };
        return Err(not_offered(first, reason));
    };
    let Some(index) = feed.set_index(name) else {
        return Err(PART.error(span.start, unknown_set(feed, name)));
    };
    Path::new(scope, index, None).named(key.as_ref(), *span, rest)
}

/// The error for a name that no set has. A breakdown that the table does not have is not misspelt: those that it has are listed.
fn unknown_set(feed: &Feed, name: &str) -> QueryErrorKind {
    let names = feed.sets.iter().map(|set| set.name.as_str());
    match feed.is_breakdown(name) {
        true => {
            let breakdowns = names.filter(|name| feed.is_breakdown(name)).map(str::to_owned).collect();
            QueryErrorKind::UnknownBreakdown { name: excerpt(name), breakdowns }
        }
        false => QueryErrorKind::UnknownSet { name: excerpt(name), suggestion: closest(name, names) },
    }
}

/// The path after the name of a set, or after a navigation property.
struct Path<'a> {
    scope: Scope<'a>,
    index: usize,
    set: &'a Set,
    binder: Binder<'a>,
    conditions: Vec<BoundExpr>,
    origin: Option<Box<Origin>>,
}

impl<'a> Path<'a> {
    fn new(scope: Scope<'a>, index: usize, origin: Option<Box<Origin>>) -> Self {
        let set = &scope.feed.sets[index];
        let binder = Binder::new(scope, set, PART);
        Self { scope, index, set, binder, conditions: Vec::new(), origin }
    }

    fn named(
        self,
        key: Option<&KeySyntax>,
        span: Span,
        rest: &[PathSegment],
    ) -> Result<Addressed, QueryError> {
        match key {
            Some(KeySyntax::Empty) | None if self.set.singleton => self.below(Vec::new(), rest),
            // Some clients write the whole set as `Set()`.
            Some(KeySyntax::Empty) | None => self.of_collection(rest),
            Some(_) if self.set.singleton => Err(self.wrong_key(span)),
            Some(key) => {
                let key = self.key(key, span)?;
                self.below(key, rest)
            }
        }
    }

    fn of_collection(mut self, rest: &[PathSegment]) -> Result<Addressed, QueryError> {
        use SystemSegment as System;
        match rest {
            [] => Ok(self.addressed(Target::Collection, false)),
            [PathSegment::System { name: System::Ref, .. }] => Ok(self.addressed(Target::Collection, true)),
            [PathSegment::System { name: System::Count, .. }] => Ok(self.addressed(Target::Count, false)),
            [PathSegment::System { name: System::Count, .. }, next, ..] => Err(self.unknown(next, "$count")),
            [PathSegment::Filter { expr, .. }, rest @ ..] => {
                self.conditions.push(self.binder.condition(expr)?);
                self.of_collection(rest)
            }
            [first @ PathSegment::System { name, .. }, ..] => Err(not_offered(
                first,
                match name {
                    System::Each | System::Query => NotOfferedReason::ReadOnly,
                    System::Value => NotOfferedReason::NoStreams,
                    _ => NotOfferedReason::NotBuilt,
                },
            )),
            [first @ PathSegment::Key { .. }, ..] => Err(not_offered(first, NotOfferedReason::NoOperations)),
            [PathSegment::Name { name, key: None, .. }, rest @ ..] if self.is_own_type(name) => {
                self.of_collection(rest)
            }
            [first @ PathSegment::Name { name, span, .. }, ..] => {
                let namespace = &self.scope.feed.schema.namespace;
                if name.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('.')) {
                    return Err(not_offered(first, NotOfferedReason::NoDerivedTypes));
                }
                let (key, rest) = self.key_segments(*span, rest)?;
                self.below(key, rest)
            }
        }
    }

    /// The path after a single row.
    fn below(self, key: Vec<Value>, rest: &[PathSegment]) -> Result<Addressed, QueryError> {
        match rest {
            [] => Ok(self.addressed(Target::Entity(key), false)),
            [PathSegment::System { name: SystemSegment::Ref, .. }] => {
                Ok(self.addressed(Target::Entity(key), true))
            }
            [PathSegment::Name { name, key: None, .. }, rest @ ..] if self.is_own_type(name) => {
                self.below(key, rest)
            }
            [first @ PathSegment::Name { name, .. }, ..] if self.scope.feed.has_type(name) => {
                Err(not_offered(first, NotOfferedReason::NoDerivedTypes))
            }
            [PathSegment::Name { name, key: inner, span }, more @ ..] => {
                if let (Some(column), None) = (self.set.column_index(name), inner) {
                    return self.property(key, column, name, more);
                }
                match self.set.navigation(name) {
                    Some(navigation) => self.through(key, navigation, inner.as_ref(), *span, more),
                    None => Err(self.unknown(&rest[0], &self.set.name)),
                }
            }
            [first @ PathSegment::System { name: SystemSegment::Value, .. }, ..] => {
                Err(not_offered(first, NotOfferedReason::NoStreams))
            }
            [first @ PathSegment::System { name: SystemSegment::Count, .. }, ..] => {
                Err(self.unknown(first, &self.set.name))
            }
            [first, ..] => Err(not_offered(first, NotOfferedReason::NotBuilt)),
        }
    }

    /// Whether the segment is a cast to the set's own type, which changes nothing.
    fn is_own_type(&self, name: &str) -> bool {
        self.scope.feed.is_type_of(self.set, name)
    }

    fn property(
        self,
        key: Vec<Value>,
        column: usize,
        name: &str,
        rest: &[PathSegment],
    ) -> Result<Addressed, QueryError> {
        match rest {
            [] => Ok(self.addressed(Target::Property { key, column, raw: false }, false)),
            [PathSegment::System { name: SystemSegment::Value, .. }] => {
                Ok(self.addressed(Target::Property { key, column, raw: true }, false))
            }
            [next, ..] => Err(self.unknown(next, name)),
        }
    }

    /// The path after a navigation property of a single row.
    fn through(
        self,
        key: Vec<Value>,
        navigation: &Navigation,
        inner: Option<&KeySyntax>,
        span: Span,
        rest: &[PathSegment],
    ) -> Result<Addressed, QueryError> {
        let scope = self.scope;
        let row = self.addressed(Target::Entity(key), false);
        let select = Some(vec![navigation.from_column]);
        let query = BoundQuery {
            filter: super::filter::joined(row.conditions.into_iter()),
            select,
            origin: row.origin,
            ..BoundQuery::of(row.set, row.target)
        };
        let origin = Box::new(Origin { query, navigation: navigation.clone() });
        let next = Path::new(scope, navigation.target, Some(origin));
        match (navigation.collection, inner) {
            (true, inner) => next.named(inner, span, rest),
            (false, None | Some(KeySyntax::Empty)) => next.below(Vec::new(), rest),
            (false, Some(_)) => Err(next.wrong_key(span)),
        }
    }

    fn addressed(self, target: Target, references: bool) -> Addressed {
        let Self { index, conditions, origin, .. } = self;
        Addressed { set: index, target, conditions, references, origin }
    }

    /// Key values as segments: as many as the key has columns.
    fn key_segments<'p>(
        &self,
        span: Span,
        rest: &'p [PathSegment],
    ) -> Result<(Vec<Value>, &'p [PathSegment]), QueryError> {
        let (parts, rest) = rest.split_at_checked(self.set.key.len()).ok_or_else(|| self.wrong_key(span))?;
        let values = self.key_types().zip(parts).map(|(primitive, part)| match part {
            PathSegment::Name { name, key: None, span } => {
                cast::from_text(name, primitive).ok_or_else(|| {
                    PART.error(span.start, QueryErrorKind::InvalidValue { text: excerpt(name), primitive })
                })
            }
            _ => Err(self.wrong_key(span)),
        });
        Ok((values.collect::<Result<_, _>>()?, rest))
    }

    fn key(&self, key: &KeySyntax, span: Span) -> Result<Vec<Value>, QueryError> {
        let parts: Vec<&Expr> = match key {
            KeySyntax::Empty => Vec::new(),
            KeySyntax::Single(part) => vec![part],
            KeySyntax::Named(parts) => {
                let is_named = |name: &str, wanted: usize| self.set.column_index(name) == Some(wanted);
                let named = |&wanted: &usize| {
                    parts.iter().find(|(name, _)| is_named(name, wanted)).map(|(_, part)| part)
                };
                let found: Option<Vec<_>> = self.set.key.iter().map(named).collect();
                found.filter(|found| found.len() == parts.len()).ok_or_else(|| self.wrong_key(span))?
            }
        };
        if parts.len() != self.set.key.len() {
            return Err(self.wrong_key(span));
        }
        self.key_types().zip(parts).map(|(primitive, part)| self.key_value(primitive, part)).collect()
    }

    /// One key value of the column's type: a literal or an alias.
    fn key_value(&self, primitive: PrimitiveType, part: &Expr) -> Result<Value, QueryError> {
        if !matches!(part.kind, ExprKind::Literal(_) | ExprKind::Alias(_) | ExprKind::Unary(..)) {
            return Err(self.wrong_key(part.span));
        }
        let bound = self.binder.bind(part)?;
        let same_kind = bound
            .primitive
            .is_some_and(|found| found == primitive || (found.is_numeric() && primitive.is_numeric()));
        let bound = if same_kind { bound } else { self.binder.read_as(part, bound, primitive)? };
        bound.as_literal().cloned().ok_or_else(|| self.wrong_key(part.span))
    }

    fn key_names(&self) -> impl Iterator<Item = &str> {
        self.set.key.iter().filter_map(|index| Some(self.set.columns.get(*index)?.name.as_str()))
    }

    fn key_types(&self) -> impl Iterator<Item = PrimitiveType> {
        self.set.key.iter().filter_map(|index| Some(self.set.columns.get(*index)?.primitive))
    }

    fn wrong_key(&self, span: Span) -> QueryError {
        let expected = if self.set.singleton {
            Vec::new()
        } else {
            self.key_names().map(|name| format!("{name}='…'")).collect()
        };
        PART.error(span.start, QueryErrorKind::WrongKey { set: self.set.name.clone(), expected })
    }

    fn unknown(&self, segment: &PathSegment, after: &str) -> QueryError {
        let (name, span) = text(segment);
        let columns = self.set.columns.iter().map(|column| column.name.as_str());
        let navigations = self.set.navigation.iter().map(|navigation| navigation.name.as_str());
        let suggestion = closest(&name, columns.chain(navigations));
        PART.error(span.start, QueryErrorKind::UnknownSegment { name, after: after.to_owned(), suggestion })
    }
}

fn not_offered(segment: &PathSegment, reason: NotOfferedReason) -> QueryError {
    let (construct, span) = text(segment);
    PART.error(span.start, QueryErrorKind::NotOffered { construct, reason })
}

/// The approximate text of a segment, and its position.
fn text(segment: &PathSegment) -> (String, Span) {
    match segment {
        PathSegment::Name { name, span, .. } => (excerpt(name), *span),
        PathSegment::Filter { span, .. } => ("$filter(…)".to_owned(), *span),
        PathSegment::Key { span, .. } => ("(…)".to_owned(), *span),
        PathSegment::System { name, span } => {
            let name = match name {
                SystemSegment::Metadata => "$metadata",
                SystemSegment::Batch => "$batch",
                SystemSegment::Entity => "$entity",
                SystemSegment::All => "$all",
                SystemSegment::Count => "$count",
                SystemSegment::Value => "$value",
                SystemSegment::Ref => "$ref",
                SystemSegment::Each => "$each",
                SystemSegment::Query => "$query",
                SystemSegment::Crossjoin(_) => "$crossjoin",
            };
            (name.to_owned(), *span)
        }
    }
}
