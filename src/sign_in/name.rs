//! Names of users. Names that look the same are the same, or are refused.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// The most letters of a name.
const LONGEST: usize = 64;

/// A name as it is compared: in lower case, and in one spelling of Unicode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UserName(Arc<str>);

/// The text is no name. It is not repeated: it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a name has at most {LONGEST} Latin letters, digits and . - _ @ +, such as anne.jensen@kommune.example"
)]
pub struct InvalidName;

impl UserName {
    /// Reads a name. `Å`, `å` and `A` with a ring of its own are one letter. Letters of other scripts and of other forms, as those of full
    /// width, are refused: they look like others, and who chooses a name elsewhere must not become another user here.
    ///
    /// # Errors
    /// If it is empty, too long or has other characters.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        // Normalising can make a text longer, but never so much shorter.
        if text.len() > 8 * LONGEST {
            return Err(InvalidName);
        }
        let name: String = text.trim_ascii().nfc().flat_map(char::to_lowercase).nfc().collect();
        let is_name = (1..=LONGEST).contains(&name.chars().count()) && name.chars().all(is_plain);
        if is_name { Ok(Self(name.into())) } else { Err(InvalidName) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.as_str().to_owned()
    }
}

impl TryFrom<String> for UserName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::new(&text)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Letters of European languages, but for an `i` without a dot and a small `k` of another form, which look like others.
fn is_plain(letter: char) -> bool {
    let is_latin = matches!(letter, 'a'..='z' | 'ß'..='ö' | 'ø'..='ž') && !matches!(letter, 'ı' | 'ĸ');
    is_latin || letter.is_ascii_digit() || ".-_@+".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        UserName::new(text).map_or_else(|error| error.to_string(), |name| name.to_string())
    }

    #[test]
    fn spellings_of_one_name_are_one() {
        for spelled in ["Åse", "åse", "A\u{30a}se", " åse ", "\u{212b}se"] {
            assert_eq!(name(spelled), "åse", "{spelled}");
        }
        assert_eq!(name("Anne.Jensen@Kommune.example"), "anne.jensen@kommune.example");
    }

    #[test]
    fn look_alikes_and_what_is_no_name_are_refused() {
        let cyrillic_a = "\u{430}nne";
        let greek_o = "b\u{3bf}";
        for text in [
            "",
            " ",
            "a:b",
            "a b",
            "a\nb",
            "a\0",
            cyrillic_a,
            greek_o,
            "d\u{131}n",
            "a\u{200b}b",
            "ａnne",
            "ⓐnne",
            "bº",
            "anne\u{3000}",
            "#anne",
            "*",
        ] {
            assert!(UserName::new(text).is_err(), "{text:?}");
        }
        assert!(UserName::new(&"a".repeat(LONGEST + 1)).is_err());
        assert!(UserName::new(&"a".repeat(LONGEST)).is_ok());
    }
}
