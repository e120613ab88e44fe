//! Requests at and beyond the limits of the binder.

use std::iter;
use std::time::Duration;

use arrow_array::UInt32Array;
use arrow_select::take::take_record_batch;
use jobindsats_bridge::error::DescribeError;
use jobindsats_bridge::feed::RowSource;
use jobindsats_bridge::odata::uri::{Limits, parse_request};
use jobindsats_bridge::query::bind::bind;

use super::fixture::{answer, ask, feed, filter, now, rows};
use crate::support::patience::within;

#[test]
fn deep_expressions_are_bound_and_evaluated_on_a_small_stack() {
    let parentheses = format!("{}Nr eq 1{}", "(".repeat(90), ")".repeat(90));
    let negations = format!("{}(Nr eq 1){}", "not (".repeat(90), ")".repeat(90));
    let sums = format!("Nr{} eq 1", " add 0".repeat(300));
    let run = move || {
        for text in [parentheses, negations, sums] {
            // A chain may be refused by the parser; what it lets through has an answer.
            if jobindsats_bridge::odata::uri::parse_expression(&text, &Default::default()).is_ok() {
                assert_eq!(answer(&format!("$filter={text}")).len(), 2, "{text}");
            }
        }
    };
    // Half of what threads of the server have.
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn long_chains_and_lists_cost_what_they_are_long() {
    within(Duration::from_secs(2), || {
        let chain: Vec<_> = (0..1500).map(|n| format!("Periode eq '{n}'")).collect();
        assert_eq!(answer(&format!("$filter={} or Periode eq '2026M07'", chain.join(" or "))).len(), 2);
        let list: Vec<_> = (0..4000).map(|n| format!("'{n}'")).collect();
        assert_eq!(answer(&format!("$filter=Periode in ({},'2026M07')", list.join(","))).len(), 2);
    });
}

/// Each comparison is looked up among thousands of rows, of which only the last has the value.
#[test]
fn many_comparisons_do_not_walk_through_a_long_list_each() {
    let places: UInt32Array = iter::repeat_n(0, 30_000).chain([5]).collect();
    let mut feed = feed();
    for set in &mut feed.sets {
        set.rows = RowSource::List(take_record_batch(&rows(), &places).unwrap());
    }
    let ask = |column: &str| {
        let chain = vec![format!("{column} eq '2.4'"); 1_500].join(" or ");
        let request = parse_request("Hovedtal", &format!("$filter={chain}"), &Limits::default()).unwrap();
        bind(&feed, &request, now()).unwrap().unknown_members.len()
    };
    within(Duration::from_secs(3), || assert_eq!(ask("Område_id"), 0));
    within(Duration::from_secs(3), || assert_eq!(ask("Kode/Område_id"), 0));
}

#[test]
fn aliases_cannot_multiply_an_expression_or_refer_to_themselves() {
    within(Duration::from_secs(2), || {
        let uses = |name: &str| vec![format!("@{name}"); 100].join(" add ");
        let query = format!(
            "$filter=@a eq 1&@a={}&@b={}&@c={}&@d={}&@e=Nr",
            uses("b"),
            uses("c"),
            uses("d"),
            uses("e")
        );
        assert_eq!(ask("Hovedtal", &query).unwrap_err().describe().code, "ExpressionTooLarge");
        assert_eq!(
            ask("Hovedtal", "$filter=@a eq 1&@a=@b&@b=@a").unwrap_err().describe().code,
            "ExpressionTooLarge"
        );
        assert_eq!(
            ask("Hovedtal", "$filter=Nr in @a&@a=@a").unwrap_err().describe().code,
            "ExpressionTooLarge"
        );
    });
}

#[test]
fn small_requests_cannot_make_large_expressions() {
    within(Duration::from_secs(5), || {
        let text = "x".repeat(8_000);
        let doubled: Vec<_> = (0..17).map(|n| format!("@a{n}=concat(@a{},@a{})", n + 1, n + 1)).collect();
        let doubling = format!("$filter=Område eq @a0&{}&@a17='{text}'", doubled.join("&"));
        let operand = vec!["Nr eq 1"; 300].join(" and ");
        let crossed = format!("$filter=({operand} and Åben) in ({})", vec!["Åben"; 3000].join(","));
        let patterns = vec!["matchesPattern(Område,'(a{50}){50}')"; 100].join(" or ");
        for query in [doubling, crossed, format!("$filter={patterns}")] {
            assert_eq!(ask("Hovedtal", &query).unwrap_err().describe().code, "ExpressionTooLarge");
        }
    });
}

#[test]
fn an_order_has_a_limit() {
    let terms: Vec<_> = (0..5).map(|n| format!("Nr add {n}")).collect();
    assert_eq!(
        ask("Hovedtal", &format!("$orderby={}", terms.join(","))).unwrap_err().describe().code,
        "TooManyTerms"
    );
    let repeated = vec!["Nr"; 1000].join(",");
    assert_eq!(ask("Hovedtal", &format!("$orderby={repeated}")).unwrap().order.len(), 1);
}

#[test]
fn a_pattern_takes_linear_time() {
    within(Duration::from_secs(1), || {
        let text = format!("matchesPattern('{}','^(a+)+$')", "a".repeat(5000) + "b");
        assert!(filter(&text).unwrap().is_some());
    });
}
