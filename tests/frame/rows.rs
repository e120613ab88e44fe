//! Filters and orders over batches: the vectorised evaluation gives the same result as evaluating row by row.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float32Array, RecordBatch};
use arrow_select::concat::concat_batches;
use arrow_select::take::take_record_batch;
use jobindsats_bridge::frame::error::FrameError;
use jobindsats_bridge::frame::filter::mask;
use jobindsats_bridge::frame::order::{Part, order};
use jobindsats_bridge::frame::values::RowValues;
use jobindsats_bridge::odata::value::Value;
use jobindsats_bridge::query::BoundExpr;
use jobindsats_bridge::query::eval::{ColumnarValue, EvalError, Rows, evaluate};
use proptest::prelude::*;

use crate::query::fixture::{all_columns, ask, encoded, filter, rows};

/// One row whose values are given one by one, so that neither kernels nor distinct values are made use of.
struct OneRow<'a>(RowValues<'a>, usize);

impl Rows for OneRow<'_> {
    fn len(&self) -> usize {
        1
    }

    fn column(&self, column: usize) -> Result<ColumnarValue, EvalError> {
        Ok(ColumnarValue::Values(vec![self.0.column(column)?.value(self.1)]))
    }
}

fn of_row(expr: &BoundExpr, values: RowValues<'_>, row: usize) -> Value {
    evaluate(expr, &OneRow(values, row)).unwrap().value(0)
}

/// The mask that the definition gives, row by row.
fn plainly(cells: RowValues<'_>, text: &str) -> BooleanArray {
    let condition = filter(text).unwrap().unwrap();
    let truth = |row| match of_row(&condition, cells, row) {
        Value::Boolean(known) => Some(known),
        Value::Null => None,
        other => panic!("{text}: {other:?}"),
    };
    (0..cells.len()).map(truth).collect()
}

fn leaf() -> impl Strategy<Value = String> {
    let operator = || prop::sample::select(vec!["eq", "ne", "lt", "le", "gt", "ge"]);
    let side = prop::sample::select(vec![
        ("Periode", "'2026M06'"),
        ("Fra", "2026-06-01"),
        ("Fra", "2026-06-01T12:00:00Z"),
        ("Fra", "null"),
        ("Område", "'Hele landet'"),
        ("Område", "null"),
        ("Område", "'b'"),
        ("Antal", "12.5"),
        ("Antal", "0.0000000000000000001"),
        ("Antal", "79228162514264337593543950335"),
        ("Antal", "1e3"),
        ("Antal", "null"),
        ("Antal", "Nr"),
        ("Nr", "1"),
        ("Nr", "1.5"),
        ("Nr", "3000000000"),
        ("Åben", "true"),
        ("Åben", "null"),
        ("Opdateret", "2026-07-15T09:30:00Z"),
        ("Opdateret", "2026-07-15T09:30:00.0000001Z"),
        ("Opdateret", "2026-07-15"),
        ("length(Område)", "5"),
        ("tolower(Område)", "'ærø'"),
    ]);
    let compared = (side, operator(), any::<bool>()).prop_map(|((left, right), operator, turned)| {
        if turned { format!("{right} {operator} {left}") } else { format!("{left} {operator} {right}") }
    });
    let others = prop::sample::select(vec![
        "Åben",
        "Område in ('Ærø',null)",
        "Nr in (1,3)",
        "Antal in (12.5,null)",
        "Antal in (12.5,-2.5,0)",
        "Antal in (1e1,12.5)",
        "Antal in (0.0000000000000000001,0)",
        "Periode in ('2026M06','x')",
        "Periode in ('2026M06',null)",
        "startswith(Område,'Æ')",
        "contains(concat(Område,Periode),'t2')",
        "matchesPattern(Område,'^.r')",
        "startswith(Periode,'2026M0') eq true",
        "(Nr gt 0 and 6 div Nr eq 3)",
        "not (Nr eq 0 or 6 div Nr lt 3)",
        "case(Nr gt 1:6 div (Nr sub 1),Nr eq 1:Antal) ge 3",
        "case(Åben:concat(Område,'!'),Nr eq 3:Periode) eq 'Hele landet!'",
        "substring(Område,Nr) ne 'le landet'",
        "indexof(Område,'e') le length(Område) sub 4",
        "round(Antal) eq Nr",
        "year(Fra) eq 2026",
        "Område lt Periode",
        "concat(Område,Periode) gt concat(Periode,Område)",
        "cast(Nr,Edm.String) in ('1','3')",
        "length(Område) in (3,null)",
    ]);
    prop_oneof![compared, others.prop_map(str::to_owned)]
}

fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("not ({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a} or {b})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn masks_say_what_every_row_says(text in condition(), start in 0_usize..5, length in 0_usize..7) {
        let all = rows();
        let batch = all.slice(start, length.min(6 - start));
        let columns = all_columns();
        let cells = RowValues::new(&batch, &columns).unwrap();
        if let Some(condition) = filter(&text).unwrap() {
            prop_assert_eq!(mask(cells, &condition).unwrap(), plainly(cells, &text), "{}", text);
        }
    }

    #[test]
    fn the_first_rows_of_an_order_are_its_beginning(
        terms in prop::collection::vec((prop::sample::select(vec![
            "Periode", "Fra", "Område", "Antal", "Nr", "Åben", "Opdateret", "length(Område)", "Nr mul -1.5", "Nr mul 1e0", "Antal gt 5",
        ]), any::<bool>()), 1..4),
        limit in 0_usize..8,
    ) {
        let written: Vec<_> = terms.iter().map(|(term, down)| format!("{term}{}", if *down { " desc" } else { "" })).collect();
        let keys = ask("Hovedtal", &format!("$orderby={}", encoded(&written.join(",")))).unwrap().order;
        let (batch, columns) = (rows(), all_columns());
        let cells = RowValues::new(&batch, &columns).unwrap();
        let (whole, first) = (order(cells, &keys, Part::Run(0..usize::MAX)).unwrap(), order(cells, &keys, Part::Run(0..limit)).unwrap());
        prop_assert_eq!(&whole.values()[..limit.min(6)], &first.values()[..]);
        // Neighbours stand in order by the definition: null lowest, equal rows as they came.
        for pair in whole.values().windows(2) {
            let (a, b) = (pair[0] as usize, pair[1] as usize);
            let relation = keys.iter().map(|key| {
                let (x, y) = (of_row(&key.expr, cells, a), of_row(&key.expr, cells, b));
                let up = (!x.is_null()).cmp(&!y.is_null()).then(x.compare(&y).unwrap_or(std::cmp::Ordering::Equal));
                if key.descending { up.reverse() } else { up }
            }).find(|relation| relation.is_ne());
            prop_assert!(relation.map_or(a < b, |relation| relation.is_lt()), "{:?}: {} before {}", written, a, b);
        }
    }
}

#[test]
fn sorting_twice_changes_nothing() {
    let (batch, columns) = (rows(), all_columns());
    let keys = ask("Hovedtal", "$orderby=Område desc,Nr").unwrap().order;
    let places = order(RowValues::new(&batch, &columns).unwrap(), &keys, Part::Run(0..usize::MAX)).unwrap();
    let sorted = take_record_batch(&batch, &places).unwrap();
    let again = order(RowValues::new(&sorted, &columns).unwrap(), &keys, Part::Run(0..usize::MAX)).unwrap();
    assert_eq!(again.values().to_vec(), (0..6).collect::<Vec<u32>>());
}

#[test]
fn a_column_that_the_frame_lacks_is_an_error_and_not_a_null() {
    let (batch, mut columns) = (rows(), all_columns());
    columns[4] = None;
    let condition = filter("Antal eq null").unwrap().unwrap();
    assert!(matches!(
        mask(RowValues::new(&batch, &columns).unwrap(), &condition),
        Err(FrameError::MissingColumn { column: 4 })
    ));
    let keys = ask("Hovedtal", "$orderby=Antal add 1").unwrap().order;
    let cells = RowValues::new(&batch, &columns).unwrap();
    assert!(matches!(
        order(cells, &keys, Part::Run(0..usize::MAX)),
        Err(FrameError::MissingColumn { column: 4 })
    ));
}

#[test]
fn a_column_of_a_foreign_type_is_refused() {
    let singles: ArrayRef = Arc::new(Float32Array::from(vec![1.0]));
    let batch = RecordBatch::try_from_iter([("x", singles)]).unwrap();
    assert!(matches!(RowValues::new(&batch, &[Some(0)]), Err(FrameError::UnreadableColumn { .. })));
}

#[test]
fn a_division_by_zero_in_a_row_fails_the_request() {
    let condition = filter("6 div Nr eq 2").unwrap().unwrap();
    assert!(matches!(
        mask(RowValues::new(&rows(), &all_columns()).unwrap(), &condition),
        Err(FrameError::Eval(_))
    ));
}

#[test]
fn many_rows_are_what_they_are_by_themselves() {
    let all = rows();
    let batch = concat_batches(&all.schema(), vec![&all; 1500]).unwrap();
    let columns = all_columns();
    for text in [
        "Område eq 'Ærø' or Antal gt 5",
        "Nr gt 0 and 6 div Nr eq 3",
        "concat(Område,Periode) gt 'b' and Åben",
    ] {
        let condition = filter(text).unwrap().unwrap();
        let one = mask(RowValues::new(&all, &columns).unwrap(), &condition).unwrap();
        let many = mask(RowValues::new(&batch, &columns).unwrap(), &condition).unwrap();
        assert!(many.iter().eq(one.iter().cycle().take(many.len())), "{text}");
        assert_eq!(many.len(), 9000);
    }
}
