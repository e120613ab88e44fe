//! Names followed by parentheses: functions of the language, functions of the model, keys, `cast`, `isof` and `case`.

use super::error::{Expected, SyntaxErrorKind};
use super::lexer::{Parsed, Parser};
use super::syntax::{Expr, ExprKind, KeySyntax, PathRoot, TypeFunction};
use crate::odata::functions::{self, Signature};

impl Parser<'_> {
    /// A name with parentheses behind it: a function of the language, one of the model, or a key.
    pub(super) fn call(&mut self, name: String, start: usize) -> Parsed<ExprKind> {
        match name.to_ascii_lowercase().as_str() {
            "case" => return self.nested(Self::case),
            "cast" => return self.nested(|parser| parser.type_call(TypeFunction::Cast)),
            "isof" => return self.nested(|parser| parser.type_call(TypeFunction::IsOf)),
            "any" | "all" => {
                self.rewind(start);
                return Err(self.unexpected(Expected::PathInFront));
            }
            _ => {}
        }
        match functions::find(&name) {
            Some(signature) => self.known_call(signature, start),
            None => self.model_call(name, start),
        }
    }

    /// A name of the model: only with a namespace or a path behind it the parentheses may hold a key.
    fn model_call(&mut self, name: String, start: usize) -> Parsed<ExprKind> {
        let arguments = self.arguments()?;
        let is_path = name.contains('.') || matches!(self.peek(), Some('/' | '('));
        let key = match arguments {
            Arguments::Positional(args) if !is_path => return Ok(ExprKind::Call { name, args }),
            Arguments::Key(KeySyntax::Empty) if !is_path => {
                let args = Vec::new();
                return Ok(ExprKind::Call { name, args });
            }
            Arguments::Positional(args) => match single_key(args) {
                Some(key) => key,
                None => {
                    self.rewind(start + name.chars().count() + 1);
                    return Err(self.unexpected(Expected::KeyValue));
                }
            },
            Arguments::Key(key) => key,
        };
        let first = self.name_step(name, Some(key), start);
        self.path(PathRoot::Implicit, vec![first])
    }

    /// A call of a function of the language.
    fn known_call(&mut self, signature: &Signature, start: usize) -> Parsed<ExprKind> {
        let Signature { name, parameters, required: min, .. } = *signature;
        let (args, max) = (self.parenthesised_list()?, parameters.len());
        if !(min..=max).contains(&args.len()) {
            let kind = SyntaxErrorKind::ArgumentCount { name: name.to_owned(), min, max, found: args.len() };
            return Err(self.error_at(start, kind));
        }
        Ok(ExprKind::Call { name: name.to_owned(), args })
    }

    /// `case(condition:value,…)`
    fn case(&mut self) -> Parsed<ExprKind> {
        self.open()?;
        let pairs = self.list(|parser| {
            let condition = parser.expression()?;
            parser.blanks();
            parser.expect(":")?;
            parser.blanks();
            Ok((condition, parser.expression()?))
        })?;
        self.close()?;
        Ok(ExprKind::Case(pairs))
    }

    /// `cast(T)`, `cast(x,T)`, `isof(T)`, `isof(x,T)`
    fn type_call(&mut self, name: TypeFunction) -> Parsed<ExprKind> {
        self.open()?;
        let start = self.position();
        if let Ok(type_name) = self.type_name()
            && self.close().is_ok()
        {
            return Ok(ExprKind::TypeCall { name, operand: None, type_name });
        }
        self.rewind(start);
        let operand = Some(Box::new(self.expression()?));
        self.required_comma()?;
        let type_name = self.type_name()?;
        self.close()?;
        Ok(ExprKind::TypeCall { name, operand, type_name })
    }

    /// The name of a type or of a collection of them.
    fn type_name(&mut self) -> Parsed<String> {
        let start = self.position();
        if self.eat_text("Collection(") {
            self.dotted_name()?;
            self.expect(")")?;
            return Ok(self.since(start));
        }
        self.dotted_name().map_err(|_| self.unexpected(Expected::TypeName))
    }

    // What stands in parentheses behind a name.

    /// Arguments in order, or the parts of a key or parameters by name.
    fn arguments(&mut self) -> Parsed<Arguments> {
        self.nested(|parser| {
            parser.open()?;
            if parser.eat(')') {
                return Ok(Arguments::Key(KeySyntax::Empty));
            }
            let arguments = if parser.at_parameter() {
                Arguments::Key(KeySyntax::Named(parser.list(Self::parameter)?))
            } else {
                Arguments::Positional(parser.list(Self::expression)?)
            };
            parser.close()?;
            Ok(arguments)
        })
    }

    fn at_parameter(&mut self) -> bool {
        let start = self.position();
        let found = self.identifier().is_ok() && self.peek() == Some('=');
        self.rewind(start);
        found
    }

    fn parameter(&mut self) -> Parsed<(String, Expr)> {
        let name = self.identifier()?;
        self.expect("=")?;
        self.blanks();
        Ok((name, self.expression()?))
    }

    /// Key or parameters behind a name within a path, if there are any.
    pub(super) fn optional_key(&mut self) -> Parsed<Option<KeySyntax>> {
        if self.peek() != Some('(') {
            return Ok(None);
        }
        let start = self.position();
        let key = match self.arguments()? {
            Arguments::Key(key) => Some(key),
            Arguments::Positional(args) => single_key(args),
        };
        if key.is_none() {
            self.rewind(start + 1);
            return Err(self.unexpected(Expected::KeyValue));
        }
        Ok(key)
    }
}

/// The content of the parentheses after a name, before it is known what the name is.
enum Arguments {
    Positional(Vec<Expr>),
    Key(KeySyntax),
}

/// A key of one value: a literal or an alias.
fn single_key(mut args: Vec<Expr>) -> Option<KeySyntax> {
    let only = args.pop().filter(|_| args.is_empty())?;
    matches!(only.kind, ExprKind::Literal(_) | ExprKind::Alias(_)).then_some(KeySyntax::Single(only))
}
