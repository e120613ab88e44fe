//! The organisation's API key. Its only use is to be sent to the upstream: it has no `Display`, its `Debug` hides it, and other
//! texts are searched for it before they are logged.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::settings::redact;

/// The scheme that version 3 of the API expects before the key.
const SCHEME: &str = "Bearer";
/// A shorter key would be found by chance in text that has nothing to do with it.
const LEAST_LENGTH: usize = 8;
/// A limit of ours, far above what keys have: what is longer is another text, put there by mistake.
const MOST_LENGTH: usize = 2048;
/// The most bytes of a key file that are read: more than the longest key as it may be pasted.
const FILE_BYTES: u64 = 2 * MOST_LENGTH as u64;

/// A key to the upstream.
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// The text cannot be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("a key is one word of visible ASCII characters, such as 1f0c9a52-7b3e-4f51-9c1d-0a8e6b2d4c77")]
    NotOneWord,
    #[error("a key has at least {LEAST_LENGTH} characters")]
    TooShort,
    #[error("a key has at most {MOST_LENGTH} characters")]
    TooLong,
}

/// A file holds no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// The path is not repeated: it may be the key, put there by mistake.
    #[error(
        "the file that it names cannot be read: {reason}; it takes the path of a file, not the key itself"
    )]
    Unreadable { reason: String },
    #[error("the file is empty; expected the key on one line, such as 1f0c9a52-7b3e-4f51-9c1d-0a8e6b2d4c77")]
    Empty,
    #[error(transparent)]
    Invalid(#[from] InvalidKey),
}

impl ApiKey {
    /// Reads a key from a file.
    ///
    /// # Errors
    /// If the file cannot be read or holds no key.
    pub fn read_file(path: &Path) -> Result<Self, KeyFileError> {
        let unreadable = |error: io::Error| KeyFileError::Unreadable { reason: error.kind().to_string() };
        // A pipe may never end, and a device never does.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(KeyFileError::Unreadable { reason: "not a regular file".to_owned() });
        }
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES).read_to_string(&mut text))
            .map_err(unreadable)?;
        if unframed(&text).is_empty() { Err(KeyFileError::Empty) } else { Ok(Self::new(&text)?) }
    }

    /// Whether both are the same key.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }

    /// Reads a key as it is pasted: with space around it, behind a byte-order mark, or with the word `Bearer` in front. From now on
    /// it is taken out of foreign text.
    ///
    /// # Errors
    /// If what is left is not one word of visible ASCII, too short or too long.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        let text = unframed(text);
        let key = match text.split_once(char::is_whitespace) {
            Some((SCHEME, key)) => key.trim_start(),
            _ => text,
        };
        if key.is_empty() || key == SCHEME || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidKey::NotOneWord);
        }
        if key.len() < LEAST_LENGTH {
            return Err(InvalidKey::TooShort);
        }
        if key.len() > MOST_LENGTH {
            return Err(InvalidKey::TooLong);
        }
        let key = SecretString::from(key);
        redact::remember(&key);
        Ok(Self(key))
    }

    /// A key that everybody knows, such as the simulator's. It is not taken out of texts.
    #[must_use]
    pub fn well_known(key: &'static str) -> Self {
        Self(SecretString::from(key))
    }

    /// The header that carries the key, marked so that libraries do not print it either.
    pub(crate) fn header(&self) -> Result<HeaderValue, InvalidKey> {
        let mut header = HeaderValue::try_from(format!("{SCHEME} {}", self.0.expose_secret()))
            .map_err(|_| InvalidKey::NotOneWord)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// The text without a byte-order mark and the space around it.
fn unframed(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(redact::REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new("hemmelig-1234").unwrap();
        let echo = redact::redact("token hemmelig-1234 is unknown").into_owned();
        let shown = format!("{key:?} {:?} {echo}", key.header().unwrap());
        assert!(!shown.contains("hemmelig"), "{shown}");
        assert!(shown.starts_with("[redacted] "), "{shown}");
    }

    #[test]
    fn a_pasted_key_is_sent_with_the_word_bearer_once() {
        for pasted in [
            "abc-4567",
            " abc-4567\n",
            "Bearer abc-4567",
            " Bearer  abc-4567 ",
            "Bearer\tabc-4567",
            "\u{feff}abc-4567\r\n",
        ] {
            assert_eq!(ApiKey::new(pasted).unwrap().header().unwrap(), "Bearer abc-4567", "{pasted:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_without_repeating_it() {
        for pasted in ["", "  ", "Bearer ", "a b", "nøgle", "a\nb"] {
            let error = ApiKey::new(pasted).unwrap_err();
            let sentence = error.to_string();
            assert!(
                sentence.starts_with("a key is one word of visible ASCII characters, such as "),
                "{sentence}"
            );
        }
        for short in ["x", "Bearer x", "seven77"] {
            let error = ApiKey::new(short).unwrap_err();
            assert_eq!(error.to_string(), "a key has at least 8 characters", "{short:?}");
        }
        assert_eq!(ApiKey::new(&"k".repeat(MOST_LENGTH + 1)).unwrap_err(), InvalidKey::TooLong);
    }

    #[test]
    fn only_a_file_of_the_length_of_a_key_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("x");
        for (path, said) in [
            (Path::new("/dev/zero"), "not a regular file"),
            (Path::new("/dev/null"), "not a regular file"),
            (folder.path(), "not a regular file"),
            (&missing, "entity not found"),
        ] {
            let reason = said.to_owned();
            assert_eq!(ApiKey::read_file(path).unwrap_err(), KeyFileError::Unreadable { reason }, "{path:?}");
        }
        let empty = folder.path().join("empty");
        for text in ["", " \n", "\u{feff}", "\u{feff}\r\n"] {
            std::fs::write(&empty, text).unwrap();
            assert_eq!(ApiKey::read_file(&empty).unwrap_err(), KeyFileError::Empty, "{text:?}");
        }
        let long = folder.path().join("long");
        std::fs::write(&long, "k".repeat(5_000_000)).unwrap();
        assert_eq!(ApiKey::read_file(&long).unwrap_err(), InvalidKey::TooLong.into());
    }
}
