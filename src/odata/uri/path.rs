//! Resource paths: segments, their keys, and which segments may follow which. A segment that is not a name is kept as text, because
//! it may be a key value; the first segment cannot be.

use super::Limits;
use super::decode::{Plus, decode};
use super::error::{Expected, SyntaxError, SyntaxErrorKind};
use super::lexer::{Parsed, Parser, is_identifier_start};
use super::syntax::{
    Expr, ExprKind, KeySyntax, Literal, PathSegment, QueryOptions, ResourcePath, SystemSegment,
};
use crate::odata::value::Value;

/// The name of the path in errors.
const PATH: &str = "path";

/// The raw path below the service root.
pub(super) fn parse(path: &str, limits: &Limits) -> Result<ResourcePath, SyntaxError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = Vec::new();
    if path.is_empty() {
        return Ok(ResourcePath { segments });
    }
    let mut base = 0;
    for raw in path.split('/') {
        let text = decode(raw, PATH, Plus::Itself)
            .map_err(|error| SyntaxError { position: error.position + base, ..error })?;
        let mut parser = Parser::new(&text, PATH, limits).with_base(base);
        parser.check_items(segments.len() + 1)?;
        parser.segment(&mut segments)?;
        base += text.chars.len() + 1;
    }
    Ok(ResourcePath { segments })
}

/// Refuses options that do not apply to the resource.
pub(super) fn check_options(path: &ResourcePath, options: &QueryOptions) -> Result<(), SyntaxError> {
    let Some(PathSegment::System { name, .. }) = path.segments.first() else {
        return Ok(());
    };
    let has_cast = path.segments.len() > 1;
    let allowed: &[&str] = match name {
        SystemSegment::Metadata => &["$format", "$schemaversion"],
        SystemSegment::Batch => &["$format"],
        SystemSegment::Entity if has_cast => &["$format", "$id", "$select", "$expand"],
        SystemSegment::Entity => &["$format", "$id"],
        _ => return Ok(()),
    };
    let present = options.present();
    if let Some(name) = present.iter().find(|name| !allowed.contains(name)) {
        return Err(SyntaxError::new(
            name,
            0,
            SyntaxErrorKind::OptionNotAllowed { name: (*name).to_owned() },
        ));
    }
    if *name == SystemSegment::Entity && options.id.is_none() {
        let name = "$id".to_owned();
        return Err(SyntaxError::new(PATH, 0, SyntaxErrorKind::MissingOption { name }));
    }
    Ok(())
}

impl Parser<'_> {
    /// One segment, which is the whole text.
    fn segment(&mut self, before: &mut Vec<PathSegment>) -> Parsed<()> {
        if !may_follow(before, self.peek() == Some('$')) {
            return Err(self.unexpected(Expected::LastSegment));
        }
        match self.peek() {
            None => Err(self.unexpected(Expected::Segment)),
            Some('$') => {
                let segment = self.dollar_segment(before)?;
                self.end(Expected::End)?;
                before.push(segment);
                Ok(())
            }
            Some(char) if is_identifier_start(char) => self.name_segment(before),
            Some(_) => self.key_segment(before),
        }
    }

    fn name_segment(&mut self, before: &mut Vec<PathSegment>) -> Parsed<()> {
        let start = self.position();
        let name = if before.is_empty() {
            self.identifier()?
        } else {
            match self.dotted_name() {
                Ok(name) => name,
                Err(_) => return self.key_segment(before),
            }
        };
        if !self.at_end() && self.peek() != Some('(') {
            return self.key_segment(before);
        }
        let key = self.path_key()?;
        let may_be_function = matches!(key, Some(KeySyntax::Empty | KeySyntax::Named(_)));
        let span = self.span_from(start);
        before.push(PathSegment::Name { name, key, span });
        if may_be_function && self.peek() == Some('(') {
            let start = self.position();
            if let Some(key) = self.path_key()? {
                let span = self.span_from(start);
                before.push(PathSegment::Key { key, span });
            }
        }
        self.end(Expected::End)
    }

    /// A segment that can only be a key value.
    fn key_segment(&mut self, before: &mut Vec<PathSegment>) -> Parsed<()> {
        if before.is_empty() {
            return Err(self.unexpected(Expected::Segment));
        }
        self.rewind(0);
        let name = self.take_while(|_| true);
        let span = self.span_from(0);
        before.push(PathSegment::Name { name, key: None, span });
        Ok(())
    }

    /// A key or parameters: only literals and aliases stand in a path.
    fn path_key(&mut self) -> Parsed<Option<KeySyntax>> {
        let key = self.optional_key()?;
        if let Some(KeySyntax::Single(expr)) = &key
            && is_null(expr)
        {
            return Err(self.not_a_key(expr));
        }
        if let Some(KeySyntax::Named(pairs)) = &key {
            let wrong = pairs
                .iter()
                .find(|(_, expr)| !matches!(expr.kind, ExprKind::Literal(_) | ExprKind::Alias(_)));
            if let Some((_, expr)) = wrong {
                return Err(self.not_a_key(expr));
            }
        }
        Ok(key)
    }

    fn not_a_key(&mut self, expr: &Expr) -> SyntaxError {
        let start = expr.span.start.saturating_sub(self.span_from(0).start);
        self.rewind(start);
        self.unexpected(Expected::KeyValue)
    }

    fn dollar_segment(&mut self, before: &[PathSegment]) -> Parsed<PathSegment> {
        let start = self.position();
        let word = {
            self.advance(1);
            self.take_while(|char| char.is_ascii_alphabetic())
        };
        let is_first = before.is_empty();
        let name = match (word.as_str(), is_first) {
            ("metadata", true) => SystemSegment::Metadata,
            ("batch", true) => SystemSegment::Batch,
            ("entity", true) => SystemSegment::Entity,
            ("all", true) => SystemSegment::All,
            ("crossjoin", true) => SystemSegment::Crossjoin(self.crossjoin()?),
            ("count", false) => SystemSegment::Count,
            ("value", false) => SystemSegment::Value,
            ("ref", false) => SystemSegment::Ref,
            ("each", false) => SystemSegment::Each,
            ("query", false) => SystemSegment::Query,
            ("filter", false) => {
                self.open()?;
                let expr = Box::new(self.expression()?);
                self.close()?;
                let span = self.span_from(start);
                return Ok(PathSegment::Filter { expr, span });
            }
            _ => {
                self.rewind(start);
                return Err(self.unexpected(Expected::Segment));
            }
        };
        let span = self.span_from(start);
        Ok(PathSegment::System { name, span })
    }

    fn crossjoin(&mut self) -> Parsed<Vec<String>> {
        self.open()?;
        let sets = self.list(Self::identifier)?;
        self.close()?;
        Ok(sets)
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(Literal::Value(Value::Null)))
}

/// Whether a segment may follow these. Segments with a dollar sign may follow others than names and keys may.
fn may_follow(before: &[PathSegment], has_dollar: bool) -> bool {
    use SystemSegment as System;
    if let Some(PathSegment::System { name, .. }) = before.first()
        && matches!(name, System::Entity | System::All)
    {
        return before.len() == 1 && !has_dollar;
    }
    match before.last() {
        Some(PathSegment::System { name, .. }) => match name {
            System::Crossjoin(_) => has_dollar,
            System::Each => !has_dollar,
            _ => false,
        },
        _ => true,
    }
}
