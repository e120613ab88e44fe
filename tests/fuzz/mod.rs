//! The corpora of the fuzzer, each file once: seeds from the tests and whatever broke something. `.ci/long fuzz` looks for more.

mod properties;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::feed::fixture as table;
use crate::query::fixture;

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder)).unwrap();
    let name = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| name(entry.unwrap())).collect()
}

#[test]
fn every_property_has_a_target_and_a_corpus() {
    let properties: BTreeSet<_> = properties::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), properties);
    assert_eq!(names("corpus"), properties);
}

#[test]
fn every_file_of_a_corpus_holds_and_some_of_each_mean_something() {
    for (name, property) in properties::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 2, "{name} has few seeds");
        let means_something = |file: &PathBuf| {
            let bytes = fs::read(file).unwrap();
            let held = std::panic::catch_unwind(|| property(&bytes));
            held.unwrap_or_else(|_| panic!("{}", file.display()))
        };
        let understood = files.iter().filter(|file| means_something(file)).count();
        assert!(understood > 0, "nothing of {name} means anything");
    }
}
