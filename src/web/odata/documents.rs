//! The two documents that describe a service: the service document and `$metadata`.

use super::call::{Call, Service};
use crate::error::BridgeError;
use crate::odata::context_url::{self, Resource, Shape};
use crate::odata::csdl;
use crate::odata::media_type::{Format, Kind};
use crate::odata::payload;
use crate::odata::preference::Applied;
use crate::odata::uri::syntax::RequestSyntax;
use crate::web::respond::Answered;

impl Call<'_> {
    pub(super) fn service_document(
        &self,
        service: &Service,
        syntax: &RequestSyntax,
    ) -> Result<Answered, BridgeError> {
        let negotiated = self.negotiate(syntax, Kind::ServiceDocument)?;
        let url =
            context_url::write(&service.root, Resource::ServiceDocument, &Shape::default(), self.version);
        let mut body = Vec::new();
        payload::write_service_document(
            &mut body,
            &self.context(&negotiated, &url),
            &service.feed.schema.container,
        );
        Ok(Answered { content_type: negotiated.content_type, body, ..Answered::default() })
    }

    pub(super) fn metadata(
        &self,
        service: &Service,
        syntax: &RequestSyntax,
    ) -> Result<Answered, BridgeError> {
        let negotiated = self.negotiate(syntax, Kind::Metadata)?;
        let annotations = self.preferences.wants_annotations();
        let body = match negotiated.format {
            Format::Json => csdl::json::write(&service.feed.schema, annotations)?,
            _ => csdl::xml::write(&service.feed.schema, annotations)?,
        };
        let applied = Applied { include_annotations: !annotations, ..Applied::default() };
        let preference_applied = self.preferences.applied(&applied);
        Ok(Answered {
            content_type: negotiated.content_type,
            body,
            preference_applied,
            ..Answered::default()
        })
    }
}
