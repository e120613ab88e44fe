//! The trait by which the errors of all stages describe themselves to clients, and helpers for their sentences: excerpts of foreign
//! texts, and suggestions for mistyped names. Independent of all stages.

use std::error::Error;

use crate::settings::redact::redact;

/// An error that can end a request. Its `Display` is the English detail for operators.
///
/// `docs/errors.md` has a row for each code; `tests/errors` writes it and lists an example of each.
pub trait DescribeError: Error {
    /// The description for the client.
    fn describe(&self) -> ErrorDescription;
}

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
            "Der er en fejl i tjenesten; prøv igen, og sig det til den, der driver tjenesten.",
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

/// The candidate with the smallest edit distance to a name, if it is small enough for a typing error.
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Names have at most 128 characters; longer texts are not compared.
    if name.len() > 512 {
        return None;
    }
    let wanted = name.to_lowercase();
    let letters = wanted.chars().count();
    // A name of one letter has no suggestions: another letter is another name.
    let tolerated = (1 + letters / 4).min(letters.saturating_sub(1));
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// The end of an English sentence with the suggestion of [`closest`]; empty without one.
#[must_use]
pub fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The same for a Danish sentence.
#[must_use]
pub fn but_there_is(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!(", men det gør '{name}'")).unwrap_or_default()
}
