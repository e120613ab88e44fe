//! What documents say of files and tests is true.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The tests below a folder of `tests/` or `src/`, by their names.
fn tests_below(folder: &str) -> BTreeSet<String> {
    let mut files = Vec::new();
    for root in ["tests", "src"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(root).join(folder);
        if folder.is_dir() {
            sources(&folder, &mut files);
        }
    }
    let mut found = BTreeSet::new();
    for file in files {
        let mut is_test = false;
        for line in std::fs::read_to_string(file).unwrap().lines().map(str::trim) {
            let signature = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            match signature.and_then(|rest| rest.split(['(', '<']).next()) {
                Some(name) if is_test => {
                    found.insert(name.to_owned());
                    is_test = false;
                }
                _ => is_test = line.contains("test]") || (is_test && line.starts_with("#[")),
            }
        }
    }
    found
}

#[test]
fn every_test_that_the_conformance_lists_name_is_there() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    let page = std::fs::read_to_string(page).unwrap();
    let named: BTreeSet<(&str, &str)> = page.split('`').filter_map(|text| text.split_once("::")).collect();
    assert!(named.len() > 50, "{} tests are named", named.len());
    let missing: Vec<_> =
        named.into_iter().filter(|(folder, name)| !tests_below(folder).contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let met = page.lines().filter(|line| line.contains("| met"));
    let unheld: Vec<_> = met
        .filter(|line| {
            !line.contains("::") && !line.ends_with("| above |") && !line.ends_with("| as above |")
        })
        .collect();
    assert!(unheld.is_empty(), "{unheld:?}");
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let is_path = |text: &&str| text.ends_with(".rs") || text.ends_with(".json") || text.ends_with('/');
    let named: BTreeSet<&str> = page.split('`').filter(is_path).collect();
    assert!(named.len() > 30, "{} files are named", named.len());
    let exists = |name: &&str| root.join(name).exists() || root.join("src").join(name).exists();
    let missing: Vec<_> = named.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_readme_begins_with_its_two_commands() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let first = readme.split("```sh\n").nth(1).unwrap();
    let commands: Vec<_> = first.lines().take(2).map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(commands, ["cargo run --release", "cargo test"]);
}
