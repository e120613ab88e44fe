//! The parser's cursor over decoded text: characters, blanks, words and names, and how much of the limits is used. What a word
//! means depends on its context, so there is no separate list of tokens; each parsing function reads its own.

use super::Limits;
use super::decode::Text;
use super::error::{Expected, Limit, SyntaxError, SyntaxErrorKind};
use super::syntax::Span;
use crate::error::excerpt;

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// The longest name that the data model allows.
pub(super) const NAME_LENGTH: usize = 128;

/// A position in a text, and what is left of the limits.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    text: &'a Text,
    at: usize,
    /// The offset of the text within its option, for positions in errors.
    base: usize,
    option: &'a str,
    limits: &'a Limits,
    depth: usize,
    /// Height of the tallest tree built for the present operand; see `expression.rs`.
    pub(super) height: usize,
    nodes: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a Text, option: &'a str, limits: &'a Limits) -> Self {
        Self { text, at: 0, base: 0, option, limits, depth: 0, height: 0, nodes: 0 }
    }

    /// A text that is a part of its option, from `base` on.
    pub(super) fn with_base(self, base: usize) -> Self {
        Self { base, ..self }
    }

    // Position.

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes back to a position read before.
    pub(super) fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    pub(super) fn advance(&mut self, count: usize) {
        self.at = (self.at + count).min(self.text.chars.len());
    }

    pub(super) fn span_from(&self, start: usize) -> Span {
        Span { start: self.base + start, end: self.base + self.at }
    }

    /// The characters that are still to be read.
    pub(super) fn rest(&self) -> &'a [char] {
        self.text.chars.get(self.at..).unwrap_or_default()
    }

    /// The text from a position read before up to here.
    pub(super) fn since(&self, start: usize) -> String {
        self.text.chars.get(start..self.at).unwrap_or_default().iter().collect()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.text.chars.get(self.at).copied()
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.text.chars.get(self.at + ahead).copied()
    }

    /// Whether the next character came percent-encoded.
    pub(super) fn is_encoded(&self) -> bool {
        self.text.encoded.get(self.at).copied().unwrap_or(false)
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.text.chars.len()
    }

    // Characters and words.

    pub(super) fn eat(&mut self, char: char) -> bool {
        let found = self.peek() == Some(char);
        if found {
            self.at += 1;
        }
        found
    }

    /// Consumes exactly this text, letter case included.
    pub(super) fn eat_text(&mut self, text: &str) -> bool {
        let mut length = 0;
        for (ahead, char) in text.chars().enumerate() {
            if self.peek_at(ahead) != Some(char) {
                return false;
            }
            length = ahead + 1;
        }
        self.at += length;
        true
    }

    /// Consumes this word, letter case included, if no letter or digit follows it.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let start = self.at;
        if self.eat_text(word) && !self.peek().is_some_and(is_identifier_part) {
            return true;
        }
        self.at = start;
        false
    }

    pub(super) fn expect(&mut self, text: &'static str) -> Parsed<()> {
        if self.eat_text(text) { Ok(()) } else { Err(self.unexpected(Expected::Text(text))) }
    }

    /// Consumes blanks; returns whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
        self.at > start
    }

    pub(super) fn required_blanks(&mut self) -> Parsed<()> {
        if self.blanks() { Ok(()) } else { Err(self.unexpected(Expected::Blank)) }
    }

    /// Consumes a comma and the blanks around it.
    pub(super) fn comma(&mut self) -> bool {
        let start = self.at;
        self.blanks();
        if self.eat(',') {
            self.blanks();
            return true;
        }
        self.at = start;
        false
    }

    /// A comma where one must stand.
    pub(super) fn required_comma(&mut self) -> Parsed<()> {
        if self.comma() { Ok(()) } else { Err(self.unexpected(Expected::Text(","))) }
    }

    /// The opening parenthesis and the blanks behind it.
    pub(super) fn open(&mut self) -> Parsed<()> {
        self.expect("(")?;
        self.blanks();
        Ok(())
    }

    /// The closing parenthesis and the blanks before it.
    pub(super) fn close(&mut self) -> Parsed<()> {
        self.blanks();
        self.expect(")")
    }

    pub(super) fn end(&mut self, expected: Expected) -> Parsed<()> {
        if self.at_end() { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Takes characters as long as they fit.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.at += 1;
        }
        self.since(start)
    }

    // Names.

    /// A name as the data model allows them.
    pub(super) fn identifier(&mut self) -> Parsed<String> {
        if !self.peek().is_some_and(is_identifier_start) {
            return Err(self.unexpected(Expected::Name));
        }
        let start = self.at;
        let name = self.take_while(is_identifier_part);
        if self.at - start > NAME_LENGTH {
            return Err(self.limit(start, Limit::NameLength, NAME_LENGTH));
        }
        Ok(name)
    }

    /// Names with dots between them; a single name counts too.
    pub(super) fn dotted_name(&mut self) -> Parsed<String> {
        let start = self.at;
        self.identifier()?;
        while self.peek() == Some('.') && self.peek_at(1).is_some_and(is_identifier_start) {
            self.at += 1;
            self.identifier()?;
        }
        Ok(self.since(start))
    }

    /// An annotation: `@Namespace.Term`, perhaps with `#Qualifier`.
    pub(super) fn annotation(&mut self) -> Parsed<String> {
        let start = self.at;
        self.expect("@")?;
        self.dotted_name()?;
        if self.eat('#') {
            self.identifier()?;
        }
        Ok(self.since(start))
    }

    // Lists and limits.

    /// One or more terms with commas between them.
    pub(super) fn list<T>(&mut self, mut term: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut terms = vec![term(self)?];
        while self.comma() {
            self.check_items(terms.len() + 1)?;
            terms.push(term(self)?);
        }
        Ok(terms)
    }

    pub(super) fn check_items(&self, count: usize) -> Parsed<()> {
        if count > self.limits.list_items {
            return Err(self.limit(self.at, Limit::ListItems, self.limits.list_items));
        }
        Ok(())
    }

    /// Parses the content of brackets, one level deeper.
    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.nested_by(1, inner)
    }

    /// Parses the content of brackets that count for several levels.
    pub(super) fn nested_by<T>(
        &mut self,
        levels: usize,
        inner: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        if self.depth + levels > self.limits.depth {
            return Err(self.too_deep());
        }
        self.depth += levels;
        let result = inner(self);
        self.depth -= levels;
        result
    }

    /// Counts one node of the tree.
    pub(super) fn count_node(&mut self) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(self.limit(self.at, Limit::Nodes, self.limits.nodes));
        }
        Ok(())
    }

    /// Makes the tree taller by some levels.
    pub(super) fn grow(&mut self, levels: usize) -> Parsed<()> {
        self.height += levels;
        // Both brackets and chains of operators make a tree tall, and walking a tall tree needs stack.
        if self.height > self.limits.depth * 4 {
            return Err(self.too_deep());
        }
        Ok(())
    }

    fn too_deep(&self) -> SyntaxError {
        self.limit(self.at, Limit::Depth, self.limits.depth)
    }

    // Errors.

    pub(super) fn unexpected(&self, expected: Expected) -> SyntaxError {
        let found = excerpt(&self.rest().iter().collect::<String>());
        self.error_at(self.at, SyntaxErrorKind::Unexpected { expected, found })
    }

    pub(super) fn error_at(&self, position: usize, kind: SyntaxErrorKind) -> SyntaxError {
        SyntaxError::new(self.option, self.base + position, kind)
    }

    fn limit(&self, position: usize, limit: Limit, max: usize) -> SyntaxError {
        self.error_at(position, SyntaxErrorKind::LimitExceeded { limit, max })
    }
}

pub(super) fn is_identifier_start(char: char) -> bool {
    char == '_' || unicode_ident::is_xid_start(char)
}

/// Letters, digits, marks, connectors and format characters.
pub(super) fn is_identifier_part(char: char) -> bool {
    unicode_ident::is_xid_continue(char)
        || matches!(char, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}')
}
