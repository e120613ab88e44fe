//! `docs/errors.md` is written by this test and held to it: a row for each code that the source describes. `UPDATE_DOCS=1`
//! writes the page anew. A code without an example in [`examples`] is named, and so is an example without a code.

mod examples;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jobindsats_bridge::error::ErrorDescription;
use proc_macro2::{TokenStream, TokenTree};

const HEAD: &str = "# Errors

An answer that could not be given says why: `error.code` is stable, for programs; `error.message` is one Danish sentence with what to
do, for the person who asked; `error.target` names the option or header at fault; `error.details` holds the same in English. A
remote read is refused in plain text instead: the sentence, then the English. `Retry-After` comes with what passes by itself; while
figures are in store, they are served with their `Age` instead.

A test writes this page from the source and holds it to it. The sentences are examples.

| code | status | when | what the reader is shown |
|---|---|---|---|
";

const ADVICE_HEAD: &str = "
## Advice

What other languages, older versions of OData and other services have is answered with what to write instead.

| what is written | what the reader is shown |
|---|---|
";

/// The codes that the source describes, each with its status.
fn described_codes() -> BTreeMap<String, u16> {
    let mut codes = BTreeMap::new();
    find_codes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
    codes
}

fn find_codes(folder: &Path, codes: &mut BTreeMap<String, u16>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_codes(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            collect_codes(text.parse().unwrap(), codes);
        }
    }
}

/// Every `ErrorDescription::new(status, "code", …)`.
fn collect_codes(text: TokenStream, codes: &mut BTreeMap<String, u16>) {
    let tokens: Vec<TokenTree> = text.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before: String = tokens[at.saturating_sub(4)..at].iter().map(ToString::to_string).collect();
        if before == "ErrorDescription::new" {
            let arguments: Vec<String> = group.stream().into_iter().map(|token| token.to_string()).collect();
            let status = arguments[0].parse().expect("the status is written as a number");
            let code = arguments[2].trim_matches('"').to_owned();
            assert_eq!(arguments[2], format!("\"{code}\""), "the code is written as a text");
            let earlier = codes.insert(code.clone(), status);
            assert!(earlier.is_none_or(|earlier| earlier == status), "{code} has two statuses");
        }
        collect_codes(group.stream(), codes);
    }
}

fn row(when: &str, description: &ErrorDescription) -> String {
    let ErrorDescription { status, code, danish, retry_after_seconds, .. } = description;
    let retry = retry_after_seconds.map(|seconds| format!(", `Retry-After: {seconds}`")).unwrap_or_default();
    format!("| `{code}` | {status}{retry} | {when} | {} |", danish.replace('|', "\\|"))
}

#[test]
fn the_page_of_errors_has_a_row_for_each_code() {
    let mut rows = BTreeMap::new();
    for (when, error) in examples::examples() {
        let description = error.describe();
        assert!(description.danish.ends_with('.') && !error.to_string().is_empty(), "{error}");
        let (code, row) = (description.code.to_owned(), row(when, &description));
        assert!(
            rows.insert((description.status, code), row).is_none(),
            "{} has two examples",
            description.code
        );
    }
    let described: Vec<_> = described_codes().into_iter().map(|(code, status)| (status, code)).collect();
    let missing: Vec<_> = described.iter().filter(|code| !rows.contains_key(*code)).collect();
    assert!(missing.is_empty(), "no example in tests/error/examples.rs for {missing:?}");
    assert_eq!(rows.len(), described.len(), "an example has a code that the source does not describe");
    let mut page = HEAD.to_owned();
    rows.values().for_each(|row| writeln!(page, "{row}").unwrap());
    page.push_str(ADVICE_HEAD);
    for (written, error) in examples::advice() {
        writeln!(
            page,
            "| `{}` | {} |",
            written.replace('|', "\\|"),
            error.describe().danish.replace('|', "\\|")
        )
        .unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it anew");
}

#[test]
fn positions_are_the_same_number_in_both_languages() {
    let number = |text: &str, before: &str| {
        let digits = text.split_once(before)?.1;
        digits.split(|letter: char| !letter.is_ascii_digit()).next().map(str::to_owned)
    };
    let mut placed = 0;
    let advice = examples::advice().into_iter().map(|(_, error)| error);
    for error in examples::examples().into_iter().map(|(_, error)| error).chain(advice) {
        let danish = error.describe().danish;
        if let Some(place) = number(&danish, "tegn ").filter(|place| !place.is_empty()) {
            assert_eq!(number(&error.to_string(), "character "), Some(place), "{danish} / {error}");
            placed += 1;
        }
    }
    assert!(placed > 10, "{placed}");
}
