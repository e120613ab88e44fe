//! Hostile input is refused within milliseconds and does not overflow the stack.

use std::time::Duration;

use jobindsats_bridge::odata::uri::{
    Limit, Limits, SyntaxErrorKind, parse_expression, parse_path, parse_request,
};

use crate::support::patience::within;

/// Well above what any of these takes on a machine that does other things, and below what growth faster than the input would take.
const LONGEST: Duration = Duration::from_secs(2);

fn unlimited_length() -> Limits {
    Limits { url_length: usize::MAX, ..Limits::default() }
}

#[track_caller]
fn exceeds(query: &str, limits: &Limits, expected: Limit) {
    let error = within(LONGEST, || parse_request("A", query, limits)).unwrap_err();
    assert!(
        matches!(error.kind, SyntaxErrorKind::LimitExceeded { limit, .. } if limit == expected),
        "{error}"
    );
}

#[test]
fn a_megabyte_is_refused_by_its_length() {
    let filter = format!("$filter=A eq '{}'", "x".repeat(1_000_000));
    exceeds(&filter, &Limits::default(), Limit::UrlLength);
    exceeds(&filter, &Limits { url_length: 8192, ..Limits::default() }, Limit::UrlLength);
}

#[test]
fn whatever_opens_ten_thousand_times_is_refused_by_its_depth() {
    let openings = [
        "(",
        "not (",
        "-",
        "- ",
        "not ",
        "[",
        "{\"a\":",
        "length(",
        "A/any(x:",
        "A/$filter(",
        "A/$count($filter=",
        "case(",
        "cast(",
        "N.F(a=",
        "A in (",
        "A eq (",
        "1 add (",
        "A or B and C eq D gt E add F mul (",
    ];
    for opening in openings {
        exceeds(&format!("$filter={}", opening.repeat(10_000)), &unlimited_length(), Limit::Depth);
    }
    exceeds(&format!("$expand={}", "A($expand=".repeat(10_000)), &unlimited_length(), Limit::Depth);
    exceeds(&format!("$select={}", "A($select=".repeat(10_000)), &unlimited_length(), Limit::Depth);
    exceeds(&format!("$search={}", "(".repeat(10_000)), &unlimited_length(), Limit::Depth);
    exceeds(&format!("$search={}", "NOT ".repeat(10_000)), &unlimited_length(), Limit::Depth);
    exceeds(&format!("$apply={}", "concat(".repeat(10_000)), &unlimited_length(), Limit::Depth);
    let shapes = format!("$filter=A eq geometry'SRID=0;{}", "GeometryCollection(".repeat(10_000));
    exceeds(&shapes, &unlimited_length(), Limit::Depth);
}

#[test]
fn the_deepest_text_that_is_allowed_fits_a_thread() {
    let opening = "A or B and C eq D gt E add F mul (";
    let depth = Limits::default().depth;
    let filter = format!("{}1{}", opening.repeat(depth), ")".repeat(depth));
    // Dropping the tree walks it as well.
    assert!(parse_expression(&filter, &unlimited_length()).is_err_and(|error| matches!(
        error.kind,
        SyntaxErrorKind::LimitExceeded { limit: Limit::Depth, .. }
    )));
    let filter = format!("{}1{}", "not (".repeat(depth / 2), ")".repeat(depth / 2));
    assert!(parse_expression(&filter, &unlimited_length()).is_ok());
}

#[test]
fn chains_that_lean_to_the_left_are_limited() {
    exceeds(&format!("$filter=1{} eq 1", " add 1".repeat(5_000)), &unlimited_length(), Limit::Depth);
    exceeds(&format!("$filter=1{}", " eq 1".repeat(5_000)), &unlimited_length(), Limit::Depth);
}

#[test]
fn lists_are_limited() {
    let items = vec!["1"; 100_000].join(",");
    exceeds(&format!("$filter=A in ({items})"), &unlimited_length(), Limit::ListItems);
    exceeds(&format!("$filter=A in [{items}]"), &unlimited_length(), Limit::ListItems);
    exceeds(&format!("$orderby={items}"), &unlimited_length(), Limit::ListItems);
    exceeds(
        &format!("$apply=identity{}", "/identity".repeat(100_000)),
        &unlimited_length(),
        Limit::ListItems,
    );
    let names = vec!["A"; 100_000].join(",");
    exceeds(&format!("$select={names}"), &unlimited_length(), Limit::ListItems);
    assert!(parse_path(&vec!["A"; 100_000].join("/"), &unlimited_length()).is_err());
}

#[test]
fn nodes_are_limited() {
    exceeds(&format!("$filter=A{}", " or A".repeat(100_000)), &unlimited_length(), Limit::Nodes);
    exceeds(&format!("$search=a{}", " a".repeat(100_000)), &unlimited_length(), Limit::Nodes);
    exceeds(&format!("$filter=A{}", "/A".repeat(100_000)), &unlimited_length(), Limit::Nodes);
}

#[test]
fn eight_kibibytes_of_honest_filter_are_read() {
    let terms: Vec<String> = (0..450).map(|number| format!("(Area eq '{number}')")).collect();
    let filter = format!("$filter={}", terms.join(" or "));
    assert!(filter.len() > 8192, "{}", filter.len());
    assert!(parse_request("A", &filter, &Limits::default()).is_ok());
    let items: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let filter = format!("$filter=A in ({})", items.join(","));
    assert!(parse_request("A", &filter, &Limits::default()).is_ok());
}
