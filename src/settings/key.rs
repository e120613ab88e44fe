//! The organisation's API key. Its only use is to be sent to the upstream: it has no `Display`, its `Debug` hides it, and other
//! texts are searched for it before they are logged.

use std::fmt;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// The scheme that version 3 of the API expects before the key.
const SCHEME: &str = "Bearer";
const REDACTED: &str = "[redacted]";

/// A key to the upstream.
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// The text cannot be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is one word of visible ASCII characters")]
pub struct InvalidKey;

impl ApiKey {
    /// Reads a key as it is pasted: with space around it, or with the word `Bearer` in front.
    ///
    /// # Errors
    /// If what is left is empty or not one word of visible ASCII.
    pub fn new(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        let key = match text.split_once(char::is_whitespace) {
            Some((SCHEME, key)) => key.trim_start(),
            _ => text,
        };
        if key.is_empty() || key == SCHEME || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidKey);
        }
        Ok(Self(SecretString::from(key)))
    }

    /// The header that carries the key, marked so that libraries do not print it either.
    pub(crate) fn header(&self) -> Result<HeaderValue, InvalidKey> {
        let mut header =
            HeaderValue::try_from(format!("{SCHEME} {}", self.0.expose_secret())).map_err(|_| InvalidKey)?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// A text without the key, if the text repeats it.
    pub(crate) fn redact(&self, text: &str) -> Option<String> {
        let key = self.0.expose_secret();
        text.contains(key).then(|| text.replace(key, REDACTED))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new("hemmelig-1234").unwrap();
        let echo = key.redact("token hemmelig-1234 is unknown").unwrap();
        let shown = format!("{key:?} {:?} {echo}", key.header().unwrap());
        assert!(!shown.contains("hemmelig"), "{shown}");
        assert!(shown.starts_with("[redacted] "), "{shown}");
        assert_eq!(key.redact("token is unknown"), None);
    }

    #[test]
    fn a_pasted_key_is_sent_with_the_word_bearer_once() {
        for pasted in ["abc", " abc\n", "Bearer abc", " Bearer  abc ", "Bearer\tabc"] {
            assert_eq!(ApiKey::new(pasted).unwrap().header().unwrap(), "Bearer abc", "{pasted:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_without_repeating_it() {
        for pasted in ["", "  ", "Bearer ", "a b", "nøgle", "a\nb"] {
            let error = ApiKey::new(pasted).unwrap_err();
            assert_eq!(error.to_string(), "a key is one word of visible ASCII characters", "{pasted:?}");
        }
    }
}
