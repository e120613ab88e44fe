//! The URL parser and OASIS' grammar cases: valid texts are parsed, invalid ones are refused.

mod cases;
mod model;
mod rules;

use cases::Case;

/// The cases that are not met, with the reason.
const EXCEPTIONS: [(&str, u64, &str); 4] = [
    (
        "aggregation",
        96,
        "wrong only because ShipTo is a single value; no join is offered, so that any is refused",
    ),
    ("core", 574, "an operator without its terms: whoever means the word writes it in quotes"),
    ("core", 578, "as above"),
    ("core", 580, "as above"),
];

/// Kinds of cases that no request to the service can hold, with the reason.
const OTHER_SCOPES: [(&str, &str); 2] = [
    ("header", "headers are read by the negotiation, which passes by what it does not understand"),
    ("context-url", "context URLs are written by the service and never read"),
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
        let is_exception =
            EXCEPTIONS.iter().any(|(file, number, _)| *file == case.file && *number == case.number);
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
