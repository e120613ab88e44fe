//! Three-valued logic, as tables and as laws.

use proptest::prelude::*;

use super::fixture::{answer, truth};

const VALUES: [(&str, Option<bool>); 3] =
    [("true", Some(true)), ("false", Some(false)), ("contains(null,'x')", None)];

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn not(a: Option<bool>) -> Option<bool> {
    a.map(|known| !known)
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    not(and(not(a), not(b)))
}

#[test]
fn and_or_and_not_follow_the_tables_of_the_standard() {
    for (a, is_a) in VALUES {
        assert_eq!(truth(&format!("not {a}")), not(is_a), "not {a}");
        for (b, is_b) in VALUES {
            assert_eq!(truth(&format!("{a} and {b}")), and(is_a, is_b), "{a} and {b}");
            assert_eq!(truth(&format!("{a} or {b}")), or(is_a, is_b), "{a} or {b}");
        }
    }
}

#[test]
fn comparisons_with_null_are_false_and_equality_takes_null_as_a_value() {
    for operator in ["lt", "le", "gt", "ge"] {
        for (left, right) in [("1", "null"), ("null", "1"), ("null", "null")] {
            let comparison = format!("{left} {operator} {right}");
            assert_eq!(truth(&comparison), Some(false), "{comparison}");
            assert_eq!(truth(&format!("not ({comparison})")), Some(true), "not ({comparison})");
        }
    }
    assert_eq!(truth("null eq null"), Some(true));
    assert_eq!(truth("null ne null"), Some(false));
    assert_eq!(truth("1 eq null"), Some(false));
    assert_eq!(truth("null ne 1"), Some(true));
    assert_eq!(truth("contains(null,'x') eq true"), Some(false));
}

#[test]
fn the_rest_of_a_comparison_has_the_rows_without_a_value() {
    let (below, not_below) = (answer("$filter=Antal lt 5"), answer("$filter=not (Antal lt 5)"));
    assert_eq!(below, ["2026M06/2.2", "2026M05/2.3"]);
    assert_eq!(not_below, ["2026M07/T", "2026M07/2.1", "2026M06/T", "2026M04/2.4"]);
    assert_eq!(answer("$filter=Antal eq null"), ["2026M04/2.4"]);
    assert_eq!(answer("$filter=Antal ne null").len(), 5);
    assert_eq!(answer("$filter=Antal ne 0").len(), 5, "null is not zero, so it differs from it");
}

/// In each way of comparing (a column with a value, two columns, values of an expression, one value for each distinct text), the row
/// without values is in what the comparison leaves.
#[test]
fn every_comparison_leaves_the_row_without_values() {
    for comparison in [
        "Antal gt 5",
        "5 lt Antal",
        "Nr le 1000",
        "Nr in (1,2)",
        "Antal in (12.5,0)",
        "Område in ('Ærø')",
        "Antal ge Nr",
        "Nr lt Antal",
        "Antal add 1 gt 0",
        "-Antal lt 5",
        "Antal mul 2 ge Nr",
        "Fra ge 2026-01-01",
        "Fra lt 2030-01-01T00:00:00Z",
        "Opdateret le now()",
        "year(Fra) gt 2000",
        "length(Område) gt 0",
        "indexof(Område,'l') ge 0",
        "tolower(Område) ge 'a'",
        "Område gt ''",
        "round(Antal) gt -100",
        "cast(Nr,Edm.Decimal) gt -1",
        "case(Nr gt 100:1,Nr ge 0:2) gt 0",
        "contains(Område,'l') eq true",
    ] {
        let (met, left) =
            (answer(&format!("$filter={comparison}")), answer(&format!("$filter=not ({comparison})")));
        assert!(!met.contains(&"2026M04/2.4".to_owned()), "{comparison}: {met:?}");
        assert!(left.contains(&"2026M04/2.4".to_owned()), "not ({comparison}): {left:?}");
        assert_eq!(met.len() + left.len(), 6, "{comparison}: {met:?} {left:?}");
    }
    assert!(
        !answer("$filter=not contains(Område,'x')").contains(&"2026M04/2.4".to_owned()),
        "a function of null is null"
    );
}

/// Conditions over columns with nulls, and some that are always unknown.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "Antal gt 5",
        "Antal le 12.5",
        "Antal eq null",
        "Nr ne 1",
        "Nr in (0,3)",
        "Åben",
        "Åben eq true",
        "Fra ge 2026-07-01",
        "Område eq 'Hele landet'",
        "Område gt 'b'",
        "contains(Område,'l')",
        "Periode ne '2026M05'",
        "Opdateret lt now()",
        "Nr add 1 gt Antal",
        "1 lt null",
        "contains(null,'x')",
        "true",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("not ({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(({a}) and ({b}))")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("(({a}) or ({b}))")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_laws_of_logic_hold_for_unknowns_too(a in condition(), b in condition()) {
        let same = |left: String, right: String| {
            let (left_rows, right_rows) = (answer(&format!("$filter={left}")), answer(&format!("$filter={right}")));
            prop_assert_eq!(left_rows, right_rows, "{} / {}", left, right);
            Ok(())
        };
        same(format!("not (({a}) and ({b}))"), format!("not ({a}) or not ({b})"))?;
        same(format!("not (({a}) or ({b}))"), format!("not ({a}) and not ({b})"))?;
        same(format!("not (not ({a}))"), a.clone())?;
        same(format!("({a}) and ({b})"), format!("({b}) and ({a})"))?;
        same(format!("({a}) and (({a}) or ({b}))"), a.clone())?;
        // No row is in a condition and in its opposite.
        let both = answer(&format!("$filter=({a}) and not ({a})"));
        prop_assert!(both.is_empty(), "{a}: {both:?}");
    }
}
