//! The regular expressions of `matchesPattern`, compiled once per request and bounded in size.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// Bytes that a compiled pattern may take; generous for patterns over codes and labels, small beside a request.
const COMPILED_SIZE_LIMIT: usize = 256 * 1024;

/// How deep groups may nest.
const NESTING_LIMIT: u32 = 50;

/// A compiled pattern; equal patterns are those of equal text.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles the pattern. The engine has no look-around and no back-references, and so never takes more than linear time.
    ///
    /// # Errors
    /// When the text is no pattern, or one too large to compile.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        RegexBuilder::new(text)
            .size_limit(COMPILED_SIZE_LIMIT)
            .dfa_size_limit(COMPILED_SIZE_LIMIT)
            .nest_limit(NESTING_LIMIT)
            .build()
            .map(Self)
    }

    /// Whether the pattern is found anywhere in the text, unless it is anchored.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.0.as_str())
    }
}
