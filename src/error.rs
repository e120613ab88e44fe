//! The trait by which the errors of all stages describe themselves to clients, and helpers for their sentences: excerpts of foreign
//! texts, and suggestions for mistyped names. Independent of all stages.

use std::error::Error;

use crate::settings::redact::redact;

/// An error that can end a request. Its `Display` is the English detail for operators.
///
/// `docs/errors.md` has a row for each code; `tests/error` writes it and has an example of each.
pub trait DescribeError: Error {
    /// The description for the client.
    fn describe(&self) -> ErrorDescription;
}

/// The usual `Retry-After`, in seconds.
pub const PAUSE_SECONDS: u64 = 60;

/// The description of an error for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDescription {
    /// The HTTP status.
    pub status: u16,
    /// The error code. It never changes, so that programs can rely on it.
    pub code: &'static str,
    /// One Danish sentence that says what to do.
    pub danish: String,
    /// The wrong option, header or part of the request.
    pub target: Option<String>,
    pub retry_after_seconds: Option<u64>,
    /// The allowed methods, for 405.
    pub allow: Option<&'static str>,
}

impl ErrorDescription {
    /// Status and code must be literals, so that a test finds all codes in the source. A code has the same status everywhere.
    #[must_use]
    pub fn new(status: u16, code: &'static str, danish: impl Into<String>) -> Self {
        let danish = danish.into();
        Self { status, code, danish, target: None, retry_after_seconds: None, allow: None }
    }

    /// An internal error of the service.
    #[must_use]
    pub fn internal() -> Self {
        ErrorDescription::new(
            500,
            "InternalError",
            "Der er en fejl i broen; prøv igen, og sig det til den, der driver den.",
        )
    }

    #[must_use]
    pub fn on(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    #[must_use]
    pub fn again_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    #[must_use]
    pub fn allowing(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }
}

/// The beginning of a text from outside, short enough for an error, and without keys.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const CHARACTERS: usize = 120;
    // Enough to find every key that reaches into the beginning.
    const SEARCHED: usize = 4096;
    let begin = |text: &str, characters| text.char_indices().nth(characters).map(|(end, _)| end);
    let searched = text.get(..begin(text, SEARCHED).unwrap_or(text.len())).unwrap_or_default();
    let text = redact(searched);
    match begin(&text, CHARACTERS) {
        Some(end) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}

/// The innermost cause; the outer errors add nothing but the names of their layers.
#[must_use]
pub fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    excerpt(&cause.to_string())
}

/// The first of the candidates that are nearest to a name; see [`distance`].
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let distances =
        candidates.into_iter().filter_map(|candidate| Some((distance(name, candidate)?, candidate)));
    distances.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate.to_owned())
}

/// How far a name is from one that may be meant by it, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distance {
    /// A typing error, in which so many letters differ.
    Letters(usize),
    /// Words too many or too few, as `Randers Kommune` for `Randers`.
    Words,
}

/// How far a name is from a candidate that may be meant by it; `None` if it is another name.
#[must_use]
pub fn distance(name: &str, candidate: &str) -> Option<Distance> {
    // In bytes. Names have at most 128 characters; longer texts are not compared.
    const LONGEST: usize = 512;
    if name.len() > LONGEST || candidate.len() > LONGEST {
        return None;
    }
    let (name, candidate) = (name.to_lowercase(), candidate.to_lowercase());
    let letters = name.chars().count();
    // A name of one letter has no suggestions: another letter is another name.
    let tolerated = (1 + letters / 4).min(letters.saturating_sub(1));
    if candidate.chars().count().abs_diff(letters) <= tolerated {
        let differing = strsim::osa_distance(&name, &candidate);
        if differing <= tolerated {
            return Some(Distance::Letters(differing));
        }
    }
    (has_words_of(&name, &candidate) || has_words_of(&candidate, &name)).then_some(Distance::Words)
}

/// Whether a text of several words begins or ends with all words of the other; a genitive's s does not count (`Københavns Kommune`).
fn has_words_of(text: &str, other: &str) -> bool {
    let rest = text.strip_prefix(other).map(|rest| rest.strip_prefix('s').unwrap_or(rest));
    let begins = rest.is_some_and(|rest| rest.starts_with(' '));
    begins || text.strip_suffix(other).is_some_and(|rest| rest.ends_with(' '))
}

/// The end of an English sentence with suggestions; empty without any.
#[must_use]
pub fn did_you_mean<'a>(suggestions: impl IntoIterator<Item = &'a String>) -> String {
    match listed(suggestions, '`', "or") {
        Some(names) => format!("; did you mean {names}?"),
        None => String::new(),
    }
}

/// The same for a Danish sentence that says that something does not exist.
#[must_use]
pub fn but_there_is<'a>(suggestions: impl IntoIterator<Item = &'a String>) -> String {
    match listed(suggestions, '\'', "og") {
        Some(names) => format!(", men det gør {names}"),
        None => String::new(),
    }
}

/// Quoted names with a word before the last.
fn listed<'a>(names: impl IntoIterator<Item = &'a String>, quote: char, word: &str) -> Option<String> {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("{quote}{name}{quote}")).collect();
    let (last, others) = quoted.split_last()?;
    Some(if others.is_empty() { last.clone() } else { format!("{} {word} {last}", others.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_words_too_many_or_too_few_is_farther_than_any_typing_error() {
        for (name, candidate, expected) in [
            ("Randers", "Randers", Some(Distance::Letters(0))),
            ("Rander", "Randers", Some(Distance::Letters(1))),
            ("Randers Kommune", "Randers", Some(Distance::Words)),
            ("Randers", "Randers Kommune", Some(Distance::Words)),
            ("Region Nordjylland", "Nordjylland", Some(Distance::Words)),
            ("Nordjylland", "Region Nordjylland", Some(Distance::Words)),
            ("Københavns Kommune", "København", Some(Distance::Words)),
            ("København", "Københavns Kommune", Some(Distance::Words)),
            ("Randersegnen", "Randers", None),
            ("Storrandersby", "Randers", None),
            ("Kommune Randers by", "Randers", None),
            ("x", "y", None),
        ] {
            assert_eq!(distance(name, candidate), expected, "{name}, {candidate}");
        }
        assert!(Distance::Letters(usize::MAX) < Distance::Words);
        let long = "x".repeat(600);
        assert_eq!(distance(&long, &long), None);
    }
}
