//! One index over the catalogue for everybody who searches it: `$search` on `Datasets` and the front page.
//!
//! It searches titles, subjects, measures, breakdowns, their members, ids and everyday words ([`synonyms`]), and tolerates other
//! spellings: letters with two spellings ([`words`]), parts of compounds, endings and typing errors ([`likeness`]). It is built
//! once per catalogue and never changes.

mod likeness;
mod synonyms;
mod words;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{Days, NaiveDate};

use crate::catalogue::Catalogue;
use crate::catalogue::dimension::Dimension;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::catalogue::period::Period;
use crate::search::likeness::{Likeness, Sought};
pub use crate::search::synonyms::Synonyms;
pub use crate::search::words::folded;
use crate::search::words::{is_filler, split, tokens};

/// The most characters of a query that are read; a longer one is no question any more.
pub const MAX_CHARS: usize = 200;
/// The most words of a query that are looked for.
const WORDS: usize = 12;
/// A series that ended this long before the newest of all is an old one: it is listed after the current ones.
const ENDED_AFTER: Days = Days::new(366);

/// The tables of a catalogue by the words that describe them.
#[derive(Debug, Clone, Default)]
pub struct SearchIndex {
    tables: Vec<Table>,
    vocabulary: Vec<Term>,
}

/// A table that can be found.
#[derive(Debug, Clone)]
struct Table {
    id: MeasurementId,
    /// Its texts as they are compared, for phrases.
    texts: Vec<Arc<str>>,
    /// Whether its members are known. While they are not, it may have any.
    is_read: bool,
    has_ended: bool,
}

/// A word of the vocabulary, with the tables that it describes.
#[derive(Debug, Clone)]
struct Term {
    text: String,
    letters: u64,
    is_area: bool,
    /// The index of a table, and how much the word says of it.
    found: Vec<(usize, Weight)>,
}

/// How much a word says of a table, by the text that it stands in.
type Weight = u16;
const MEMBER: Weight = 20;
const BREAKDOWN: Weight = 30;
const MEASURE: Weight = 40;
const SYNONYM: Weight = 50;
const TITLE: Weight = 100;
const ID: Weight = 200;

/// A table that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub table: MeasurementId,
    /// Greater is better; comparable within one search only.
    pub score: u32,
}

impl SearchIndex {
    /// The index of a catalogue.
    #[must_use]
    pub fn new(catalogue: &Catalogue) -> Self {
        let newest = catalogue.heads.values().filter_map(|head| last_day(head)).max();
        let mut builder = Builder::default();
        for head in catalogue.heads.values() {
            let measurement = catalogue.measurements.get(&head.id).map(|table| &**table);
            let has_ended = last_day(head)
                .and_then(|last| last.checked_add_days(ENDED_AFTER))
                .zip(newest)
                .is_some_and(|(kept, newest)| kept < newest);
            builder.add(head, measurement, has_ended);
        }
        builder.finish()
    }

    /// The tables that all words of a query describe, the best first. Words such as "i" and "for" do not count beside others.
    #[must_use]
    pub fn search(&self, query: &str) -> Vec<Hit> {
        let query: String = query.chars().take(MAX_CHARS).collect();
        let mut words: Vec<String> = tokens(&query).take(WORDS).collect();
        if words.iter().any(|word| !is_filler(word)) {
            words.retain(|word| !is_filler(word));
        }
        let Some((first, others)) = words.split_first() else { return Vec::new() };
        let mut scores = self.scores(first);
        for word in others {
            let more = self.scores(word);
            scores.retain(|table, score| {
                more.get(table).is_some_and(|other| {
                    *score = score.saturating_add(*other);
                    true
                })
            });
        }
        let mut hits: Vec<_> = scores.into_iter().collect();
        hits.sort_by_key(|&(table, score)| (self.tables[table].has_ended, Reverse(score), table));
        hits.into_iter().map(|(table, score)| Hit { table: self.tables[table].id.clone(), score }).collect()
    }

    /// The tables that one word of a search expression finds.
    #[must_use]
    pub fn with_word(&self, word: &str) -> Vec<&MeasurementId> {
        if is_filler(&folded(word)) {
            return self.tables.iter().map(|table| &table.id).collect();
        }
        let mut hits: Vec<_> = self.search(word).into_iter().map(|hit| hit.table).collect();
        hits.sort();
        self.tables.iter().map(|table| &table.id).filter(|id| hits.binary_search(id).is_ok()).collect()
    }

    /// The tables one of whose texts has these words in this order, one directly after the other.
    #[must_use]
    pub fn with_phrase(&self, phrase: &str) -> Vec<&MeasurementId> {
        let phrase: Vec<String> = split(&phrase.chars().take(MAX_CHARS).collect::<String>()).collect();
        let phrase = phrase.join(" ");
        let has = |text: &Arc<str>| phrase_in(text, &phrase);
        let found = self.tables.iter().filter(|table| !phrase.is_empty() && table.texts.iter().any(has));
        found.map(|table| &table.id).collect()
    }

    /// The score of every table that a word describes: by what is written exactly so, else by what is written nearly so.
    fn scores(&self, word: &str) -> BTreeMap<usize, u32> {
        let sought = Sought::new(word);
        let exact = self.scores_by(|term| sought.within(&term.text));
        if !exact.is_empty() {
            return exact;
        }
        let parts: Vec<String> = split(word).collect();
        match parts.split_first() {
            // `kontanthjælp-kvinder` is no word, its parts are.
            Some((first, others)) if !others.is_empty() => {
                others.iter().fold(self.scores(first), |found, part| {
                    let more = self.scores(part);
                    found.into_iter().filter(|(table, _)| more.contains_key(table)).collect()
                })
            }
            _ => self.scores_by(|term| sought.nearly(&term.text, term.letters)),
        }
    }

    fn scores_by(&self, likeness: impl Fn(&Term) -> Option<Likeness>) -> BTreeMap<usize, u32> {
        let mut scores = BTreeMap::new();
        let mut is_area = false;
        for (term, likeness) in self.vocabulary.iter().filter_map(|term| Some((term, likeness(term)?))) {
            is_area |= term.is_area;
            for &(table, weight) in &term.found {
                let score = u32::from(weight) * likeness.factor();
                let best = scores.entry(table).or_insert(score);
                *best = score.max(*best);
            }
        }
        if is_area {
            // A table whose members are not known yet may have the area.
            for (table, _) in self.tables.iter().enumerate().filter(|(_, table)| !table.is_read) {
                scores.entry(table).or_insert(u32::from(MEMBER));
            }
        }
        scores
    }
}

/// Whether a text contains a name as whole words, however its letters are written, and with its hyphens or without.
#[must_use]
pub fn mentions(text: &str, name: &str) -> bool {
    let is_in = |text: Vec<String>, name: Vec<String>| {
        !name.is_empty() && phrase_in(&text.join(" "), &name.join(" "))
    };
    is_in(split(text).collect(), split(name).collect())
        || is_in(tokens(text).collect(), tokens(name).collect())
}

/// Whether a text contains a phrase between the ends of words.
fn phrase_in(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, found)| {
        let (before, after) = (&text[..at], &text[at + found.len()..]);
        (before.is_empty() || before.ends_with(' ')) && (after.is_empty() || after.starts_with(' '))
    })
}

fn last_day(head: &MeasurementHead) -> Option<NaiveDate> {
    head.period_types.iter().filter_map(|(id, _, last)| Period::new(id, last).last_day()).max()
}

/// Collects the words of all tables.
#[derive(Default)]
struct Builder {
    tables: Vec<Table>,
    terms: Vec<Term>,
    /// The index of the term of a word.
    by_word: HashMap<String, usize>,
    /// Texts that were parted before: most labels are those of many tables.
    known: HashMap<String, KnownText>,
}

/// A text with its words, by their index among the terms.
#[derive(Clone)]
struct KnownText {
    whole: Arc<str>,
    terms: Arc<[usize]>,
    synonyms: Arc<[usize]>,
}

impl Builder {
    fn add(&mut self, head: &MeasurementHead, measurement: Option<&Measurement>, has_ended: bool) {
        self.tables.push(Table {
            id: head.id.clone(),
            texts: Vec::new(),
            is_read: measurement.is_some(),
            has_ended,
        });
        self.text(head.id.as_str(), ID);
        self.text(&head.title, TITLE);
        self.text(&head.subject, TITLE);
        self.text(&head.group, MEASURE);
        let Some(measurement) = measurement else { return };
        for measure in &measurement.measures {
            self.text(&measure.heading, MEASURE);
        }
        for dimension in &measurement.dimensions {
            self.text(&dimension.label, BREAKDOWN);
            self.members(dimension);
        }
    }

    fn members(&mut self, dimension: &Dimension) {
        for member in &dimension.members {
            self.text(&member.label, MEMBER);
            if let (true, Some(known)) = (dimension.is_area(), self.known.get(&member.label)) {
                for &term in known.terms.iter() {
                    self.terms[term].is_area = true;
                }
            }
        }
    }

    /// Adds a text of the last table, and the words that mean the same.
    fn text(&mut self, text: &str, weight: Weight) {
        let known = self.known(text);
        let Some((table, last)) = self.tables.iter_mut().enumerate().next_back() else { return };
        last.texts.push(Arc::clone(&known.whole));
        let synonyms = known.synonyms.iter().map(|&term| (term, weight.min(SYNONYM)));
        for (term, weight) in known.terms.iter().map(|&term| (term, weight)).chain(synonyms) {
            let found = &mut self.terms[term].found;
            match found.last_mut() {
                Some((same, known)) if *same == table => *known = weight.max(*known),
                _ => found.push((table, weight)),
            }
        }
    }

    fn known(&mut self, text: &str) -> KnownText {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let whole = split(text).collect::<Vec<_>>().join(" ").into();
        let synonyms = Synonyms::built_in().of(text);
        let synonyms = synonyms.flat_map(|synonym| self.terms_of(synonym)).collect();
        let known = KnownText { whole, terms: self.terms_of(text).into(), synonyms };
        self.known.insert(text.to_owned(), known.clone());
        known
    }

    /// The words of a text: `a-kasse` is looked for as `akasse`, as `a` and as `kasse`.
    fn terms_of(&mut self, text: &str) -> Vec<usize> {
        let words: BTreeSet<String> = tokens(text).chain(split(text)).collect();
        words.into_iter().map(|word| self.term(word)).collect()
    }

    fn term(&mut self, word: String) -> usize {
        let next = self.terms.len();
        let index = *self.by_word.entry(word.clone()).or_insert(next);
        if index == next {
            let letters = likeness::letters(&word);
            self.terms.push(Term { text: word, letters, is_area: false, found: Vec::new() });
        }
        index
    }

    fn finish(self) -> SearchIndex {
        SearchIndex { tables: self.tables, vocabulary: self.terms }
    }
}
