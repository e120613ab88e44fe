//! The URL language of OData 4.01 for reading: parses the text of a request to a syntax tree. Names are only text here; the binder
//! (`query/bind.rs`) looks them up.
//!
//! The grammar is the OData ABNF with its aggregation and temporal extensions, parsed by recursive descent in one pass:
//!
//! ```text
//! request     = path [ "?" option *( "&" option ) ]           path.rs, options.rs
//! path        = segment *( "/" segment )                      path.rs
//! select      = term *( "," term ), likewise expand, orderby, compute   terms.rs
//! expression  = unary *( operator unary )                     expression.rs, call.rs, json.rs
//! unary       = [ "-" / "not" ] primary
//! primary     = literal / list / object / call / path / "(" expression ")"
//! path        = [ "$it" / "$this" / "$root" / "$these" ] *( "/" step )  member.rs
//! literal     = number / string / date / duration / …         literal.rs, geo.rs
//! search      = term *( [ "AND" / "OR" ] term )               search.rs
//! apply       = transformation *( "/" transformation )        apply.rs
//! ```
//!
//! The URL is split before it is decoded, and every piece is read once from left to right, so that the time is linear in
//! its length. [`Limits`] are counted while parsing. Constructs that the service does not support are parsed too and are in the
//! tree by name, so that the binder can say why they are not supported.

mod advice;
mod apply;
mod call;
mod decode;
mod error;
mod expression;
mod geo;
mod json;
mod lexer;
pub mod literal;
pub mod literal_text;
mod member;
mod options;
#[cfg(feature = "insides")]
mod parts;
mod path;
mod search;
pub mod syntax;
mod terms;
mod tree;

pub use error::{Limit, SyntaxError, SyntaxErrorKind};
pub use options::is_option;
#[cfg(feature = "insides")]
pub use parts::{parse_expression, parse_literal, parse_query_options};

use decode::{Plus, decode, encoded};
use syntax::{RequestSyntax, ResourcePath};

/// How large a request may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of path and query together.
    pub url_length: usize,
    /// The deepest nesting of brackets and unary operators.
    pub depth: usize,
    /// Nodes of the tree of one option.
    pub nodes: usize,
    /// Items of one list.
    pub list_items: usize,
}

impl Limits {
    fn check_length(&self, length: usize) -> Result<(), SyntaxError> {
        if length <= self.url_length {
            return Ok(());
        }
        let kind = SyntaxErrorKind::LimitExceeded { limit: Limit::UrlLength, max: self.url_length };
        Err(SyntaxError::new("URL", self.url_length, kind))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { url_length: 64 * 1024, depth: 100, nodes: 20_000, list_items: 5_000 }
    }
}

/// Reads a request: the raw resource path below the service root and the raw query without its question mark.
///
/// # Errors
/// [`SyntaxError`] if the text is not in the language or exceeds a limit.
pub fn parse_request(path: &str, query: &str, limits: &Limits) -> Result<RequestSyntax, SyntaxError> {
    limits.check_length(path.len() + query.len())?;
    let path = path::parse(path, limits)?;
    let options = options::parse(query, limits)?;
    path::check_options(&path, &options)?;
    Ok(RequestSyntax { path, options })
}

/// The canonical text of a request: what its pages and its answers are known by, however it was spelled.
///
/// # Errors
/// [`SyntaxError`] if the text is wrongly encoded.
pub fn canonical(path: &str, query: &str) -> Result<String, SyntaxError> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let segments = segments.map(|segment| Ok(encoded(&decode(segment, "path", Plus::Itself)?.into_string())));
    Ok(format!("{}?{}", segments.collect::<Result<Vec<_>, _>>()?.join("/"), options::canonical(query)?))
}

/// The options of a raw query that say what is asked for, decoded, under their canonical names: all but the format and the page.
///
/// # Errors
/// [`SyntaxError`] if the text is wrongly encoded.
pub fn content_options(query: &str) -> Result<Vec<(String, String)>, SyntaxError> {
    options::content(query)
}

/// Reads a raw resource path alone.
///
/// # Errors
/// [`SyntaxError`] if the text is not in the language or exceeds a limit.
pub fn parse_path(path: &str, limits: &Limits) -> Result<ResourcePath, SyntaxError> {
    limits.check_length(path.len())?;
    path::parse(path, limits)
}
