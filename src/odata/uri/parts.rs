//! Single parts of the language, for tests of them.

use super::decode::Text;
use super::error::{Expected, SyntaxError};
use super::lexer::Parser;
use super::syntax::{Expr, Literal, QueryOptions};
use super::{Limits, options};

/// Reads raw query options alone.
///
/// # Errors
/// [`SyntaxError`] if the text is not in the language or exceeds a limit.
pub fn parse_query_options(query: &str, limits: &Limits) -> Result<QueryOptions, SyntaxError> {
    limits.check_length(query.len())?;
    options::parse(query, limits)
}

/// Reads one expression from decoded text, such as the value of `$filter`.
///
/// # Errors
/// [`SyntaxError`] if the text is not in the language or exceeds a limit.
pub fn parse_expression(text: &str, limits: &Limits) -> Result<Expr, SyntaxError> {
    limits.check_length(text.len())?;
    let text = Text::plain(text);
    let mut parser = Parser::new(&text, "expression", limits);
    let expr = parser.expression()?;
    parser.end(Expected::Operator)?;
    Ok(expr)
}

/// Reads one primitive literal from decoded text, such as a key.
///
/// # Errors
/// [`SyntaxError`] if the text is no literal or exceeds a limit.
pub fn parse_literal(text: &str, limits: &Limits) -> Result<Literal, SyntaxError> {
    limits.check_length(text.len())?;
    let text = Text::plain(text);
    let mut parser = Parser::new(&text, "literal", limits);
    let literal = parser.literal()?;
    parser.end(Expected::End)?;
    Ok(literal)
}
