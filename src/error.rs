//! What every error of every stage says of itself, and what the sentences of errors share: an excerpt of a foreign text, and
//! the name that was probably meant. Knows no stage.

use std::error::Error;

/// An error that can end a request. Its `Display` is the English detail for operators.
///
/// `docs/errors.md` has a row for each code; `tests/errors` writes it and lists an example of each.
pub trait DescribeError: Error {
    /// What the client is told.
    fn describe(&self) -> ErrorDescription;
}

/// What a client is told of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorDescription {
    /// The status of the HTTP answer.
    pub status: u16,
    /// Stable: programs may rely on it.
    pub code: &'static str,
    /// One Danish sentence, with what to do.
    pub danish: String,
    /// The option, header or part of the request that is at fault.
    pub target: Option<String>,
    pub retry_after_seconds: Option<u64>,
    /// The methods that would have been right.
    pub allow: Option<&'static str>,
}

impl ErrorDescription {
    /// A code has one status, wherever it is described; both are written as literals, so that `tests/errors` finds them.
    #[must_use]
    pub fn new(status: u16, code: &'static str, danish: impl Into<String>) -> Self {
        let danish = danish.into();
        Self { status, code, danish, target: None, retry_after_seconds: None, allow: None }
    }

    /// A fault of the service itself.
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

/// The beginning of a foreign text: enough to recognise it, whatever its length.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const CHARACTERS: usize = 120;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The candidate that a mistyped name most likely meant, if one is close enough to be a mistyping.
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Names are at most 128 characters; comparing longer ones would only cost time.
    if name.len() > 512 {
        return None;
    }
    let wanted = name.to_lowercase();
    let letters = wanted.chars().count();
    // Another single letter is another name, not a mistyping.
    let tolerated = (1 + letters / 4).min(letters.saturating_sub(1));
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// What [`closest`] found, behind an English sentence; nothing if it found nothing.
#[must_use]
pub fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The same within a Danish sentence that says what does not exist.
#[must_use]
pub fn but_there_is(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!(", men det gør '{name}'")).unwrap_or_default()
}
