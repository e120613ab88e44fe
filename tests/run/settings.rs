//! `docs/settings.md` is written by this test and held to it: a row for each setting. `UPDATE_DOCS=1` writes the page anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jobindsats_bridge::settings::described::DESCRIBED;

const HEAD: &str = "# Settings

Environment variables, read once when the program starts; an empty one counts as unset. A wrong or unknown one stops the start with an
error that says what was expected. A test writes this page from the source and holds it to it; `jobindsats-bridge --help` says the same.

| variable | default | meaning |
|---|---|---|
";

#[test]
fn the_page_of_settings_has_a_row_for_each() {
    let mut page = HEAD.to_owned();
    for setting in DESCRIBED {
        writeln!(page, "| `{}` | {} | {} |", setting.variable, setting.default, setting.meaning).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it anew");
}

#[test]
fn the_readme_names_every_setting() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let named: BTreeSet<_> = readme.split('`').skip(1).step_by(2).collect();
    let missing: Vec<_> = DESCRIBED.iter().filter(|setting| !named.contains(setting.variable)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
