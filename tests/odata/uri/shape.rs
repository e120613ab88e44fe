//! Prints expressions as lists in prefix form, without positions. Chains of `and` and `or` are flat, however they are bracketed.

use jobindsats_bridge::odata::uri::literal_text::to_literal;
use jobindsats_bridge::odata::uri::syntax::{
    BinaryOp, Expr, ExprKind, KeySyntax, LambdaOp, Literal, MemberPath, MemberStep, PathRoot, UnaryOp,
};

pub fn shape(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Literal(literal) => literal_shape(literal),
        ExprKind::Path(path) => path_shape(path),
        ExprKind::Unary(UnaryOp::Not, operand) => format!("(not {})", shape(operand)),
        ExprKind::Unary(UnaryOp::Negate, operand) => format!("(- {})", shape(operand)),
        ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or), ..) => {
            let mut terms = Vec::new();
            flatten(*op, expr, &mut terms);
            format!("({} {})", word(*op), terms.join(" "))
        }
        ExprKind::Binary(op, left, right) => {
            format!("({} {} {})", word(*op), shape(left), shape(right))
        }
        ExprKind::In(left, right) => format!("(in {} {})", shape(left), shape(right)),
        ExprKind::List(items) => format!("[{}]", shapes(items)),
        ExprKind::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name}:{}", shape(value))).collect();
            format!("{{{}}}", members.join(" "))
        }
        ExprKind::Call { name, args } => format!("{name}({})", shapes(args)),
        ExprKind::TypeCall { name, operand, type_name } => {
            let operand = operand.as_deref().map(shape).unwrap_or_default();
            format!("{name:?}({operand} {type_name})")
        }
        ExprKind::Alias(name) => format!("@{name}"),
        ExprKind::Case(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(condition, value)| format!("{}:{}", shape(condition), shape(value)))
                .collect();
            format!("case({})", pairs.join(" "))
        }
    }
}

fn shapes(items: &[Expr]) -> String {
    items.iter().map(shape).collect::<Vec<_>>().join(" ")
}

fn flatten(op: BinaryOp, expr: &Expr, terms: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Binary(other, left, right) if *other == op => {
            flatten(op, left, terms);
            flatten(op, right, terms);
        }
        _ => terms.push(shape(expr)),
    }
}

fn literal_shape(literal: &Literal) -> String {
    match literal {
        Literal::Value(value) | Literal::Typed(_, value) => to_literal(value),
        Literal::Enum { type_name, members } => format!("{type_name}'{members}'"),
        Literal::Geo(text) => text.clone(),
    }
}

fn path_shape(path: &MemberPath) -> String {
    let root = match path.root {
        PathRoot::Implicit => None,
        PathRoot::It => Some("$it".to_owned()),
        PathRoot::This => Some("$this".to_owned()),
        PathRoot::Root => Some("$root".to_owned()),
        PathRoot::These => Some("$these".to_owned()),
    };
    let steps = path.steps.iter().map(step_shape);
    root.into_iter().chain(steps).collect::<Vec<_>>().join("/")
}

fn step_shape(step: &MemberStep) -> String {
    match step {
        MemberStep::Name { name, key, .. } => {
            format!("{name}{}", key.as_ref().map(key_shape).unwrap_or_default())
        }
        MemberStep::Key { key, .. } => key_shape(key),
        MemberStep::Count { filter, .. } => match filter {
            Some(filter) => format!("$count({})", shape(filter)),
            None => "$count".to_owned(),
        },
        MemberStep::Filter { expr, .. } => format!("$filter({})", shape(expr)),
        MemberStep::Lambda { op, variable, body, .. } => {
            let op = match op {
                LambdaOp::Any => "any",
                LambdaOp::All => "all",
            };
            let variable = variable.clone().unwrap_or_default();
            let body = body.as_deref().map(shape).unwrap_or_default();
            format!("{op}({variable}:{body})")
        }
        MemberStep::Aggregate { .. } => "aggregate".to_owned(),
    }
}

fn key_shape(key: &KeySyntax) -> String {
    match key {
        KeySyntax::Empty => "()".to_owned(),
        KeySyntax::Single(expr) => format!("({})", shape(expr)),
        KeySyntax::Named(pairs) => {
            let pairs: Vec<String> =
                pairs.iter().map(|(name, expr)| format!("{name}={}", shape(expr))).collect();
            format!("({})", pairs.join(","))
        }
    }
}

pub fn word(op: BinaryOp) -> String {
    format!("{op:?}").to_lowercase()
}
