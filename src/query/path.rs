//! The resource path: which set, and which part of it. Keys stand in parentheses, by place or by name, or as segments.

use chrono::{DateTime, Utc};

use super::Target;
use super::cast;
use super::error::{Lack, QueryError, QueryErrorKind, closest, excerpt};
use super::expr::Binder;
use super::place::Place;
use crate::feed::{Feed, Set};
use crate::odata::uri::syntax::{Expr, ExprKind, KeySyntax, PathSegment, ResourcePath, Span, SystemSegment};
use crate::odata::value::{PrimitiveType, Value};

const PLACE: Place = Place("path");

/// The set that the path names, its index, and which part of it is asked for.
pub(super) fn bind<'f>(
    feed: &'f Feed,
    path: &ResourcePath,
    aliases: &[(String, Expr)],
    now: DateTime<Utc>,
) -> Result<(usize, &'f Set, Target), QueryError> {
    let Some((first, rest)) = path.segments.split_first() else {
        return Err(PLACE.fault(QueryErrorKind::UnknownSet { name: String::new(), suggestion: None }));
    };
    let PathSegment::Name { name, key, span } = first else {
        return Err(not_offered(first, Lack::NotBuilt));
    };
    let found = feed.set_index(name).and_then(|index| Some((index, feed.sets.get(index)?)));
    let Some((index, set)) = found else {
        let names = feed.sets.iter().map(|set| set.name.as_str());
        let kind = QueryErrorKind::UnknownSet { name: excerpt(name), suggestion: closest(name, names) };
        return Err(PLACE.error(span.start, kind));
    };
    let binder = Binder::new(feed, set, aliases, PLACE, now);
    let target = Path { feed, set, binder }.target(key.as_ref(), *span, rest)?;
    Ok((index, set, target))
}

/// What follows the name of a set.
struct Path<'a> {
    feed: &'a Feed,
    set: &'a Set,
    binder: Binder<'a>,
}

impl Path<'_> {
    fn target(
        &self,
        key: Option<&KeySyntax>,
        span: Span,
        rest: &[PathSegment],
    ) -> Result<Target, QueryError> {
        match key {
            Some(KeySyntax::Empty) | None if self.set.singleton => self.below(Vec::new(), rest),
            // `Set()` is how some clients write the whole set.
            Some(KeySyntax::Empty) | None => self.of_collection(rest),
            Some(_) if self.set.singleton => Err(self.wrong_key(span)),
            Some(key) => self.below(self.key(key, span)?, rest),
        }
    }

    fn of_collection(&self, rest: &[PathSegment]) -> Result<Target, QueryError> {
        match rest {
            [] => Ok(Target::Collection),
            [PathSegment::System { name: SystemSegment::Count, .. }] => Ok(Target::Count),
            [PathSegment::System { name: SystemSegment::Count, .. }, next, ..] => {
                Err(self.unknown(next, "$count"))
            }
            [PathSegment::System { .. } | PathSegment::Filter { .. } | PathSegment::Key { .. }, ..] => {
                Err(self.refused(rest, Lack::NotBuilt))
            }
            [PathSegment::Name { name, span, .. }, ..] => {
                if name.strip_prefix(&self.feed.schema.namespace).is_some_and(|rest| rest.starts_with('.')) {
                    return Err(self.refused(rest, Lack::NoDerivedTypes));
                }
                let (key, rest) = self.key_segments(*span, rest)?;
                self.below(key, rest)
            }
        }
    }

    /// What follows a single row.
    fn below(&self, key: Vec<Value>, rest: &[PathSegment]) -> Result<Target, QueryError> {
        match rest {
            [] => Ok(Target::Entity(key)),
            [first @ PathSegment::Name { name, key: None, .. }, more @ ..] => {
                let Some(column) = self.set.column_index(name) else {
                    return Err(self.not_a_column(first, name));
                };
                match more {
                    [] => Ok(Target::Property { key, column, raw: false }),
                    [PathSegment::System { name: SystemSegment::Value, .. }] => {
                        Ok(Target::Property { key, column, raw: true })
                    }
                    [next, ..] => Err(self.unknown(next, name)),
                }
            }
            [first @ PathSegment::Name { name, .. }, ..] => Err(self.not_a_column(first, name)),
            _ => Err(self.refused(rest, Lack::NotBuilt)),
        }
    }

    /// Key values that stand as segments: as many as the key has parts.
    fn key_segments<'p>(
        &self,
        span: Span,
        rest: &'p [PathSegment],
    ) -> Result<(Vec<Value>, &'p [PathSegment]), QueryError> {
        let (parts, rest) = rest.split_at_checked(self.set.key.len()).ok_or_else(|| self.wrong_key(span))?;
        let values = self.key_types().zip(parts).map(|(primitive, part)| match part {
            PathSegment::Name { name, key: None, span } => {
                cast::from_text(name, primitive).ok_or_else(|| {
                    PLACE.error(span.start, QueryErrorKind::InvalidValue { text: excerpt(name), primitive })
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
                let named =
                    |wanted: &str| parts.iter().find(|(name, _)| name == wanted).map(|(_, part)| part);
                let found: Option<Vec<_>> = self.key_names().map(named).collect();
                found.filter(|found| found.len() == parts.len()).ok_or_else(|| self.wrong_key(span))?
            }
        };
        if parts.len() != self.set.key.len() {
            return Err(self.wrong_key(span));
        }
        self.key_types().zip(parts).map(|(primitive, part)| self.key_value(primitive, part)).collect()
    }

    /// One value of a key: a literal, or an alias for one, of the column's type.
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
        PLACE.error(span.start, QueryErrorKind::WrongKey { set: self.set.name.clone(), expected })
    }

    fn not_a_column(&self, segment: &PathSegment, name: &str) -> QueryError {
        if self.set.navigation.iter().any(|way| way.name == name) {
            return not_offered(segment, Lack::Navigation);
        }
        self.unknown(segment, &self.set.name)
    }

    fn unknown(&self, segment: &PathSegment, after: &str) -> QueryError {
        let (name, span) = text(segment);
        let columns = self.set.columns.iter().map(|column| column.name.as_str());
        let suggestion = closest(&name, columns);
        PLACE.error(span.start, QueryErrorKind::UnknownSegment { name, after: after.to_owned(), suggestion })
    }

    fn refused(&self, rest: &[PathSegment], lack: Lack) -> QueryError {
        match rest.first() {
            Some(segment) => not_offered(segment, lack),
            None => PLACE.fault(QueryErrorKind::NotOffered { construct: self.set.name.clone(), lack }),
        }
    }
}

fn not_offered(segment: &PathSegment, lack: Lack) -> QueryError {
    let (construct, span) = text(segment);
    PLACE.error(span.start, QueryErrorKind::NotOffered { construct, lack })
}

/// How a segment was written, nearly, and where.
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
