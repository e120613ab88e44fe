//! Parses expressions by operator precedence with an explicit stack of pending operators, so that only brackets and unary operators
//! use the call stack.
//!
//! Trees must stay shallow, because they are walked recursively. Open brackets are counted. Chains of `and` and `or`, which clients
//! make thousands long, become balanced trees; chains of other operators become left-leaning trees, and their length is limited.

use super::error::Expected;
use super::lexer::{Parsed, Parser, is_identifier_start};
use super::literal::constant;
use super::syntax::{BinaryOp, Expr, ExprKind, KeySyntax, Literal, MemberStep, PathRoot, Span, UnaryOp};
use super::tree::balanced;

/// An operator. `in` is separate from the binary operators, because its right side may be a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Binary(BinaryOp),
    In,
}

impl Operator {
    fn from_word(word: &str) -> Option<Self> {
        Some(Self::Binary(match word.to_ascii_lowercase().as_str() {
            "or" => BinaryOp::Or,
            "and" => BinaryOp::And,
            "eq" => BinaryOp::Eq,
            "ne" => BinaryOp::Ne,
            "lt" => BinaryOp::Lt,
            "le" => BinaryOp::Le,
            "gt" => BinaryOp::Gt,
            "ge" => BinaryOp::Ge,
            "has" => BinaryOp::Has,
            "add" => BinaryOp::Add,
            "sub" => BinaryOp::Sub,
            "mul" => BinaryOp::Mul,
            "div" => BinaryOp::Div,
            "divby" => BinaryOp::DivBy,
            "mod" => BinaryOp::Mod,
            "in" => return Some(Self::In),
            _ => return None,
        }))
    }

    /// The precedence; a higher one binds tighter.
    fn strength(self) -> u8 {
        match self {
            Self::Binary(BinaryOp::Or) => 1,
            Self::Binary(BinaryOp::And) => 2,
            Self::Binary(BinaryOp::Eq | BinaryOp::Ne) => 3,
            Self::Binary(BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge) => 4,
            Self::In | Self::Binary(BinaryOp::Has) => 4,
            Self::Binary(BinaryOp::Add | BinaryOp::Sub) => 5,
            Self::Binary(BinaryOp::Mul | BinaryOp::Div | BinaryOp::DivBy | BinaryOp::Mod) => 6,
        }
    }

    /// Whether the operator is associative, so that a chain of it may be regrouped.
    fn is_associative(self) -> bool {
        matches!(self, Self::Binary(BinaryOp::And | BinaryOp::Or))
    }
}

/// An operand and the height of its tree.
struct Operand {
    expr: Expr,
    height: usize,
}

/// An operator that waits for its last operand.
struct Pending {
    operator: Operator,
    operands: Vec<Operand>,
}

impl Pending {
    /// Whether this operator, not the next one, takes the operand between them.
    fn binds_before(&self, next: Option<Operator>) -> bool {
        next.is_none_or(|next| {
            let (own, next_strength) = (self.operator.strength(), next.strength());
            own > next_strength || (own == next_strength && !self.operator.is_associative())
        })
    }
}

impl Parser<'_> {
    /// Any expression.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        let outer = self.height;
        let mut pending: Vec<Pending> = Vec::new();
        let mut operand = self.operand(None)?;
        loop {
            let operator = self.operator()?;
            while let Some(last) = pending.pop_if(|last| last.binds_before(operator)) {
                operand = self.build(last, operand)?;
            }
            let Some(operator) = operator else { break };
            match pending.last_mut() {
                Some(last) if last.operator == operator => last.operands.push(operand),
                _ => pending.push(Pending { operator, operands: vec![operand] }),
            }
            operand = self.operand(Some(operator))?;
        }
        self.height = outer.max(operand.height);
        Ok(operand.expr)
    }

    /// The operand after an operator, or the first one.
    fn operand(&mut self, operator: Option<Operator>) -> Parsed<Operand> {
        self.height = 0;
        let expr = match operator {
            Some(Operator::In) => self.in_operand()?,
            _ => self.unary()?,
        };
        self.grow(1)?;
        let height = self.height;
        Ok(Operand { expr, height })
    }

    /// An operator and the blanks around it.
    fn operator(&mut self) -> Parsed<Option<Operator>> {
        let start = self.position();
        if self.blanks() {
            let word = self.take_while(|char| char.is_ascii_alphabetic());
            if let Some(operator) = Operator::from_word(&word) {
                let is_apart = self.blanks() || self.peek() == Some('(');
                if self.at_end() {
                    return Err(self.unexpected(Expected::Expression));
                }
                if !is_apart {
                    return Err(self.unexpected(Expected::Blank));
                }
                return Ok(Some(operator));
            }
        }
        self.rewind(start);
        Ok(None)
    }

    /// The tree of a pending operator, now that its last operand is there.
    fn build(&mut self, pending: Pending, last: Operand) -> Parsed<Operand> {
        self.count_node()?;
        let mut operands = pending.operands;
        operands.push(last);
        let levels = (operands.len() - 1).ilog2() as usize + 1;
        self.height = operands.iter().map(|operand| operand.height).max().unwrap_or(0);
        self.grow(levels)?;
        let height = self.height;
        let exprs = operands.into_iter().map(|operand| operand.expr).collect();
        balanced(exprs, |left, right| join(pending.operator, left, right))
            .map(|expr| Operand { expr, height })
            .ok_or_else(|| self.unexpected(Expected::Expression))
    }

    /// The right side of `in`: a list, or an expression that yields one.
    fn in_operand(&mut self) -> Parsed<Expr> {
        if self.peek() != Some('(') {
            return self.unary();
        }
        let start = self.position();
        let items = self.parenthesised_list()?;
        self.node(ExprKind::List(items), start)
    }

    pub(super) fn parenthesised_list(&mut self) -> Parsed<Vec<Expr>> {
        self.nested(|parser| {
            parser.open()?;
            let items = match parser.peek() {
                Some(')') => Vec::new(),
                _ => parser.list(Self::expression)?,
            };
            parser.close()?;
            Ok(items)
        })
    }

    /// A sign or a negation with its operand, or a primary.
    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.position();
        if self.peek() == Some('-') {
            if let Some(literal) = self.bare_literal()? {
                return self.node(ExprKind::Literal(literal), start);
            }
            self.advance(1);
            self.blanks();
            return self.prefixed(UnaryOp::Negate, start);
        }
        if self.eats_not() {
            return self.prefixed(UnaryOp::Not, start);
        }
        self.primary()
    }

    fn prefixed(&mut self, op: UnaryOp, start: usize) -> Parsed<Expr> {
        let operand = self.nested(Self::unary)?;
        self.grow(1)?;
        self.node(ExprKind::Unary(op, Box::new(operand)), start)
    }

    /// Consumes `not` if it is the operator and not a name.
    fn eats_not(&mut self) -> bool {
        let start = self.position();
        let word = self.take_while(|char| char.is_ascii_alphabetic());
        if word.eq_ignore_ascii_case("not")
            && (self.blanks() || self.peek() == Some('('))
            && !matches!(self.peek(), None | Some(')' | ','))
        {
            return true;
        }
        self.rewind(start);
        false
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let start = self.position();
        let kind = match self.peek() {
            Some('(') => return self.parenthesised(),
            Some('[') => ExprKind::List(self.array()?),
            Some('{') => ExprKind::Object(self.object()?),
            Some('\'') => ExprKind::Literal(self.literal()?),
            Some('@') => self.alias_or_annotation()?,
            Some('$') => self.rooted()?,
            _ => match self.bare_literal()? {
                Some(literal) => ExprKind::Literal(literal),
                None => self.named()?,
            },
        };
        self.node(kind, start)
    }

    fn parenthesised(&mut self) -> Parsed<Expr> {
        self.nested(|parser| {
            parser.open()?;
            let inner = parser.expression()?;
            parser.close()?;
            Ok(inner)
        })
    }

    /// `@p`, `@p/Name`, `@Namespace.Term`.
    fn alias_or_annotation(&mut self) -> Parsed<ExprKind> {
        let start = self.position();
        let name = self.annotation()?;
        if self.peek() == Some('/') || name.contains(['.', '#']) {
            let first = self.name_step(name, None, start);
            return self.path(PathRoot::Implicit, vec![first]);
        }
        Ok(ExprKind::Alias(name.trim_start_matches('@').to_owned()))
    }

    /// What begins with `$it`, `$this`, `$root` or `$these`.
    fn rooted(&mut self) -> Parsed<ExprKind> {
        let (root, needs_path) = if self.eat_word("$it") {
            (PathRoot::It, false)
        } else if self.eat_word("$this") {
            (PathRoot::This, false)
        } else if self.eat_word("$root") {
            (PathRoot::Root, true)
        } else if self.eat_word("$these") {
            (PathRoot::These, true)
        } else {
            return Err(self.unexpected(Expected::Expression));
        };
        if needs_path && self.peek() != Some('/') {
            return Err(self.unexpected(Expected::Text("/")));
        }
        self.path(root, Vec::new())
    }

    /// What begins with a word: a constant, a literal with its type in front, a call, or a path.
    fn named(&mut self) -> Parsed<ExprKind> {
        if !self.peek().is_some_and(is_identifier_start) {
            return Err(self.unexpected(Expected::Expression));
        }
        let start = self.position();
        let name = self.dotted_name()?;
        match self.peek() {
            Some('\'') => return Ok(ExprKind::Literal(self.prefixed_literal(&name, start)?)),
            Some('(') => return self.call(name, start),
            Some('/') => {}
            _ => {
                if let Some(value) = constant(&name) {
                    return Ok(ExprKind::Literal(Literal::Value(value)));
                }
            }
        }
        let first = self.name_step(name, None, start);
        self.path(PathRoot::Implicit, vec![first])
    }

    pub(super) fn node(&mut self, kind: ExprKind, start: usize) -> Parsed<Expr> {
        self.count_node()?;
        let span = self.span_from(start);
        Ok(Expr { kind, span })
    }

    pub(super) fn name_step(&self, name: String, key: Option<KeySyntax>, start: usize) -> MemberStep {
        MemberStep::Name { name, key, span: self.span_from(start) }
    }
}

/// Two operands under one operator.
fn join(operator: Operator, left: Expr, right: Expr) -> Expr {
    let span = Span { start: left.span.start, end: right.span.end };
    let (left, right) = (Box::new(left), Box::new(right));
    let kind = match operator {
        Operator::Binary(op) => ExprKind::Binary(op, left, right),
        Operator::In => ExprKind::In(left, right),
    };
    Expr { kind, span }
}
