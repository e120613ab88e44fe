//! Writes the entity data model as CSDL, in XML and in JSON.
//!
//! In charge of the two document formats and of refusing invalid models. Writes exactly the given model; it adds no element and no
//! annotation.

pub mod check;
pub mod json;
pub mod vocabulary;
pub mod xml;

use crate::error::{DescribeError, ErrorDescription};

/// Why a model cannot be written as CSDL. Always a fault of the program, never of a request.
#[derive(Debug, thiserror::Error)]
pub enum CsdlError {
    #[error("`{name}` in {place} is not an OData identifier: letters, digits and `_`, at most 128")]
    InvalidName { place: String, name: String },
    #[error("`{name}` is declared twice in {place}; names must differ in more than case")]
    DuplicateName { place: String, name: String },
    #[error("{place} refers to the entity type `{name}`, which the schema does not declare")]
    UnknownEntityType { place: String, name: String },
    #[error("{place} refers to the property `{name}`, which its entity type does not declare")]
    UnknownProperty { place: String, name: String },
    #[error("{place} refers to the entity set `{name}`, which the container does not declare")]
    UnknownEntitySet { place: String, name: String },
    #[error("the key property `{name}` of {place} is nullable or of a type that cannot be a key")]
    InvalidKey { place: String, name: String },
    #[error("of {place} and the property `{name}` that it hangs on only one may be null")]
    Multiplicity { place: String, name: String },
    #[error("the entity type `{name}` of the set {place} has no key; expected one property at least")]
    MissingKey { place: String, name: String },
    #[error("the vocabulary of the term `{term}` is not known; expected one of {}", vocabulary::aliases())]
    UnknownVocabulary { term: String },
    #[error("the document could not be written: {0}")]
    Write(#[from] std::io::Error),
}

impl DescribeError for CsdlError {
    fn describe(&self) -> ErrorDescription {
        ErrorDescription::internal()
    }
}
