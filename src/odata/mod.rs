//! The OData protocol and nothing else: types and literals, the entity data model with its CSDL forms, the URL language,
//! payloads and negotiation. Independent of measurements, the upstream and the web framework.

pub mod batch;
pub mod context_url;
pub mod csdl;
pub mod edm;
pub mod etag;
pub mod functions;
pub mod media_type;
pub mod payload;
pub mod preference;
pub mod skip_token;
pub mod uri;
pub mod value;
pub mod version;
