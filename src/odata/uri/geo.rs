//! Geo literals: parsed completely, so that syntax errors in them are found; their meaning is not supported.

use super::error::Expected;
use super::lexer::{Parsed, Parser};
use super::syntax::Literal;

impl Parser<'_> {
    /// The quoted part of `geography'…'` or `geometry'…'`, which began at `start`.
    pub(super) fn geo_literal(&mut self, start: usize) -> Parsed<Literal> {
        self.expect("'")?;
        self.full_shape()?;
        self.expect("'")?;
        Ok(Literal::Geo(self.since(start)))
    }

    /// A shape with its reference system in front.
    pub(super) fn full_shape(&mut self) -> Parsed<()> {
        self.keyword("SRID")?;
        self.expect("=")?;
        let digits = self.take_while(|char| char.is_ascii_digit());
        if !(1..=5).contains(&digits.len()) {
            return Err(self.unexpected(Expected::Integer));
        }
        self.expect(";")?;
        self.shape()
    }

    fn keyword(&mut self, keyword: &'static str) -> Parsed<()> {
        let start = self.position();
        if self.take_while(|char| char.is_ascii_alphabetic()).eq_ignore_ascii_case(keyword) {
            return Ok(());
        }
        self.rewind(start);
        Err(self.unexpected(Expected::Text(keyword)))
    }

    fn shape(&mut self) -> Parsed<()> {
        let start = self.position();
        let name = self.take_while(|char| char.is_ascii_alphabetic());
        match name.to_ascii_lowercase().as_str() {
            "point" => self.bracketed(Self::geo_position),
            "linestring" => self.line(),
            "polygon" => self.polygon(),
            "multipoint" => self.shapes(|parser| parser.bracketed(Self::geo_position)),
            "multilinestring" => self.shapes(Self::line),
            "multipolygon" => self.shapes(Self::polygon),
            "geometrycollection" => {
                self.nested(|parser| parser.bracketed(|inner| inner.positions(1, Self::shape)))
            }
            _ => {
                self.rewind(start);
                Err(self.unexpected(Expected::Literal))
            }
        }
    }

    fn line(&mut self) -> Parsed<()> {
        self.bracketed(|parser| parser.positions(2, Self::geo_position))
    }

    fn polygon(&mut self) -> Parsed<()> {
        self.bracketed(|parser| {
            parser.positions(1, |ring| ring.bracketed(|inner| inner.positions(1, Self::geo_position)))
        })
    }

    /// Any number of shapes of one kind in parentheses, none at all included.
    fn shapes(&mut self, shape: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.bracketed(|parser| match parser.peek() {
            Some(')') => Ok(()),
            _ => parser.positions(1, shape),
        })
    }

    fn bracketed(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.expect("(")?;
        inner(self)?;
        self.expect(")")
    }

    fn positions(&mut self, min: usize, mut one: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        one(self)?;
        let mut count = 1;
        while count < min || self.peek() == Some(',') {
            self.expect(",")?;
            one(self)?;
            count += 1;
        }
        Ok(())
    }

    /// Two to four numbers with a blank between them.
    fn geo_position(&mut self) -> Parsed<()> {
        let mut count = 0;
        while count < 2 || (count < 4 && self.peek() == Some(' ')) {
            if count > 0 {
                self.expect(" ")?;
            }
            if self.bare_literal()?.is_none() && !self.eat_word("INF") && !self.eat_word("NaN") {
                return Err(self.unexpected(Expected::Literal));
            }
            count += 1;
        }
        Ok(())
    }
}
