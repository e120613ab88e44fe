//! The URL parser alone: syntax trees, errors and limits.

mod clients;
mod errors;
mod limits;
mod literals;
mod meaning;
mod properties;
mod shape;

use jobindsats_bridge::odata::uri::syntax::{Expr, QueryOptions, RequestSyntax};
use jobindsats_bridge::odata::uri::{
    Limits, SyntaxError, parse_expression, parse_query_options, parse_request,
};

fn expression(text: &str) -> Result<Expr, SyntaxError> {
    parse_expression(text, &Limits::default())
}

fn options(query: &str) -> QueryOptions {
    parse_query_options(query, &Limits::default()).unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Reads an address below the service root.
fn request(address: &str) -> Result<RequestSyntax, SyntaxError> {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    parse_request(path, query, &Limits::default())
}
