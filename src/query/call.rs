//! Calls of functions: names in any letter case, arguments of the right number and type.

use chrono::{NaiveDate, TimeDelta};

use super::error::{NotOfferedReason, QueryError, QueryErrorKind, Shape};
use super::expr::{Binder, Bound};
use super::functions::{ResultType, Signature};
use super::{BoundExpr, BoundExprKind, Function, Pattern, cast};
use crate::error::{closest, excerpt};
use crate::odata::uri::syntax::Expr;
use crate::odata::value::{PrimitiveType, Value};

const MATCHES_PATTERN: &str = "matchesPattern";

/// What a pattern counts for among the nodes of an expression: compiling one takes the time of many.
const PATTERN_NODES: usize = 4_000;

/// Functions without arguments: constants of the request.
const CONSTANTS: [&str; 3] = ["now", "mindatetime", "maxdatetime"];

/// Functions of the standard that have nothing to work on here.
const UNOFFERED: [(&str, NotOfferedReason); 6] = [
    ("geo.distance", NotOfferedReason::NoGeography),
    ("geo.length", NotOfferedReason::NoGeography),
    ("geo.intersects", NotOfferedReason::NoGeography),
    ("hassubset", NotOfferedReason::NoCollections),
    ("hassubsequence", NotOfferedReason::NoCollections),
    ("isdefined", NotOfferedReason::NotBuilt),
];

impl Binder<'_> {
    pub(super) fn call(&self, expr: &Expr, name: &str, arguments: &[Expr]) -> Bound {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        if let Some(function) = Function::ALL.into_iter().find(|function| is(function.name())) {
            return self.function(expr, function.signature(), arguments);
        }
        if let Some(constant) = CONSTANTS.into_iter().find(|constant| is(constant)) {
            return self.constant(expr, constant, arguments);
        }
        if is(MATCHES_PATTERN) {
            return self.matches_pattern(expr, arguments);
        }
        if let Some((_, reason)) = UNOFFERED.into_iter().find(|(known, _)| is(known)) {
            return Err(self.not_offered(expr, name, reason));
        }
        Err(self.unknown_function(expr, name))
    }

    pub(super) fn unknown_function(&self, expr: &Expr, name: &str) -> QueryError {
        let offered = Function::ALL.iter().map(|function| function.name());
        let suggestion = closest(name, offered.chain(CONSTANTS).chain([MATCHES_PATTERN]));
        let kind = QueryErrorKind::UnknownFunction { name: name.to_owned(), suggestion };
        self.part.error(expr.span.start, kind)
    }

    fn function(&self, expr: &Expr, signature: Signature, arguments: &[Expr]) -> Bound {
        let Signature { function, parameters, required, result } = signature;
        self.check_count(expr, function.name(), (required, parameters.len()), arguments)?;
        let bound = parameters.iter().zip(arguments).map(|(shape, argument)| self.argument(*shape, argument));
        let bound: Vec<_> = bound.collect::<Result<_, _>>()?;
        let primitive = match result {
            ResultType::Type(primitive) => Some(primitive),
            ResultType::Same => bound.first().and_then(|argument| argument.primitive),
        };
        self.fold_constants(expr, BoundExpr { kind: BoundExprKind::Call(function, bound), primitive })
    }

    /// An argument of that shape; a text literal will do for a date.
    fn argument(&self, shape: Shape, argument: &Expr) -> Bound {
        let bound = self.bind(argument)?;
        let Some(found) = bound.primitive else { return Ok(bound) };
        if accepts(shape, found) {
            return Ok(bound);
        }
        let readings: &[PrimitiveType] = match shape {
            Shape::Calendar => &[PrimitiveType::Date, PrimitiveType::DateTimeOffset],
            Shape::Clock => &[PrimitiveType::TimeOfDay, PrimitiveType::DateTimeOffset],
            _ => &[],
        };
        if let Some(Value::String(text)) = bound.as_literal() {
            let read = |primitive: &PrimitiveType| Some((cast::from_text(text, *primitive)?, *primitive));
            if let Some((value, primitive)) = readings.iter().find_map(read) {
                return Ok(BoundExpr::literal(value, Some(primitive)));
            }
        }
        Err(self.mismatch(argument, shape, Shape::Primitive(found)))
    }

    fn constant(&self, expr: &Expr, name: &str, arguments: &[Expr]) -> Bound {
        self.check_count(expr, name, (0, 0), arguments)?;
        let instant = match name {
            "now" => Some(self.now),
            "mindatetime" => first_instant_of(1),
            _ => first_instant_of(10_000).map(|end| end - TimeDelta::nanoseconds(1)),
        };
        let value = instant.map_or(Value::Null, |instant| Value::DateTimeOffset(instant.fixed_offset()));
        Ok(BoundExpr::literal(value, Some(PrimitiveType::DateTimeOffset)))
    }

    fn matches_pattern(&self, expr: &Expr, arguments: &[Expr]) -> Bound {
        self.check_count(expr, MATCHES_PATTERN, (2, 2), arguments)?;
        let [text, pattern] = arguments else {
            return Ok(BoundExpr::literal(Value::Null, Some(PrimitiveType::Boolean)));
        };
        let string = Shape::Primitive(PrimitiveType::String);
        let (operand, bound) = (self.argument(string, text)?, self.argument(string, pattern)?);
        let kind = match bound.as_literal() {
            Some(Value::String(written)) => {
                BoundExprKind::Matches(Box::new(operand), self.pattern(pattern, written)?)
            }
            Some(_) => BoundExprKind::Literal(Value::Null),
            None => return Err(self.not_offered(pattern, MATCHES_PATTERN, NotOfferedReason::VaryingPattern)),
        };
        self.fold_constants(expr, BoundExpr::boolean(kind))
    }

    fn pattern(&self, at: &Expr, text: &str) -> Result<Pattern, QueryError> {
        self.charge(PATTERN_NODES)?;
        Pattern::new(text).map_err(|error| {
            let reason = error.to_string();
            // The engine knows these constructs well enough to name them, and refuses them for their cost.
            if reason.contains("look-around") || reason.contains("backreferences") {
                return self.not_offered(at, MATCHES_PATTERN, NotOfferedReason::UnboundedPattern);
            }
            let reason = reason.lines().last().unwrap_or_default().to_owned();
            let kind = QueryErrorKind::InvalidPattern { pattern: excerpt(text), reason };
            self.part.error(at.span.start, kind)
        })
    }

    fn check_count(
        &self,
        expr: &Expr,
        function: &str,
        (min, max): (usize, usize),
        arguments: &[Expr],
    ) -> Result<(), QueryError> {
        let found = arguments.len();
        if (min..=max).contains(&found) {
            return Ok(());
        }
        let kind = QueryErrorKind::ArgumentCount { function: function.to_owned(), min, max, found };
        Err(self.part.error(expr.span.start, kind))
    }
}

fn accepts(shape: Shape, found: PrimitiveType) -> bool {
    use PrimitiveType as Type;
    match shape {
        Shape::Primitive(Type::Int32) => {
            matches!(found, Type::Byte | Type::SByte | Type::Int16 | Type::Int32 | Type::Int64)
        }
        Shape::Primitive(primitive) => found == primitive,
        Shape::Number => found.is_numeric(),
        Shape::Calendar => matches!(found, Type::Date | Type::DateTimeOffset),
        Shape::Clock => matches!(found, Type::TimeOfDay | Type::DateTimeOffset),
        Shape::Value => true,
        Shape::Positive | Shape::List | Shape::Entity | Shape::Null => false,
    }
}

fn first_instant_of(year: i32) -> Option<chrono::DateTime<chrono::Utc>> {
    Some(NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?.and_utc())
}
