//! Navigation properties to lists in expressions become lookup tables that depend on one column of the row.

use jobindsats_bridge::error::DescribeError;
use jobindsats_bridge::query::{BoundExprKind, ExpandForm};

use super::fixture::{answer, ask, filter};

#[test]
fn a_path_depends_on_the_column_that_it_leaves_by() {
    let bound = filter("Kode/Antal gt 0 and length(Kode/Område) lt 5").unwrap().unwrap();
    assert_eq!(bound.columns(), [3]);
    assert_eq!(answer("$filter=Kode/Område eq 'aabenraa'"), ["2026M05/2.3"]);
    assert_eq!(answer("$filter=Kode/Nr eq 2"), ["2026M07/2.1"]);
    assert_eq!(answer("$filter=Kode/Antal eq null"), ["2026M04/2.4"]);
    assert_eq!(answer("$filter=Kode ne null").len(), 6);
    assert_eq!(answer("$filter=$it/Kode/Nr eq 3 or $this/Kode/Nr eq 0").len(), 2);
    assert_eq!(answer("$orderby=Kode/Nr desc&$top=1"), ["2026M06/2.2"]);
}

#[test]
fn a_navigation_property_has_one_lookup_table_however_often_it_is_used() {
    let terms = vec!["Kode/Område eq 'x'"; 1_000].join(" or ");
    assert!(filter(&terms).is_ok());
}

#[test]
fn a_search_is_true_or_false_for_every_row() {
    let found = answer("$search=LAND").len();
    assert_eq!(found + answer("$search=NOT land").len(), 6);
    assert_eq!(answer("$search=ær%C3%B8").len(), 1, "the area's name is searched");
}

#[test]
fn expansions_are_bound_against_the_other_end() {
    let query = ask("Hovedtal", "$expand=Kode($select=Antal;$filter=Nr gt 1)&$select=Nr").unwrap();
    let [expand] = query.expand.as_slice() else { panic!("{query:?}") };
    assert_eq!((expand.navigation, expand.shown, expand.query.set), (0, ExpandForm::Rows, 1));
    assert_eq!(expand.query.select, Some(vec![4]));
    assert!(matches!(expand.query.filter.as_ref().unwrap().kind, BoundExprKind::Compare(..)));
    let through = ask("Hovedtal", "$select=Nr,Kode/Antal,Kode/Nr").unwrap();
    assert_eq!(through.select, Some(vec![5]));
    assert_eq!(through.expand[0].query.select, Some(vec![4, 5]));
    for (query, code) in [
        ("$expand=Ukendt", "UnknownProperty"),
        ("$expand=Kode,Kode", "NameTaken"),
        ("$expand=Kode($top=1)", "OptionNotApplicable"),
        ("$expand=Kode/$count", "OptionNotApplicable"),
        ("$expand=Kode($levels=2)", "OptionNotApplicable"),
        ("$expand=Kode($select=Ukendt)", "UnknownProperty"),
        ("$expand=Kode($filter=$it/Nr eq 1)", "NotOffered"),
    ] {
        let error = ask("Hovedtal", query).unwrap_err();
        assert_eq!((error.describe().code, error.target), (code, "$expand"), "{query}");
    }
}

#[test]
fn a_computed_value_stands_for_its_expression() {
    assert_eq!(answer("$compute=Nr add 1 as Mere&$filter=Mere eq 3"), ["2026M07/2.1"]);
    let query = ask("Hovedtal", "$compute=Nr add 1 as Mere,Mere mul 2 as Flere&$select=Flere,Nr").unwrap();
    assert_eq!(query.select, Some(vec![9, 5]));
    let doubling: Vec<String> = (1..=16).map(|n| format!("A{} add A{} as A{n}", n - 1, n - 1)).collect();
    let error = ask("Hovedtal", &format!("$compute=Nr as A0,{}", doubling.join(","))).unwrap_err();
    assert_eq!(error.describe().code, "ExpressionTooLarge");
}
