//! A `match` over an enum to which cases are added names every variant: the compiler then asks what a new one means, where an
//! arm for all else would answer for it.

use std::collections::BTreeSet;

use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{ExprMatch, Pat};

use crate::sources::sources;

/// Enums that grow: what a column shows, why a call failed, what is asked for, what figures are in, what can be called.
const NAMED_IN_FULL: &[&str] = &["Fact", "PeriodFact", "MemberFact", "Failure", "Target", "Unit", "Function"];

#[derive(Default)]
struct InPart(BTreeSet<String>);

impl<'code> Visit<'code> for InPart {
    fn visit_expr_match(&mut self, expr: &'code ExprMatch) {
        let is_rest = |pat: &Pat| matches!(pat, Pat::Wild(_) | Pat::Ident(_));
        if expr.arms.iter().any(|arm| is_rest(&arm.pat)) {
            let patterns = expr.arms.iter().map(|arm| arm.pat.to_token_stream().to_string());
            self.0.extend(
                patterns.filter_map(|text| {
                    Some(text.split_once(" ::")?.0.trim_matches(['&', ' ', '|']).to_owned())
                }),
            );
        }
        visit::visit_expr_match(self, expr);
    }
}

/// The enums whose variants a `match` names only in part.
pub fn matched_in_part(code: &syn::File) -> BTreeSet<String> {
    let mut found = InPart::default();
    found.visit_file(code);
    found.0
}

#[test]
fn enums_that_grow_are_matched_in_full() {
    let wrong: Vec<_> = sources()
        .iter()
        .flat_map(|source| source.matched_in_part.iter().map(move |name| (source, name)))
        .filter(|(_, name)| NAMED_IN_FULL.contains(&name.as_str()))
        .map(|(source, name)| format!("{}: {name}", source.file.display()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_arm_for_all_else_is_seen() {
    let file = |body: &str| syn::parse_file(&format!("fn f() {{ {body} }}")).unwrap();
    let found = |body: &str| matched_in_part(&file(body)).into_iter().collect::<Vec<_>>();
    assert_eq!(found("match x { Fact::Status | Fact::Value => 1, _ => 2 }"), ["Fact"]);
    assert_eq!(found("match x { Fact::Status => 1, other => 2 }"), ["Fact"]);
    assert_eq!(found("match x { Fact::Status => 1, Fact::Value => 2 }"), [""; 0]);
    assert_eq!(found("match x { Fact::Status => 1, _ if y => 2, Fact::Value => 3 }"), [""; 0]);
}
