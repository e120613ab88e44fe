//! The direction of imports. The compiler allows circular imports within one crate, so this test reads the `use` lines and paths
//! in `src/` and compares them with the order in `src/lib.rs`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// From low to high. A module may use those of lower layers, itself, and nothing else.
const LAYERS: &[&[&str]] = &[
    &["error", "settings", "clock", "disk", "budget", "observe", "odata", "catalogue"],
    &["upstream", "feed"],
    &["query"],
    &["plan", "frame", "export"],
    &["store"],
    &["fetch"],
    &["answer", "indicators"],
    &["refresh"],
    &["web"],
    &["service"],
];

/// Forbidden imports between modules of the same layer.
const STRANGERS: &[(&str, &str)] = &[
    ("odata", "catalogue"),
    ("catalogue", "odata"),
    ("upstream", "feed"),
    ("feed", "upstream"),
    ("plan", "frame"),
    ("frame", "plan"),
    ("frame", "store"),
    ("answer", "indicators"),
    ("indicators", "answer"),
];

/// The modules that the simulator may import, since it should be independent of the program that it tests.
const OF_SIMULATOR: &[&str] = &["simulator", "clock", "settings", "catalogue"];

/// Modules that may import the web framework.
const AT_THE_EDGE: &[&str] = &["web", "service", "simulator"];

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

/// Every file below `src/` with the module it belongs to and its text without comments.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
        first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    let code = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    let files = files.into_iter().map(|path| (module(&path), path.clone(), code(&path)));
    files.filter(|(module, ..)| !["lib", "main", "run"].contains(&module.as_str())).collect()
}

/// The modules of the crate that a text names.
fn used(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let name: String =
            text[at + 7..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        found.insert(name);
    }
    found
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| {
        panic!("module '{module}' stands in no layer: add it to tests/architecture.rs and src/lib.rs")
    })
}

#[test]
fn imports_go_from_high_to_low() {
    let mut wrong = Vec::new();
    for (module, path, text) in modules().iter().filter(|(module, ..)| module != "simulator") {
        for name in used(text).iter().filter(|name| *name != module) {
            let upwards = name == "simulator" || layer(name) > layer(module);
            let stranger = STRANGERS.contains(&(module.as_str(), name.as_str()));
            if upwards || stranger {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_imports_the_simulator() {
    let strange = |(_, path, text): &(String, PathBuf, String)| {
        let names: Vec<_> =
            used(text).into_iter().filter(|name| !OF_SIMULATOR.contains(&name.as_str())).collect();
        (!names.is_empty()).then(|| format!("{} uses {names:?}", path.display()))
    };
    let wrong: Vec<_> =
        modules().iter().filter(|(module, ..)| module == "simulator").filter_map(strange).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_web_framework_stays_at_the_edge() {
    let inside = modules().into_iter().filter(|(module, ..)| !AT_THE_EDGE.contains(&module.as_str()));
    let wrong: Vec<_> =
        inside.filter(|(.., text)| text.contains("actix_web")).map(|(_, path, _)| path).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn only_the_clock_says_what_time_it_is() {
    let told = ["Utc::now()", "Local::now()", "SystemTime::now()"];
    let elsewhere = modules().into_iter().filter(|(module, ..)| module != "clock");
    let wrong: Vec<_> = elsewhere
        .filter(|(.., text)| told.iter().any(|now| text.contains(now)))
        .map(|(_, path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
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
