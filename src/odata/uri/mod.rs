//! The URL language of OData: from the text of a request to its syntax. Knows names as text; what they mean is the binder's
//! business.

pub mod syntax;
