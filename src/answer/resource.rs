//! What a request is about: the service document, `$metadata`, or rows.

use super::{Answer, Request, Resource};
use crate::answer::error::BridgeError;
use crate::error::excerpt;
use crate::odata::media_type::Kind;
use crate::odata::uri::syntax::{PathSegment, QueryOptions, RequestSyntax, SystemSegment};
use crate::odata::uri::{self, Limits};
use crate::query::{BoundQuery, Target, bind};

/// A parsed request.
#[derive(Debug)]
pub(super) struct RequestText {
    pub(super) syntax: RequestSyntax,
    /// The service and the canonical text of the request: skip tokens and entity tags belong to it.
    pub(super) identity: String,
    /// The value of `$id`, if the path is `$entity`.
    id: Option<String>,
}

/// Parses a request.
pub(super) fn parse(request: &Request<'_>) -> Result<RequestText, BridgeError> {
    let mut syntax = uri::parse_request(request.path, request.options, &Limits::default())?;
    // The schema has no version of its own, so that only the current one can be asked for.
    if let Some(found) = syntax.options.schemaversion.as_deref().filter(|version| *version != "*") {
        return Err(BridgeError::SchemaVersion { found: excerpt(found) });
    }
    let canonical = uri::canonical(request.path, request.options)?;
    let identity = format!("{} {canonical}", request.feed.schema.namespace);
    let id = resolve_entity(request.root, &mut syntax)?;
    Ok(RequestText { syntax, identity, id })
}

/// Replaces the path `$entity` by that of the URL in `$id`, which is absolute or relative to the service. Returns the URL.
fn resolve_entity(root: &str, syntax: &mut RequestSyntax) -> Result<Option<String>, BridgeError> {
    let [PathSegment::System { name: SystemSegment::Entity, .. }] = syntax.path.segments.as_slice() else {
        return Ok(None);
    };
    let id = syntax.options.id.take().unwrap_or_default();
    let below = id.strip_prefix(root).unwrap_or(&id);
    if below.contains("://") {
        return Err(BridgeError::UnknownPath(id));
    }
    syntax.path = uri::parse_path(below, &Limits::default())?;
    Ok(Some(id))
}

/// The document that the path is about; `None` for rows.
pub(super) fn document(syntax: &RequestSyntax) -> Result<Option<(Kind, Answer)>, BridgeError> {
    match syntax.path.segments.as_slice() {
        [] => Ok(Some((Kind::ServiceDocument, Answer::ServiceDocument))),
        [PathSegment::System { name: SystemSegment::Metadata, .. }] => {
            Ok(Some((Kind::Metadata, Answer::Metadata)))
        }
        [PathSegment::System { name: SystemSegment::Batch, .. }, ..] => Err(BridgeError::NotOffered {
            what: "$batch inden i en $batch".to_owned(),
            reason: "a batch holds single requests".to_owned(),
        }),
        _ => Ok(None),
    }
}

/// Binds the request to the feed.
pub(super) fn bind(request: &Request<'_>, text: &RequestText) -> Result<BoundQuery, BridgeError> {
    let query = bind::bind(request.feed, &text.syntax, request.now)?;
    match &text.id {
        Some(id) if !matches!(query.target, Target::Entity(_)) => Err(BridgeError::UnknownPath(id.clone())),
        _ => Ok(BoundQuery { count: query.count && !request.all_pages, ..query }),
    }
}

/// The resource of a query for rows.
pub(super) fn of_rows<'a>(options: &'a QueryOptions, query: &'a BoundQuery) -> Resource<'a> {
    let kind = match query.target {
        Target::Count => Kind::Count,
        Target::Property { raw: true, .. } => Kind::RawValue,
        Target::Collection | Target::Entity(_) | Target::Property { raw: false, .. } => Kind::Data,
    };
    Resource { kind, options, query: Some(query) }
}
