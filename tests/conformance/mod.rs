//! The URL language against the grammar cases of OASIS: what is in the language is read, what is not is refused.

mod cases;
mod rules;

use cases::Case;

/// What only the model can tell from a name: the parser reads the text, the binder refuses it.
const NEEDS_MODEL: &str = "wrong only for what the names mean, which the binder knows";

/// The cases that the parser alone does not meet, with the reason.
const EXCEPTIONS: [(&str, u64, &str); 9] = [
    // `TheBestProduct` is a function import, which stands at the service root only.
    ("core", 212, NEEDS_MODEL),
    // `Address` is complex and has no raw value; `Thumbnail` is a stream and is its own.
    ("core", 240, NEEDS_MODEL),
    ("core", 242, NEEDS_MODEL),
    // Both names are types; were the second one a function, the path would be right.
    ("core", 262, NEEDS_MODEL),
    // `Sales` is a collection, on whose members no arithmetic is done.
    ("aggregation", 4, NEEDS_MODEL),
    // `Amount` is a property; were it a custom aggregate, it would need no method.
    ("aggregation", 14, NEEDS_MODEL),
    // `Price` is primitive and has no `Quantity`; `Sales` is a collection.
    ("aggregation", 68, NEEDS_MODEL),
    ("aggregation", 154, NEEDS_MODEL),
    // `ShipTo` is a single value.
    ("aggregation", 96, NEEDS_MODEL),
];

/// Kinds of cases that no request to the service can hold, with the reason.
const OTHER_SCOPES: [(&str, &str); 2] = [
    (
        "header",
        "headers are read by the negotiation, which passes by what it does not understand",
    ),
    (
        "context-url",
        "context URLs are written by the service and never read",
    ),
];

fn outcome(case: &Case) -> Result<(), String> {
    match (rules::read(case), case.is_negative()) {
        (Ok(()), false) | (Err(_), true) => Ok(()),
        (Err(error), false) => Err(format!("refused: {error}")),
        (Ok(()), true) => Err("accepted".to_owned()),
    }
}

#[test]
fn every_grammar_case_has_its_outcome() {
    let mut failures = Vec::new();
    let (mut positive, mut negative) = (0, 0);
    let in_scope = |case: &Case| OTHER_SCOPES.iter().all(|(scope, _)| *scope != case.scope);
    for case in cases::all().into_iter().filter(in_scope) {
        if case.is_negative() {
            negative += 1;
        } else {
            positive += 1;
        }
        let is_exception = EXCEPTIONS
            .iter()
            .any(|(file, number, _)| *file == case.file && *number == case.number);
        match outcome(&case) {
            Ok(()) if is_exception => failures.push(format!("no exception any more: {case}")),
            Err(reason) if !is_exception => failures.push(format!("{case}: {reason}")),
            _ => {}
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {positive} positive and {negative} negative cases fail:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert_eq!((positive, negative), (427, 51), "cases were lost or added");
}
