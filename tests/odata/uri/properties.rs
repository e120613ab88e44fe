//! Random texts: the parser never panics, and redundant brackets do not change the tree.

use jobindsats_bridge::error::DescribeError;
use jobindsats_bridge::odata::uri::{Limits, parse_request};
use proptest::prelude::*;

use super::expression;
use super::shape::shape;

const OPERATORS: [(&str, u8); 14] = [
    ("or", 1),
    ("and", 2),
    ("eq", 3),
    ("ne", 3),
    ("lt", 4),
    ("le", 4),
    ("gt", 4),
    ("ge", 4),
    ("add", 5),
    ("sub", 5),
    ("mul", 6),
    ("div", 6),
    ("divby", 6),
    ("mod", 6),
];
const UNARY: u8 = 7;
const PRIMARY: u8 = 8;

/// A text with as few brackets as possible, the same text with as many, and how tight its outermost part binds.
#[derive(Debug, Clone)]
struct Written {
    bare: String,
    bracketed: String,
    strength: u8,
}

impl Written {
    fn at_least(&self, strength: u8) -> String {
        if self.strength >= strength { self.bare.clone() } else { format!("({})", self.bare) }
    }
}

fn leaf(text: &str) -> Written {
    Written { bare: text.to_owned(), bracketed: text.to_owned(), strength: PRIMARY }
}

fn written() -> impl Strategy<Value = Written> {
    let leaves = prop::sample::select(vec![
        "A",
        "Område",
        "B/C",
        "12",
        "-1.5",
        "'x''y'",
        "null",
        "true",
        "2024-01-31",
        "@p",
        "length(A)",
        "contains(A,'b')",
        "D/any(x:x eq 1)",
        "now()",
        "$it/A",
    ])
    .prop_map(leaf);
    leaves.prop_recursive(5, 40, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), prop::sample::select(OPERATORS.to_vec()))
                .prop_map(|(left, right, operator)| binary(&left, &right, operator)),
            inner.clone().prop_map(|operand| unary("not ", &operand)),
            inner.prop_map(|operand| unary("- ", &operand)),
        ]
    })
}

fn binary(left: &Written, right: &Written, (word, strength): (&str, u8)) -> Written {
    Written {
        bare: format!("{} {word} {}", left.at_least(strength), right.at_least(strength + 1)),
        bracketed: format!("(({}) {word} ({}))", left.bracketed, right.bracketed),
        strength,
    }
}

fn unary(word: &str, operand: &Written) -> Written {
    Written {
        bare: format!("{word}{}", operand.at_least(UNARY)),
        bracketed: format!("({word}({}))", operand.bracketed),
        strength: UNARY,
    }
}

/// Pieces of the language in any order, so that damage goes deeper than with letters alone.
fn debris() -> impl Strategy<Value = String> {
    let pieces = vec![
        "$filter=",
        "$expand=",
        "$select=",
        "$apply=",
        "$search=",
        "$compute=",
        "$orderby=",
        "A",
        "Ø",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "'",
        "\"",
        "%27",
        "%",
        "%C3",
        "%00",
        ",",
        ";",
        ":",
        "/",
        "&",
        "=",
        "@",
        "$it",
        "$count",
        "#",
        " ",
        "+",
        "-",
        "1",
        "2024-01-31",
        "T",
        "e9",
        " eq ",
        " in ",
        " not ",
        "any(x:",
        "filter(",
        "groupby((",
        "aggregate(",
        " with ",
        " as ",
        "geo.length(",
        "geography'SRID=0;",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn superfluous_brackets_mean_nothing(text in written()) {
        let bare = expression(&text.bare).unwrap();
        let bracketed = expression(&text.bracketed).unwrap();
        prop_assert_eq!(shape(&bare), shape(&bracketed), "{}", text.bare);
    }

    #[test]
    fn no_text_panics(path in any::<String>(), query in any::<String>()) {
        let _ = parse_request(&path, &query, &Limits::default()).map_err(|error| error.describe().danish);
    }

    #[test]
    fn no_debris_panics_and_faults_lie_within_the_text(path in debris(), query in debris()) {
        if let Err(error) = parse_request(&path, &query, &Limits::default()) {
            prop_assert!(error.position <= path.len().max(query.len()), "{}", error);
            prop_assert!(!error.describe().danish.is_empty());
        }
    }
}
