//! Names that are given once: of queries, sheets, tables and measures of one file.

use std::collections::HashSet;

/// The first name that is not taken, whatever its case: without a number, else with one.
pub(super) fn unique(taken: &mut HashSet<String>, name: impl Fn(Option<usize>) -> String) -> String {
    let mut names = std::iter::once(None).chain((2..).map(Some)).map(name);
    names.find(|name| taken.insert(name.to_lowercase())).unwrap_or_default()
}
