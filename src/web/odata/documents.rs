//! The two documents that describe a service: the service document and `$metadata`.

use std::sync::Arc;

use cached::macros::cached;

use super::call::{Call, Service};
use crate::answer::error::BridgeError;
use crate::budget::work::blocking;
use crate::feed::{Feed, FeedId};
use crate::odata::context_url::{self, Resource, Shape};
use crate::odata::csdl;
use crate::odata::edm::Schema;
use crate::odata::media_type::{Format, Negotiated};
use crate::odata::payload;
use crate::odata::preference::{Applied, Preferences};
use crate::web::body::{Body, Document};
use crate::web::respond::Answered;

impl Call<'_> {
    pub(super) fn service_document(&self, service: &Service, negotiated: Negotiated) -> Answered {
        let url =
            context_url::write(&service.root, Resource::ServiceDocument, &Shape::default(), self.version);
        let mut body = Vec::new();
        payload::write_service_document(
            &mut body,
            &self.context(&negotiated, &url),
            &service.feed.schema.container,
        );
        let body = Body::Kept(Arc::new(Document::new(body)));
        let content_type = negotiated.content_type;
        Answered { content_type, body, tag: None, age_seconds: None, preference_applied: None }
    }

    pub(super) fn metadata(
        &self,
        service: &Service,
        negotiated: Negotiated,
    ) -> Result<Answered, BridgeError> {
        let applied = Applied { include_annotations: true, ..Applied::default() };
        let preference_applied = self.preferences.applied(&applied);
        let document = match self.preferences.include_annotations {
            None => rendered(&service.feed, negotiated.format)?,
            Some(_) => Arc::new(filtered(&service.feed, negotiated.format, &self.preferences)?),
        };
        let (content_type, body) = (negotiated.content_type, Body::Kept(document));
        Ok(Answered { content_type, body, tag: None, age_seconds: None, preference_applied })
    }
}

/// The metadata of a feed, rendered and compressed once. Concurrent requests wait for one rendering.
#[cached(
    max_size = 256,
    sync_writes = "by_key",
    key = "(FeedId, bool)",
    convert = r#"{ (feed.schema_id, format == Format::Json) }"#
)]
fn rendered(feed: &Feed, format: Format) -> Result<Arc<Document>, BridgeError> {
    Ok(Arc::new(written(&feed.schema, format, true)?))
}

/// The metadata with the annotations that a client prefers. Rarely requested, so not cached.
fn filtered(feed: &Feed, format: Format, preferences: &Preferences) -> Result<Document, BridgeError> {
    let mut schema = feed.schema.clone();
    schema.retain_annotations(|term| preferences.wants_annotation(term));
    let wanted = preferences.wants_annotations();
    written(&schema, format, wanted)
}

fn written(schema: &Schema, format: Format, annotated: bool) -> Result<Document, BridgeError> {
    let body = blocking(|| match format {
        Format::Json => csdl::json::write(schema, annotated),
        Format::Xml | Format::Text => csdl::xml::write(schema, annotated),
    });
    Ok(Document::new(body?))
}
