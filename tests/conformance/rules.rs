//! Maps grammar rules to the parser's functions.

use jobindsats_bridge::odata::uri::literal::{self, bare_value, is_enum_value, is_identifier};
use jobindsats_bridge::odata::uri::syntax::{Expr, ExprKind, Literal, UnaryOp};
use jobindsats_bridge::odata::uri::{Limits, parse_expression, parse_literal, parse_request};
use jobindsats_bridge::odata::value::{PrimitiveType, Value};
use percent_encoding::percent_decode_str;

use super::cases::Case;
use super::model::Model;

type Outcome = Result<(), String>;

/// Reads a case as its rule says and looks its names up in its model; the error is the refusal.
pub fn read(case: &Case) -> Outcome {
    let input = case.input.as_str();
    match case.rule.to_ascii_lowercase().as_str() {
        "odatauri" => uri(input, &case.model),
        "odatarelativeuri" | "resourcepath" => relative_uri(input, &case.model),
        "queryoptions" | "filter" | "select" | "expand" | "orderby" | "compute" | "search" | "skiptoken"
        | "systemqueryoption" | "customqueryoption" => request("Products", input, &case.model),
        "commonexpr" | "boolcommonexpr" | "firstmemberexpr" | "propertypathexpr" => {
            expression(input).map(|_| ())
        }
        "notexpr" => kind(input, |kind| matches!(kind, ExprKind::Unary(UnaryOp::Not, _))),
        "isofexpr" => kind(input, |kind| matches!(kind, ExprKind::TypeCall { .. })),
        "anyexpr" => expression(&format!("Collection/{input}")).map(|_| ()),
        rule => value(rule, input),
    }
}

/// An absolute address: which part of its path is the service root, only the service knows, so any part may be.
fn uri(input: &str, model: &Model) -> Outcome {
    let rest =
        ["http://", "https://"].iter().find_map(|scheme| input.strip_prefix(scheme)).ok_or("no scheme")?;
    let (authority, path) = rest.split_once('/').ok_or("no path")?;
    if authority.is_empty() {
        return Err("no host".to_owned());
    }
    let path_length = path.find(['?', '#']).unwrap_or(path.len());
    std::iter::once(0)
        .chain(path[..path_length].match_indices('/').map(|(at, _)| at + 1))
        .map(|root| relative_uri(&path[root..], model))
        .reduce(Result::or)
        .expect("there is at least one root")
}

fn relative_uri(input: &str, model: &Model) -> Outcome {
    // A fragment never reaches a server.
    let input = input.split('#').next().unwrap_or_default();
    let (path, query) = input.split_once('?').unwrap_or((input, ""));
    request(path, query, model)
}

fn request(path: &str, query: &str, model: &Model) -> Outcome {
    let request = parse_request(path, query, &Limits::default()).map_err(|error| error.to_string())?;
    model.check(&request)
}

fn expression(input: &str) -> Result<Expr, String> {
    parse_expression(&decoded(input), &Limits::default()).map_err(|error| error.to_string())
}

fn kind(input: &str, fits: fn(&ExprKind) -> bool) -> Outcome {
    let expr = expression(input)?;
    accepted(fits(&expr.kind))
}

fn decoded(input: &str) -> String {
    percent_decode_str(input).decode_utf8().expect("the case is UTF-8").into_owned()
}

fn accepted(fits: bool) -> Outcome {
    if fits { Ok(()) } else { Err("something else".to_owned()) }
}

/// Literals as URLs hold them, and values as payloads do.
fn value(rule: &str, input: &str) -> Outcome {
    match rule {
        "odataidentifier" => accepted(is_identifier(input)),
        "boolean" | "booleanvalue" => accepted(literal::boolean(input).is_some()),
        "enumvalue" => accepted(is_enum_value(input)),
        "durationvalue" => accepted(literal::duration(input).is_some()),
        "binaryvalue" => accepted(literal::binary(input).is_some()),
        "primitivevalue" => accepted(is_primitive_value(input)),
        _ => match rule.strip_suffix("value") {
            Some(kind) => accepted(bare_value(input).is_some_and(|value| is_of(kind, &value))),
            None => url_literal(rule, input),
        },
    }
}

fn is_primitive_value(input: &str) -> bool {
    bare_value(input).is_some()
        || literal::duration(input).is_some()
        || literal::binary(input).is_some()
        || is_enum_value(input)
        || parse_literal(&format!("geography'{input}'"), &Limits::default()).is_ok()
}

fn url_literal(rule: &str, input: &str) -> Outcome {
    let literal = parse_literal(&decoded(input), &Limits::default()).map_err(|error| error.to_string())?;
    let kind = rule.strip_suffix("literal").unwrap_or(rule);
    accepted(match literal {
        Literal::Value(value) => kind == "primitive" || is_of(kind, &value),
        Literal::Enum { .. } => matches!(kind, "enum" | "primitive"),
        Literal::Typed(PrimitiveType::Duration, _) => kind == "duration",
        Literal::Typed(PrimitiveType::Binary, _) => kind == "binary",
        Literal::Typed(..) => false,
        Literal::Geo(text) => {
            let shape = kind.strip_prefix("geography").or_else(|| kind.strip_prefix("geometry"));
            shape.is_some_and(|shape| text.to_ascii_lowercase().contains(shape))
        }
    })
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "string" => matches!(value, Value::String(_)),
        // Without its prefix an enumeration literal is a string until it is bound.
        "enum" => matches!(value, Value::String(text) if is_enum_value(text)),
        "duration" => matches!(value, Value::String(text) if literal::duration(text).is_some()),
        "date" => matches!(value, Value::Date(_)),
        "datetimeoffset" => matches!(value, Value::DateTimeOffset(_)),
        "timeofday" => matches!(value, Value::TimeOfDay(_)),
        "guid" => matches!(value, Value::Guid(_)),
        "decimal" | "double" | "single" => value.as_double().is_some(),
        "byte" | "sbyte" | "int16" | "int32" | "int64" => matches!(value, Value::Integer(_)),
        other => panic!("no entry point for the rule {other}"),
    }
}
