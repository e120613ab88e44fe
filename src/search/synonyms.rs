//! Everyday words for the agency's terms, from `metadata/synonyms.json`: who searches for "sygemeldt" means sygedagpenge.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::words::split;

static BUILT_IN: LazyLock<Synonyms> = LazyLock::new(|| {
    // A test reads the file; one that cannot be read would only leave the synonyms out.
    let read: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("../../metadata/synonyms.json")).unwrap_or_default();
    let comparable = |term: String| format!(" {}", split(&term).collect::<Vec<_>>().join(" "));
    Synonyms { terms: read.into_iter().map(|(term, words)| (comparable(term), words)).collect() }
});

/// Terms of the agency with words that mean the same.
#[derive(Debug)]
pub struct Synonyms {
    terms: Vec<(String, Vec<String>)>,
}

impl Synonyms {
    /// Those of `metadata/synonyms.json`.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// The words for every term that a text has at the beginning of a word.
    pub fn of(&self, text: &str) -> impl Iterator<Item = &str> + use<'_> {
        let text = format!(" {}", split(text).collect::<Vec<_>>().join(" "));
        let terms = self.terms.iter().filter(move |(term, _)| text.contains(term));
        terms.flat_map(|(_, words)| words.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_of_the_menu_has_three_words_at_least() {
        let tables: serde_json::Value =
            serde_json::from_str(include_str!("../../metadata/simulator/tables.json")).unwrap();
        for subject in tables["subjects"].as_array().unwrap() {
            let name = subject["name"].as_str().unwrap();
            assert!(Synonyms::built_in().of(name).count() >= 3, "{name}");
        }
    }
}
