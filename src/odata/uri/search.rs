//! `$search`: words and phrases with `NOT`, `AND` and `OR`. The three are operators and no search words; who looks for them puts them
//! in double quotes. `NOT` binds tightest, `OR` loosest.

use super::error::Expected;
use super::lexer::{Parsed, Parser};
use super::syntax::SearchExpr;
use super::tree::balanced;

impl Parser<'_> {
    /// The value of `$search`.
    pub(super) fn search(&mut self) -> Parsed<SearchExpr> {
        self.blanks();
        if self.peek() == Some('\'') {
            // Some clients put what the user types in single quotes: it is searched for as one phrase.
            return Ok(SearchExpr::Phrase(self.quoted()?));
        }
        self.search_or()
    }

    fn search_or(&mut self) -> Parsed<SearchExpr> {
        let mut terms = vec![self.search_and()?];
        while self.search_operator("OR") {
            self.count_node()?;
            terms.push(self.search_and()?);
        }
        balanced(terms, |a, b| SearchExpr::Or(Box::new(a), Box::new(b)))
            .ok_or_else(|| self.unexpected(Expected::SearchTerm))
    }

    fn search_and(&mut self) -> Parsed<SearchExpr> {
        let mut terms = vec![self.search_term()?];
        loop {
            let start = self.position();
            let explicit = self.search_operator("AND");
            if !explicit && (self.search_operator("OR") || !self.blanks() || !self.at_term()) {
                self.rewind(start);
                break;
            }
            self.count_node()?;
            terms.push(self.search_term()?);
        }
        balanced(terms, |a, b| SearchExpr::And(Box::new(a), Box::new(b)))
            .ok_or_else(|| self.unexpected(Expected::SearchTerm))
    }

    /// Consumes an operator between two terms.
    fn search_operator(&mut self, word: &str) -> bool {
        let start = self.position();
        if self.blanks() && self.eat_text(word) && self.blanks() && self.at_term() {
            return true;
        }
        self.rewind(start);
        false
    }

    fn at_term(&self) -> bool {
        match self.peek() {
            Some('(' | '"') => true,
            Some('\'') | None => false,
            Some(char) => self.is_search_char(char),
        }
    }

    fn search_term(&mut self) -> Parsed<SearchExpr> {
        let start = self.position();
        if self.eat_text("NOT") && self.blanks() && self.at_term() {
            let negated = self.nested(Self::search_term)?;
            return Ok(SearchExpr::Not(Box::new(negated)));
        }
        self.rewind(start);
        match self.peek() {
            Some('(') => self.nested(|parser| {
                parser.open()?;
                let inner = parser.search_or()?;
                parser.close()?;
                Ok(inner)
            }),
            Some('"') => self.search_phrase(),
            _ => self.search_word(),
        }
    }

    fn search_phrase(&mut self) -> Parsed<SearchExpr> {
        self.expect("\"")?;
        let phrase = self.take_while(|char| char != '"');
        if phrase.is_empty() {
            return Err(self.unexpected(Expected::SearchTerm));
        }
        if !self.eat('"') {
            return Err(self.unexpected(Expected::ClosingQuote));
        }
        Ok(SearchExpr::Phrase(phrase))
    }

    fn search_word(&mut self) -> Parsed<SearchExpr> {
        if !self.at_term() {
            return Err(self.unexpected(Expected::SearchTerm));
        }
        let start = self.position();
        while self.peek().is_some_and(|char| self.is_search_char(char)) {
            self.advance(1);
        }
        let word = self.since(start);
        if matches!(word.as_str(), "AND" | "OR" | "NOT") {
            self.rewind(start);
            return Err(self.unexpected(Expected::SearchTerm));
        }
        Ok(SearchExpr::Word(word))
    }

    /// A semicolon ends a word unless it came percent-encoded.
    fn is_search_char(&self, char: char) -> bool {
        !matches!(char, ' ' | '\t' | '\n' | '\r' | '(' | ')' | '"') && (char != ';' || self.is_encoded())
    }
}
