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
    files.iter().flat_map(|file| tests_in(file)).collect()
}

/// The tests of a file, by their names.
fn tests_in(file: &Path) -> Vec<String> {
    let (mut found, mut is_test) = (Vec::new(), false);
    for line in std::fs::read_to_string(file).unwrap().lines().map(str::trim) {
        let signature = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        match signature.and_then(|rest| rest.split(['(', '<']).next()) {
            Some(name) if is_test => {
                found.push(name.to_owned());
                is_test = false;
            }
            _ => is_test = line.contains("test]") || (is_test && line.starts_with("#[")),
        }
    }
    found
}

/// The text of a document, all of whose tests are there; it names more than `least`.
fn naming_tests(document: &str, least: usize) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let named: BTreeSet<(&str, &str)> = page.split('`').filter_map(|text| text.split_once("::")).collect();
    assert!(named.len() > least, "{document} names {} tests", named.len());
    let missing: Vec<_> =
        named.into_iter().filter(|(folder, name)| !tests_below(folder).contains(*name)).collect();
    assert!(missing.is_empty(), "{document}: {missing:?}");
    page
}

#[test]
fn every_threat_names_the_tests_that_hold_it() {
    let page = naming_tests("SECURITY.md", 30);
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what ")).collect();
    let unheld: Vec<_> = rows
        .iter()
        .filter(|row| !row.contains("::") && !row.contains("tests/") && !row.ends_with("| not held |"))
        .collect();
    assert!(rows.len() > 20 && unheld.is_empty(), "{} rows; {unheld:?}", rows.len());
}

#[test]
fn every_test_that_the_conformance_lists_name_is_there() {
    let page = naming_tests("docs/conformance.md", 50);
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

/// The tests of the library and of `tests/`, with the modules of their files.
fn full_names() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = Vec::new();
    for folder in ["src", "tests"] {
        let mut files = Vec::new();
        sources(&root.join(folder), &mut files);
        for file in files {
            let within = file.strip_prefix(root.join(folder)).unwrap().with_extension("");
            let parts = within.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod");
            let module = parts.chain((folder == "src").then_some("tests")).collect::<Vec<_>>().join("::");
            names.extend(tests_in(&file).into_iter().map(|name| format!("{module}::{name}")));
        }
    }
    names
}

#[test]
fn every_command_of_a_document_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, names) = (Vec::new(), full_names());
    pages(root, &mut files);
    let mut commands = 0;
    for file in files {
        let page = std::fs::read_to_string(&file).unwrap();
        let is_command =
            |text: &&str| text.contains("cargo test ") && !text.contains("FOLDER") && !text.contains('\n');
        for command in page.split('`').filter(is_command) {
            let (_, options) = command.split_once("cargo test ").unwrap();
            let is_filter =
                |word: &&str| word.contains("::") || !["integration", "architecture", "peers"].contains(word);
            let filters: Vec<_> =
                options.split_whitespace().filter(|word| !word.starts_with('-')).filter(is_filter).collect();
            for filter in filters {
                let is_there = names.iter().any(|name| name.contains(filter));
                assert!(is_there, "{}: {command}: no test has {filter}", file.display());
                commands += 1;
            }
        }
        for path in page.split('`').filter_map(|text| text.split_whitespace().next()) {
            let is_own =
                ["tests/", "benches/", ".ci/", "deploy/"].iter().any(|folder| path.starts_with(folder));
            let is_path = is_own && !path.contains(['*', ':', '…', '{']);
            assert!(!is_path || root.join(path).exists(), "{}: {path}", file.display());
        }
    }
    assert!(commands > 25, "{commands} commands");
}

#[test]
fn the_readme_begins_with_its_two_commands() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let first = readme.split("```sh\n").nth(1).unwrap();
    let commands: Vec<_> = first.lines().take(2).map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(commands, ["cargo run --release", "cargo test"]);
}

/// The Markdown files of the project.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&name) {
            pages(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The anchors that headings have, as forges make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    let letters = |heading: &str| -> String {
        let kept =
            heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect::<String>().to_lowercase()
    };
    headings.map(letters).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut files = Vec::new();
    pages(Path::new(env!("CARGO_MANIFEST_DIR")), &mut files);
    let mut followed = 0;
    for file in files {
        let page = std::fs::read_to_string(&file).unwrap();
        let targets = page.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        for target in targets.filter(|target| !target.contains(":") && !target.starts_with('/')) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(linked.exists(), "{}: {target}", file.display());
            if !anchor.is_empty() {
                let has = anchors(&std::fs::read_to_string(&linked).unwrap()).contains(anchor);
                assert!(has, "{}: {target}", file.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 30, "{followed} links");
}
