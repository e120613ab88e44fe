//! No two files import each other, however long the way round.
//!
//! A file that declares others, mostly a `mod.rs`, may import them. They import from it, and from what is further above, only
//! types that are defined there: a name that it merely passes on counts as an import from the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{Name, sources};

/// Who imports whom, without the types that a file takes from those above it.
type Imports = BTreeMap<Name, BTreeSet<Name>>;

/// The imports, and those that a file may not have of one above it.
fn imports() -> (Imports, Vec<String>) {
    let (mut imports, mut wrong) = (Imports::new(), Vec::new());
    for source in sources() {
        for mention in &source.mentions {
            if !source.path.starts_with(&mention.module) {
                imports.entry(source.path.clone()).or_default().insert(mention.module.clone());
            } else if let Some(item) = mention.item.as_ref().filter(|_| !mention.is_type) {
                let (file, above) = (source.path.join("/"), mention.module.join("/"));
                wrong.push(format!("{file} takes {item}, which is no type, from {above} above it"));
            }
        }
    }
    (imports, wrong)
}

/// Whether imports lead from one module to another.
fn lead(imports: &Imports, from: &Name, to: &Name) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(next) = open.pop() {
        if next == to {
            return true;
        }
        if seen.insert(next) {
            open.extend(imports.get(next).into_iter().flatten());
        }
    }
    false
}

#[test]
fn no_two_files_import_each_other() {
    let (imports, mut wrong) = imports();
    for (from, targets) in &imports {
        for to in targets.iter().filter(|to| lead(&imports, to, from)) {
            wrong.push(format!("{} imports {}, which leads back to it", from.join("/"), to.join("/")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
