//! Paths of members within expressions: names with keys, casts, `$count`, `$filter(…)`, lambda operators, `aggregate(…)`.

use super::error::Expected;
use super::lexer::{Parsed, Parser};
use super::syntax::{Expr, ExprKind, KeySyntax, LambdaOp, MemberPath, MemberStep, PathRoot};

impl Parser<'_> {
    /// The steps behind a root or a first step that has been read.
    pub(super) fn path(&mut self, root: PathRoot, mut steps: Vec<MemberStep>) -> Parsed<ExprKind> {
        loop {
            if self.peek() == Some('(') && steps.last().is_some_and(may_be_function) {
                steps.push(self.function_key()?);
            }
            if !self.eat('/') {
                break;
            }
            self.count_node()?;
            if !steps.last().is_none_or(may_be_followed) {
                return Err(self.unexpected(Expected::Operator));
            }
            steps.push(self.step()?);
        }
        if let (Some(first), PathRoot::Root) = (steps.first(), &root)
            && !matches!(first, MemberStep::Name { name, .. } if !name.contains(['.', '@']))
        {
            return Err(self.unexpected(Expected::Name));
        }
        Ok(ExprKind::Path(MemberPath { root, steps }))
    }

    fn step(&mut self) -> Parsed<MemberStep> {
        let start = self.position();
        match self.peek() {
            Some('$') => self.dollar_step(start),
            Some('@') => {
                let name = self.annotation()?;
                let span = self.span_from(start);
                let key = None;
                Ok(MemberStep::Name { name, key, span })
            }
            _ => {
                let name = self.dotted_name()?;
                if self.peek() == Some('(') {
                    return self.step_with_parentheses(name, start);
                }
                let span = self.span_from(start);
                let key = None;
                Ok(MemberStep::Name { name, key, span })
            }
        }
    }

    /// A key behind the parentheses of a function, which then gave a collection.
    fn function_key(&mut self) -> Parsed<MemberStep> {
        let start = self.position();
        let key = self.optional_key()?.unwrap_or(KeySyntax::Empty);
        let span = self.span_from(start);
        Ok(MemberStep::Key { key, span })
    }

    fn dollar_step(&mut self, start: usize) -> Parsed<MemberStep> {
        if self.eat_word("$count") {
            return self.nested(|parser| parser.count_step(start));
        }
        if self.eat_word("$filter") {
            let expr = self.nested(|parser| {
                parser.open()?;
                let expr = parser.expression()?;
                parser.close()?;
                Ok(expr)
            })?;
            let span = self.span_from(start);
            let expr = Box::new(expr);
            return Ok(MemberStep::Filter { expr, span });
        }
        Err(self.unexpected(Expected::Property))
    }

    /// `$count`, perhaps with `($filter=…;$search=…)`.
    fn count_step(&mut self, start: usize) -> Parsed<MemberStep> {
        let options = self.count_options()?;
        Ok(MemberStep::Count {
            filter: options.filter.map(Box::new),
            search: options.search,
            span: self.span_from(start),
        })
    }

    fn step_with_parentheses(&mut self, name: String, start: usize) -> Parsed<MemberStep> {
        if name == "aggregate" {
            self.nested(Self::aggregate_function)?;
            let span = self.span_from(start);
            return Ok(MemberStep::Aggregate { span });
        }
        if name.eq_ignore_ascii_case("any") {
            return self.nested(|parser| parser.lambda(LambdaOp::Any, start));
        }
        if name.eq_ignore_ascii_case("all") {
            return self.nested(|parser| parser.lambda(LambdaOp::All, start));
        }
        let key = self.optional_key()?;
        let span = self.span_from(start);
        Ok(MemberStep::Name { name, key, span })
    }

    /// `any(x:…)`, `all(x:…)`, `any()`
    fn lambda(&mut self, op: LambdaOp, start: usize) -> Parsed<MemberStep> {
        self.open()?;
        let mut variable = None;
        let mut body: Option<Box<Expr>> = None;
        if op == LambdaOp::All || self.peek() != Some(')') {
            variable = Some(self.identifier()?);
            self.blanks();
            self.expect(":")?;
            self.blanks();
            body = Some(Box::new(self.expression()?));
        }
        self.close()?;
        Ok(MemberStep::Lambda { op, variable, body, span: self.span_from(start) })
    }
}

/// Steps that give a single value end their path.
fn may_be_followed(step: &MemberStep) -> bool {
    !matches!(step, MemberStep::Count { .. } | MemberStep::Lambda { .. } | MemberStep::Aggregate { .. })
}

/// Whether the parentheses of the step can be those of a function.
fn may_be_function(step: &MemberStep) -> bool {
    matches!(step, MemberStep::Name { key: Some(KeySyntax::Empty | KeySyntax::Named(_)), .. })
}
