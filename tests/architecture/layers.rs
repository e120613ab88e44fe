//! The direction of imports, the list of which is in `src/lib.rs`, and what only some modules may know.

use crate::sources::{Source, sources};

/// From low to high. A module may use those of lower layers, itself, and nothing else.
const LAYERS: &[&[&str]] = &[
    &["unix", "error", "settings", "clock", "disk", "budget", "observe", "odata", "catalogue", "sign_in"],
    &["upstream", "search", "feed"],
    &["query", "probe"],
    &["plan", "frame", "export", "open"],
    &["store"],
    &["fetch"],
    &["answer", "indicators"],
    &["refresh"],
    &["pages", "peers"],
    &["web"],
    &["service"],
    &["run"],
    &["main"],
];

/// Forbidden imports between modules of the same layer, and one of a lower layer.
const APART: &[(&str, &str)] = &[
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

fn top(source: &Source) -> &str {
    source.path.first().map_or("", String::as_str)
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| {
        panic!("module '{module}' stands in no layer: add it to tests/architecture/layers.rs and src/lib.rs")
    })
}

fn may_use(module: &str, other: &str) -> bool {
    match (module, other) {
        _ if module == other => true,
        ("simulator", _) => OF_SIMULATOR.contains(&other),
        (_, "simulator") => module == "run",
        _ => layer(other) <= layer(module) && !APART.contains(&(module, other)),
    }
}

/// The files, but for those of some modules, whose code has one of the texts in it.
fn files_with(texts: &[&str], except: &[&str]) -> Vec<String> {
    let others = sources().iter().filter(|source| !except.contains(&top(source)));
    let found = others.filter(|source| texts.iter().any(|text| source.code.contains(text)));
    found.map(|source| source.file.display().to_string()).collect()
}

#[test]
fn imports_go_from_high_to_low() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.path.is_empty()) {
        let upwards = source.mentions.iter().filter(|mention| !may_use(top(source), &mention.module[0]));
        wrong.extend(
            upwards.map(|mention| format!("{} uses {}", source.file.display(), mention.module.join("::"))),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_web_framework_stays_at_the_edge() {
    assert_eq!(files_with(&["actix_web", "actix_http"], AT_THE_EDGE), [""; 0]);
}

#[test]
fn only_one_module_knows_the_operating_system() {
    let unix = ["rustix", "std::os::", "signal::unix", "libc::"];
    assert_eq!(files_with(&unix, &["unix"]), [""; 0]);
    let inside = files_with(&unix, &[]);
    assert!(inside.len() >= 2, "the search finds what is there: {inside:?}");
}

#[test]
fn only_the_clock_says_what_time_it_is() {
    assert_eq!(files_with(&["Utc::now()", "Local::now()", "SystemTime::now()"], &["clock"]), [""; 0]);
}
