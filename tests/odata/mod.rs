//! The OData protocol: documents and payloads as clients read them.

mod csdl;
mod documents;
mod rows;
mod uri;
