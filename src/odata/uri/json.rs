//! JSON within URLs: arrays and objects, whose values are strings in double quotes or any expression.

use super::error::Expected;
use super::lexer::{Parsed, Parser};
use super::syntax::{Expr, ExprKind, Literal};
use crate::odata::value::Value;

impl Parser<'_> {
    pub(super) fn array(&mut self) -> Parsed<Vec<Expr>> {
        self.nested(|parser| {
            parser.expect("[")?;
            parser.blanks();
            let items = match parser.peek() {
                Some(']') => Vec::new(),
                _ => parser.list(Self::json_value)?,
            };
            parser.blanks();
            parser.expect("]")?;
            Ok(items)
        })
    }

    pub(super) fn object(&mut self) -> Parsed<Vec<(String, Expr)>> {
        self.nested(|parser| {
            parser.expect("{")?;
            parser.blanks();
            let members = match parser.peek() {
                Some('}') => Vec::new(),
                _ => parser.list(Self::json_member)?,
            };
            parser.blanks();
            parser.expect("}")?;
            Ok(members)
        })
    }

    fn json_member(&mut self) -> Parsed<(String, Expr)> {
        let name = self.json_string()?;
        self.blanks();
        self.expect(":")?;
        self.blanks();
        Ok((name, self.json_value()?))
    }

    fn json_value(&mut self) -> Parsed<Expr> {
        if self.peek() != Some('"') {
            return self.expression();
        }
        let start = self.position();
        let text = Value::string(&self.json_string()?);
        self.node(ExprKind::Literal(Literal::Value(text)), start)
    }

    /// A string as JSON writes it.
    fn json_string(&mut self) -> Parsed<String> {
        let start = self.position();
        self.expect("\"")?;
        while let Some(char) = self.peek() {
            self.advance(if char == '\\' { 2 } else { 1 });
            if char == '"' {
                return serde_json::from_str(&self.since(start)).map_err(|_| self.invalid_literal(start));
            }
        }
        Err(self.unexpected(Expected::ClosingQuote))
    }
}
