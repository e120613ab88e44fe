//! Binds calls of functions: names in any letter case, and the number and types of arguments.

use chrono::{NaiveDate, TimeDelta};

use super::error::{NotOfferedReason, QueryError, QueryErrorKind, Shape};
use super::expr::{Binder, Bound};
use super::{BoundExpr, BoundExprKind, Pattern, cast};
use crate::clock;
use crate::error::{closest, excerpt};
use crate::odata::functions::{self, Instant, MATCHES_PATTERN, Meaning, Parameter, ResultType};
use crate::odata::uri::syntax::Expr;
use crate::odata::value::{PrimitiveType, Value};

/// The number of nodes that a pattern counts as, because compiling one takes long.
const PATTERN_NODES: usize = 4_000;

impl Binder<'_> {
    pub(super) fn call(&self, expr: &Expr, name: &str, arguments: &[Expr]) -> Bound {
        let Some(signature) = functions::find(name) else { return Err(self.unknown_function(expr, name)) };
        let parameters = signature.parameters.iter().zip(arguments);
        let bound = || {
            parameters
                .map(|(parameter, argument)| self.argument(*parameter, argument))
                .collect::<Result<Vec<_>, _>>()
        };
        match signature.meaning {
            Meaning::NotOffered(reason) => Err(self.not_offered(expr, name, reason.into())),
            Meaning::Instant(instant) => Ok(self.instant(instant)),
            Meaning::Pattern => self.matches_pattern(expr, bound()?, arguments.last().unwrap_or(expr)),
            Meaning::Evaluated(function, result) => {
                let bound = bound()?;
                let primitive = match result {
                    ResultType::Is(primitive) => Some(primitive),
                    ResultType::OfArgument => bound.first().and_then(|argument| argument.primitive),
                };
                self.fold_constants(expr, BoundExpr { kind: BoundExprKind::Call(function, bound), primitive })
            }
        }
    }

    pub(super) fn unknown_function(&self, expr: &Expr, name: &str) -> QueryError {
        let by_meaning = functions::by_meaning(name).map(str::to_owned);
        let suggestion = by_meaning.or_else(|| closest(name, functions::offered()));
        let kind = QueryErrorKind::UnknownFunction { name: name.to_owned(), suggestion };
        self.part.error(expr.span.start, kind)
    }

    /// Binds an argument of an accepted type; a text literal is accepted for a date.
    fn argument(&self, parameter: Parameter, argument: &Expr) -> Bound {
        let bound = self.bind(argument)?;
        let Some(found) = bound.primitive.filter(|found| !parameter.types().contains(found)) else {
            return Ok(bound);
        };
        if let (Parameter::Calendar | Parameter::Clock, Some(Value::String(text))) =
            (parameter, bound.as_literal())
        {
            let read = |primitive: &PrimitiveType| Some((cast::from_text(text, *primitive)?, *primitive));
            if let Some((value, primitive)) = parameter.types().iter().find_map(read) {
                return Ok(BoundExpr::literal(value, Some(primitive)));
            }
        }
        Err(self.mismatch(argument, parameter.into(), Shape::Primitive(found)))
    }

    fn instant(&self, instant: Instant) -> BoundExpr {
        let instant = match instant {
            Instant::Now => Some(self.now()),
            Instant::Min => first_instant_of(1),
            Instant::Max => first_instant_of(10_000).map(|end| end - TimeDelta::nanoseconds(1)),
        };
        let value = instant.map_or(Value::Null, |instant| Value::DateTimeOffset(clock::local(instant)));
        BoundExpr::literal(value, Some(PrimitiveType::DateTimeOffset))
    }

    /// Compiles the pattern at `at`, which must be constant because it is compiled once per request.
    fn matches_pattern(&self, expr: &Expr, mut arguments: Vec<BoundExpr>, at: &Expr) -> Bound {
        let pattern = arguments.pop();
        let kind = match (arguments.pop(), pattern.as_ref().and_then(BoundExpr::as_literal)) {
            (Some(text), Some(Value::String(written))) => {
                BoundExprKind::Matches(Box::new(text), self.pattern(at, written)?)
            }
            (_, Some(_)) => BoundExprKind::Literal(Value::Null),
            (_, None) => return Err(self.not_offered(at, MATCHES_PATTERN, NotOfferedReason::VaryingPattern)),
        };
        self.fold_constants(expr, BoundExpr::boolean(kind))
    }

    fn pattern(&self, at: &Expr, text: &str) -> Result<Pattern, QueryError> {
        self.charge(PATTERN_NODES)?;
        Pattern::new(text).map_err(|error| {
            let reason = error.to_string();
            // The engine's error names these constructs, which it does not support because of their cost.
            if reason.contains("look-around") || reason.contains("backreferences") {
                return self.not_offered(at, MATCHES_PATTERN, NotOfferedReason::UnboundedPattern);
            }
            let reason = reason.lines().last().unwrap_or_default().to_owned();
            let kind = QueryErrorKind::InvalidPattern { pattern: excerpt(text), reason };
            self.part.error(at.span.start, kind)
        })
    }
}

fn first_instant_of(year: i32) -> Option<chrono::DateTime<chrono::Utc>> {
    Some(NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?.and_utc())
}
