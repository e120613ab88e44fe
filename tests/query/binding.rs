//! Bound queries: the spellings of real clients, and the form that the plan gets.

use jobindsats_bridge::odata::value::{PrimitiveType, Value};
use jobindsats_bridge::query::{BoundExprKind, Comparison, Target};

use super::fixture::{self, answer, answered, ask, filter};

const PERIODE: usize = 0;
const FRA: usize = 1;

#[test]
fn what_real_clients_send_is_understood() {
    for (query, rows) in [
        // DevExtreme
        ("$filter=(Periode eq '2026M06') and (Antal gt 1) and (contains(tolower(Område),'l'))", 1),
        // Kendo
        (
            "$filter=(contains(tolower(Område),'%C3%A5rhus''%20opland') and Antal ge -3.5 and Åben eq null and Fra lt 2026-07-01T00:00:00.000Z and indexof(Område,'x') eq -1)",
            1,
        ),
        // odata2ts
        (
            "$select=Område,Antal&$filter=Periode eq '2026M07' and Antal ne null&$orderby=Antal desc&$count=true&$top=5",
            2,
        ),
        // Power Query
        ("$filter=Område eq 'Hele landet'&$select=Periode%2COmr%C3%A5de&$top=1000", 2),
        ("$filter=(Periode eq '2026M06' or Periode eq '2026M05') and Område ne null", 3),
        ("$filter=Fra ge 2026-07-01 and Fra le '2026-07-31'", 2),
        ("$filter=not contains(Område,'a')", 1),
        ("$filter=contains(Område,'land') eq true", 3),
        ("$filter=Område eq @a&@a='Ærø'", 1),
        ("$filter=Område_id in @ids&@ids=['T','2.1']", 3),
        ("filter=Nr EQ 1 AND Antal GT 0&TOP=1", 1),
        ("$filter=$it/Nr eq 1", 2),
        ("$filter=Nr add 1 eq 2", 2),
        ("$filter=Antal eq null or Nr ne 0 and Antal div Nr gt 1", 4),
    ] {
        assert_eq!(answer(query).len(), rows, "{query}");
    }
}

#[test]
fn a_missing_alias_is_null() {
    assert_eq!(answer("$filter=Område eq @intet"), ["2026M04/2.4"]);
}

#[test]
fn a_row_that_cannot_be_divided_may_be_kept_away_from_the_division() {
    assert_eq!(answer("$filter=Nr ne 0 and 6 div Nr eq 2"), ["2026M06/2.2"].map(str::to_owned));
}

#[test]
fn equalities_over_one_column_become_one_membership() {
    let bound =
        filter("Periode eq 'a' or Område eq 'x' or 'b' eq Periode or Periode in ('c','d')").unwrap().unwrap();
    let BoundExprKind::Or(terms) = bound.kind else { panic!("{bound:?}") };
    let [periods, _] = terms.as_slice() else { panic!("{terms:?}") };
    let BoundExprKind::In(operand, values) = &periods.kind else { panic!("{periods:?}") };
    assert_eq!(operand.kind, BoundExprKind::Column(PERIODE));
    assert_eq!(*values, ["a", "b", "c", "d"].map(Value::string));

    let alone = filter("Periode eq 'a' or Periode eq 'b'").unwrap().unwrap();
    assert!(matches!(alone.kind, BoundExprKind::In(_, values) if values.len() == 2));
}

#[test]
fn a_column_stands_on_the_left_of_a_literal() {
    let bound = filter("'2026M05' lt Periode").unwrap().unwrap();
    let BoundExprKind::Compare(comparison, left, right) = bound.kind else { panic!("{bound:?}") };
    assert_eq!((comparison, &left.kind), (Comparison::Gt, &BoundExprKind::Column(PERIODE)));
    assert_eq!(right.as_literal(), Some(&Value::string("2026M05")));
}

#[test]
fn a_day_compared_with_midnight_stays_a_day() {
    let bound = filter("Fra ge 2026-06-01T00:00:00Z").unwrap().unwrap();
    let BoundExprKind::Compare(_, left, right) = bound.kind else { panic!("{bound:?}") };
    assert_eq!(left.kind, BoundExprKind::Column(FRA));
    assert_eq!(right.primitive, Some(PrimitiveType::Date));
    // Any other moment is compared with the day's first.
    assert_eq!(answer("$filter=Fra gt 2026-06-01T00:00:01Z").len(), 2);
    assert_eq!(answer("$filter=Fra ge 2026-05-31T22:00:00Z").len(), 4);
    assert_eq!(answer("$filter=Fra lt Opdateret").len(), 3);
}

#[test]
fn constants_are_worked_out_and_trivial_terms_dropped() {
    assert_eq!(filter("1 eq 1").unwrap(), None);
    assert_eq!(filter("1 eq 1 and Periode eq 'a'").unwrap(), filter("Periode eq 'a'").unwrap());
    assert_eq!(filter("false or Periode eq 'a'").unwrap(), filter("Periode eq 'a'").unwrap());
    assert_eq!(
        filter("false and Periode eq 'a'").unwrap().unwrap().as_literal(),
        Some(&Value::Boolean(false))
    );
    assert!(filter("false and Ukendt eq 'a'").is_err(), "an unknown name is wrong wherever it stands");
}

#[test]
fn columns_are_selected_in_the_order_asked_for() {
    let selected = |query| ask("Hovedtal", query).unwrap().select;
    assert_eq!(selected("$select=Antal, Periode,Antal"), Some(vec![4, 0]));
    assert_eq!(selected("$select=Antal,*"), None);
    assert_eq!(selected("$top=1"), None);
}

#[test]
fn rows_are_sorted_counted_and_cut() {
    assert_eq!(
        answer("$orderby=Antal"),
        ["2026M04/2.4", "2026M06/2.2", "2026M05/2.3", "2026M07/2.1", "2026M06/T", "2026M07/T"]
    );
    assert_eq!(answer("$orderby=Antal desc&$top=2"), ["2026M07/T", "2026M06/T"]);
    assert_eq!(answer("$orderby=Antal desc").last().map(String::as_str), Some("2026M04/2.4"));
    // Ordinal: capitals, small letters, Å before Æ; null first; equal rows keep their order.
    assert_eq!(
        answer("$orderby=Område"),
        ["2026M04/2.4", "2026M07/T", "2026M06/T", "2026M05/2.3", "2026M06/2.2", "2026M07/2.1"]
    );
    assert_eq!(answer("$orderby=length(Område) desc,Periode&$top=1&$skip=1"), ["2026M06/T"]);
    assert_eq!(answer("$skip=5"), ["2026M04/2.4"]);
    assert_eq!(answer("$top=0"), Vec::<String>::new());
    assert_eq!(answer("$skip=18446744073709551615&$top=18446744073709551615"), Vec::<String>::new());
    let (rows, count) = answered("$filter=Antal gt 0&$top=1&$count=true");
    assert_eq!((rows.len(), count), (1, 3));
    // Bounds with more decimals, or more digits, than the figures have.
    assert_eq!(
        answered("$filter=Antal gt 12.49&$orderby=Antal").0,
        ["2026M07/2.1", "2026M06/T", "2026M07/T"]
    );
    assert_eq!(answered("$filter=Antal ge -2.51 and Antal lt 12.501").1, 3);
    assert_eq!(answered("$filter=Antal lt 79228162514264337593543950335").1, 5);
    assert_eq!(answered("$filter=Antal eq 12.50000 or Antal ne Antal or Antal eq -2.49").1, 1);
    assert_eq!(answered("$filter=Antal in (12.5,-2.5000,0.25,null)").1, 3);
}

#[test]
fn an_answer_depends_on_what_it_shows_and_what_it_asks() {
    let set = &fixture::feed().sets[0];
    let columns = |path, query| ask(path, query).unwrap().columns(set);
    assert_eq!(columns("Hovedtal", ""), (0..8).collect::<Vec<_>>());
    assert_eq!(
        columns("Hovedtal", "$select=Antal&$filter=Nr add 1 gt 2&$orderby=length(Område)"),
        [0, 2, 3, 4, 5]
    );
    assert_eq!(columns("Hovedtal/$count", "$filter=Fra eq null"), [1]);
    assert_eq!(columns("Hovedtal/2026M07/T/Antal", ""), [0, 3, 4]);
}

#[test]
fn a_count_ignores_the_window() {
    let query = ask("Hovedtal/$count", "$filter=Nr eq 1&$top=1&$skip=1&$orderby=Nr").unwrap();
    assert_eq!(query.target, Target::Count);
    assert_eq!((query.top, query.skip, query.order.len()), (None, 0, 0));
    assert!(query.filter.is_some());
}
