//! Why a page cannot show what its address asks for.

use crate::answer::error::BridgeError;
use crate::error::{DescribeError, ErrorDescription, PAUSE_SECONDS, but_there_is, excerpt};
use crate::settings::redact::redact;

/// What went wrong, in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageError {
    pub status: u16,
    pub code: &'static str,
    pub danish: String,
    pub english: String,
    pub retry_after_seconds: Option<u64>,
}

impl PageError {
    fn new(status: u16, code: &'static str, danish: impl Into<String>, english: impl Into<String>) -> Self {
        Self { status, code, danish: danish.into(), english: english.into(), retry_after_seconds: None }
    }

    /// An address without a page. Programs are led to the services; a person begins at the front page.
    fn unknown_page() -> Self {
        Self::new(
            404,
            "NotFound",
            "Adressen findes ikke; begynd på forsiden.",
            "There is no such address; begin at the front page.",
        )
    }

    /// A table that there is not, nor one of a similar name.
    fn unknown_table(found: &str) -> Self {
        let found = excerpt(found);
        Self::new(
            404,
            "UnknownTable",
            format!("Målingen '{found}' findes ikke; find en på forsiden."),
            format!("There is no measurement '{found}'; find one on the front page."),
        )
    }

    /// A municipality that there is not.
    pub fn municipality(found: &str, suggestion: Option<String>) -> Self {
        let found = excerpt(found);
        Self::new(
            400,
            "UnknownMunicipality",
            format!("Kommunen '{found}' findes ikke{}; vælg en på listen.", but_there_is(&suggestion)),
            format!(
                "There is no municipality '{found}'{}; choose one in the list.",
                but_there_is_in_english(&suggestion)
            ),
        )
    }

    /// An area that there is not.
    pub fn area(found: &str, suggestion: Option<String>) -> Self {
        let found = excerpt(found);
        Self::new(
            400,
            "UnknownArea",
            format!(
                "Området '{found}' findes ikke{}; skriv en kommune eller en region.",
                but_there_is(&suggestion)
            ),
            format!(
                "There is no area '{found}'{}; write a municipality or a region.",
                but_there_is_in_english(&suggestion)
            ),
        )
    }

    /// A choice that the table does not have.
    pub fn choice(option: &str, found: &str, suggestion: Option<String>) -> Self {
        let found = excerpt(found);
        Self::new(
            400,
            "UnknownChoice",
            format!(
                "Valget {option}={found} findes ikke i målingen{}; vælg på siden.",
                but_there_is(&suggestion)
            ),
            format!(
                "The measurement has no {option}={found}{}; choose on the page.",
                but_there_is_in_english(&suggestion)
            ),
        )
    }

    /// More places than are shown side by side.
    pub fn too_many_compared(limit: usize) -> Self {
        Self::new(
            400,
            "TooManyCompared",
            format!("Der kan sammenlignes med højst {limit} områder ad gangen; fjern nogle."),
            format!("At most {limit} areas are compared at a time; remove some."),
        )
    }

    /// More breakdowns than can be chosen at a time.
    pub fn too_many_breakdowns(limit: usize) -> Self {
        Self::new(
            400,
            "TooManyBreakdowns",
            format!("Der kan vælges højst {limit} fordelinger ad gangen; fjern nogle."),
            format!("At most {limit} breakdowns can be chosen at a time; remove some."),
        )
    }

    /// A table without periods.
    pub fn no_periods() -> Self {
        Self::new(
            502,
            "NoPeriods",
            "Jobindsats opgiver ingen perioder for målingen; prøv igen senere.",
            "Jobindsats lists no periods for the measurement; try again later.",
        )
    }

    /// The list of tables has not been read.
    pub fn no_tables() -> Self {
        let (danish, english) = (
            "Listen over målinger er ikke læst endnu; prøv igen om et minut.",
            "The list of measurements has not been read yet; try again in a minute.",
        );
        Self { retry_after_seconds: Some(PAUSE_SECONDS), ..Self::new(503, "NotReady", danish, english) }
    }

    /// A subject that the menu does not have.
    pub fn subject(found: &str, suggestion: Option<String>) -> Self {
        let found = excerpt(found);
        Self::new(
            400,
            "UnknownSubject",
            format!("Emnet '{found}' findes ikke{}; vælg et på listen.", but_there_is(&suggestion)),
            format!(
                "There is no subject '{found}'{}; choose one in the list.",
                but_there_is_in_english(&suggestion)
            ),
        )
    }

    /// A search text that is too long.
    pub fn long_search(limit: usize) -> Self {
        Self::new(
            400,
            "SearchTooLong",
            format!("Søgeteksten er for lang; skriv højst {limit} tegn."),
            format!("The search text is too long; write at most {limit} characters."),
        )
    }
}

impl From<&BridgeError> for PageError {
    fn from(error: &BridgeError) -> Self {
        match error {
            BridgeError::UnknownPath(_) => return Self::unknown_page(),
            BridgeError::UnknownTable { table, suggestion: None, .. } => return Self::unknown_table(table),
            _ => {}
        }
        let ErrorDescription { status, code, danish, retry_after_seconds, .. } = error.describe();
        Self { status, code, danish, english: in_english(error), retry_after_seconds }
    }
}

fn but_there_is_in_english(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!(", but there is '{name}'")).unwrap_or_default()
}

/// An error in English as a sentence for readers; without keys.
pub(super) fn in_english(error: &BridgeError) -> String {
    let text = redact(&error.to_string()).into_owned();
    let mut letters = text.chars();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).chain(end.chars()).collect())
}
