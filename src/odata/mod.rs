//! The OData protocol and nothing else: types and literals, the entity data model with its CSDL forms, the URL language,
//! payloads and negotiation. Knows no measurement, no upstream and no web framework, so that it could stand alone.

pub mod edm;
pub mod uri;
pub mod value;
