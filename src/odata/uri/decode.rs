//! Decodes pieces of a URL to characters: percent-decoding, plus signs, and the refusal of control characters. The URL is split
//! into pieces before it is decoded.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::{SyntaxError, SyntaxErrorKind};

/// Decoded text. Which characters were percent-encoded is kept for one rule: an encoded semicolon does not end a search word.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) chars: Vec<char>,
    pub(super) encoded: Vec<bool>,
}

impl Text {
    /// Text that carries no encoding.
    pub(super) fn plain(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let encoded = vec![false; chars.len()];
        Self { chars, encoded }
    }

    pub(super) fn into_string(self) -> String {
        self.chars.into_iter().collect()
    }
}

/// A text as a piece of a URL in which nothing but letters and digits stands for itself.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// What a plus sign stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plus {
    Blank,
    Itself,
}

/// Decodes one piece of a URL; `option` names it in errors.
pub(super) fn decode(raw: &str, option: &str, plus: Plus) -> Result<Text, SyntaxError> {
    let (bytes, encoded) = decode_bytes(raw, option, plus)?;
    let decoded = std::str::from_utf8(&bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let position = String::from_utf8_lossy(valid).chars().count();
        SyntaxError::new(option, position, SyntaxErrorKind::BadEncoding)
    })?;
    let mut text =
        Text { chars: Vec::with_capacity(decoded.len()), encoded: Vec::with_capacity(decoded.len()) };
    for (at, char) in decoded.char_indices() {
        if char.is_control() && !matches!(char, '\t' | '\n' | '\r') {
            let position = text.chars.len();
            return Err(SyntaxError::new(option, position, SyntaxErrorKind::ControlCharacter));
        }
        text.chars.push(char);
        text.encoded.push(encoded.get(at).copied().unwrap_or(false));
    }
    Ok(text)
}

fn decode_bytes(raw: &str, option: &str, plus: Plus) -> Result<(Vec<u8>, Vec<bool>), SyntaxError> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut encoded = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        let (decoded, was_encoded) = match byte {
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => (high * 16 + low, true),
                _ => {
                    return Err(SyntaxError::new(option, bytes.len(), SyntaxErrorKind::BadEncoding));
                }
            },
            b'+' if plus == Plus::Blank => (b' ', false),
            other => (other, false),
        };
        bytes.push(decoded);
        encoded.push(was_encoded);
    }
    Ok((bytes, encoded))
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
