//! The values of `$select`, `$expand`, `$orderby` and `$compute`: terms with commas between them.

use super::error::Expected;
use super::lexer::{Parsed, Parser};
use super::options::OptionScope;
use super::syntax::{ComputeTerm, ExpandSuffix, ExpandTerm, OrderTerm, QueryOptions, SelectItem, SelectTerm};

impl Parser<'_> {
    /// One term of `$select`.
    pub(super) fn select_term(&mut self) -> Parsed<SelectTerm> {
        let start = self.position();
        let item = self.select_item()?;
        let mut options = None;
        if self.peek() == Some('(') && matches!(item, SelectItem::Path(_)) {
            options = Some(Box::new(self.nested_options(OptionScope::Select)?));
        }
        Ok(SelectTerm { item, options, span: self.span_from(start) })
    }

    fn select_item(&mut self) -> Parsed<SelectItem> {
        if self.eat('*') {
            return Ok(SelectItem::Star);
        }
        let mut path = Vec::new();
        loop {
            let name = self.step_name()?;
            if path.is_empty() && self.eat_text(".*") {
                return Ok(SelectItem::QualifiedStar(name));
            }
            path.push(name);
            if !self.eat('/') {
                break;
            }
        }
        match self.parameter_names()? {
            Some(names) => Ok(SelectItem::Operation(path, names)),
            None => Ok(SelectItem::Path(path)),
        }
    }

    /// A name on a path of names: a property, a type or an annotation.
    fn step_name(&mut self) -> Parsed<String> {
        match self.peek() {
            Some('@') => self.annotation(),
            _ => self.dotted_name(),
        }
    }

    /// The names of an operation's parameters, unless the parentheses hold options.
    fn parameter_names(&mut self) -> Parsed<Option<Vec<String>>> {
        let start = self.position();
        if self.eat('(') {
            self.blanks();
            if let Ok(names) = self.list(Self::identifier)
                && self.close().is_ok()
            {
                return Ok(Some(names));
            }
            self.rewind(start);
        }
        Ok(None)
    }

    /// One term of `$expand`.
    pub(super) fn expand_term(&mut self) -> Parsed<ExpandTerm> {
        let start = self.position();
        let (path, suffix) = self.expand_path()?;
        let is_star = path.last().is_some_and(|name| name == "*");
        let scope = match suffix {
            ExpandSuffix::None if is_star => Some(OptionScope::ExpandStar),
            ExpandSuffix::None => Some(OptionScope::Expand),
            ExpandSuffix::Ref if !is_star => Some(OptionScope::ExpandRef),
            ExpandSuffix::Count => Some(OptionScope::Count),
            ExpandSuffix::Ref | ExpandSuffix::Value => None,
        };
        let options = match scope.filter(|_| self.peek() == Some('(')) {
            Some(scope) => self.nested_options(scope)?,
            None => QueryOptions::default(),
        };
        Ok(ExpandTerm { path, suffix, options, span: self.span_from(start) })
    }

    fn expand_path(&mut self) -> Parsed<(Vec<String>, ExpandSuffix)> {
        let mut path: Vec<String> = Vec::new();
        if self.eat_word("$value") {
            return Ok((path, ExpandSuffix::Value));
        }
        loop {
            let is_star = self.eat('*');
            path.push(if is_star { "*".to_owned() } else { self.step_name()? });
            if !self.eat('/') {
                return Ok((path, ExpandSuffix::None));
            }
            if self.eat_word("$ref") {
                return Ok((path, ExpandSuffix::Ref));
            }
            if is_star {
                return Err(self.unexpected(Expected::Text("$ref")));
            }
            if self.eat_word("$count") {
                return Ok((path, ExpandSuffix::Count));
            }
        }
    }

    /// One term of `$orderby`.
    pub(super) fn order_term(&mut self) -> Parsed<OrderTerm> {
        let expr = self.expression()?;
        let start = self.position();
        if self.blanks() {
            let word = self.take_while(|char| char.is_ascii_alphabetic());
            if word.eq_ignore_ascii_case("asc") || word.eq_ignore_ascii_case("desc") {
                let descending = word.eq_ignore_ascii_case("desc");
                return Ok(OrderTerm { expr, descending });
            }
            self.rewind(start);
        }
        Ok(OrderTerm { expr, descending: false })
    }

    /// One term of `$compute`.
    pub(super) fn compute_term(&mut self) -> Parsed<ComputeTerm> {
        let start = self.position();
        let expr = self.expression()?;
        let alias = self.alias()?;
        Ok(ComputeTerm { expr, alias, span: self.span_from(start) })
    }

    /// `as` and a name.
    pub(super) fn alias(&mut self) -> Parsed<String> {
        self.optional_alias()?.ok_or_else(|| self.unexpected(Expected::Alias))
    }

    /// `as` and a name, if they stand here.
    pub(super) fn optional_alias(&mut self) -> Parsed<Option<String>> {
        if !self.keyword_between("as")? {
            return Ok(None);
        }
        self.identifier().map(Some)
    }

    /// Consumes a word with blanks on both sides.
    pub(super) fn keyword_between(&mut self, keyword: &str) -> Parsed<bool> {
        let start = self.position();
        if self.blanks() && self.take_while(|char| char.is_ascii_alphabetic()).eq_ignore_ascii_case(keyword) {
            self.required_blanks()?;
            return Ok(true);
        }
        self.rewind(start);
        Ok(false)
    }
}
