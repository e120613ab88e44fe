//! The regular expressions of `matchesPattern`, compiled once per request and limited in size.
//!
//! OData's patterns are those of ECMAScript: `\d`, `\w` and `\b` are ASCII only, `.` matches no line terminator of any kind, and
//! character classes do not nest.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// The most bytes of a compiled pattern: enough for patterns over codes and labels.
const COMPILED_SIZE_LIMIT: usize = 256 * 1024;

/// How deep groups may nest.
const NESTING_LIMIT: u32 = 50;

/// A compiled pattern; equal patterns are those of equal text.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles an ECMAScript pattern. The regex engine has no look-around and no back-references, so matching takes linear time.
    ///
    /// # Errors
    /// When the text is not a pattern or is too large to compile.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        RegexBuilder::new(&in_our_dialect(text))
            .size_limit(COMPILED_SIZE_LIMIT)
            .dfa_size_limit(COMPILED_SIZE_LIMIT)
            .nest_limit(NESTING_LIMIT)
            .build()
            .map(Self)
    }

    /// Whether the pattern matches a part of the text; the whole text only if it is anchored.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// Translates the pattern to the syntax of the `regex` crate, where `\d` and `\w` are Unicode and classes nest.
fn in_our_dialect(text: &str) -> String {
    let (mut written, mut within_class) = (String::with_capacity(text.len()), false);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => written.push_str(&escape(chars.next(), within_class)),
            '[' if within_class => written.push_str(r"\["),
            // Doubled, these characters are operators between classes in the `regex` crate.
            '&' | '~' | '-' if within_class && chars.peek() == Some(&char) => written.extend(['\\', char]),
            '.' if !within_class => written.push_str(r"[^\n\r\u{2028}\u{2029}]"),
            _ => {
                within_class = char == '[' || within_class && char != ']';
                written.push(char);
            }
        }
    }
    written
}

/// Translates a backslash and the character after it.
fn escape(char: Option<char>, within_class: bool) -> String {
    match char {
        Some('d') => "[0-9]".to_owned(),
        Some('D') => "[^0-9]".to_owned(),
        Some('w') => "[0-9A-Za-z_]".to_owned(),
        Some('W') => "[^0-9A-Za-z_]".to_owned(),
        Some('b') if within_class => r"\x08".to_owned(),
        Some('b') => r"(?-u:\b)".to_owned(),
        Some('B') if !within_class => r"(?-u:\B)".to_owned(),
        Some(other) => format!(r"\{other}"),
        None => r"\".to_owned(),
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
