//! Takes keys out of text that people will see: causes of failures, excerpts, log lines. Metadata and figures are never searched.
//!
//! An upstream may repeat the key that it was sent, and not as it was sent: escaped as in JSON or HTML, percent-encoded, as Base64 or in
//! hexadecimal digits, in other case, or several of these around each other. All of them are found.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a key.
pub(super) const REDACTED: &str = "[redacted]";
/// Codings around each other that are looked through.
const LAYERS: usize = 4;
/// Characters of HTML's names for those that a key may have.
const ENTITIES: &[(&str, char)] = &[
    ("amp", '&'),
    ("ast", '*'),
    ("apos", '\''),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("Hat", '^'),
    ("hyphen", '-'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("sol", '/'),
    ("verbar", '|'),
    ("vert", '|'),
];

/// The keys that are known to this process.
static KEYS: RwLock<Vec<SecretString>> = RwLock::new(Vec::new());

/// Remembers a key, so that it is taken out of text from now on.
pub(super) fn remember(key: &SecretString) {
    let mut keys = KEYS.write().unwrap_or_else(PoisonError::into_inner);
    if !keys.iter().any(|known| known.expose_secret() == key.expose_secret()) {
        keys.push(key.clone());
    }
}

/// The text without keys.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let keys = KEYS.read().unwrap_or_else(PoisonError::into_inner);
    keys.iter().fold(Cow::Borrowed(text), |text, key| match without(key.expose_secret(), &text) {
        Some(redacted) => Cow::Owned(redacted),
        None => text,
    })
}

/// The text without this key; `None` if it does not hold it.
fn without(key: &str, text: &str) -> Option<String> {
    let mut found = encoded(key, text);
    let mut letters: Vec<Letter> = text
        .char_indices()
        .map(|(at, letter)| Letter { letter, source: at..at + letter.len_utf8() })
        .collect();
    let key: Vec<char> = key.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    for _ in 0..=LAYERS {
        found.extend(occurrences(&key, &letters));
        let decoded = decoded(&letters);
        if decoded.len() == letters.len() {
            break;
        }
        letters = decoded;
    }
    (!found.is_empty()).then(|| cut_out(text, found))
}

/// A character of a text, and where in the original it came from.
#[derive(Clone)]
struct Letter {
    letter: char,
    source: Range<usize>,
}

fn occurrences(key: &[char], letters: &[Letter]) -> Vec<Range<usize>> {
    let is_key = |window: &&[Letter]| {
        window.iter().zip(key).all(|(letter, key)| letter.letter.to_ascii_lowercase() == *key)
    };
    let windows = letters.windows(key.len()).filter(is_key);
    windows.filter_map(|window| Some(window.first()?.source.start..window.last()?.source.end)).collect()
}

/// One layer of coding taken off.
fn decoded(letters: &[Letter]) -> Vec<Letter> {
    let mut decoded = Vec::with_capacity(letters.len());
    let mut left = letters;
    while let Some((first, rest)) = left.split_first() {
        let (letter, length) = sequence(left).unwrap_or((first.letter, 1));
        let end = left[length - 1].source.end;
        decoded.push(Letter { letter, source: first.source.start..end });
        left = if length == 1 { rest } else { &left[length..] };
    }
    decoded
}

/// The character that the sequence at the beginning stands for, and the sequence's length.
fn sequence(letters: &[Letter]) -> Option<(char, usize)> {
    letters.first().filter(|first| matches!(first.letter, '%' | '\\' | '&'))?;
    let text: String = letters.iter().take(12).map(|letter| letter.letter).collect();
    let code = |digits: &str, radix| char::from_u32(u32::from_str_radix(digits, radix).ok()?);
    let fixed = |start: usize, digits: usize| {
        let digits = text
            .get(start..start + digits)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        Some((code(digits, 16)?, start + digits.len()))
    };
    match text.as_bytes() {
        [b'%', ..] => fixed(1, 2),
        [b'\\', b'u', ..] => fixed(2, 4),
        [b'\\', b'x', ..] => fixed(2, 2),
        [b'\\', b'/' | b'\\' | b'"' | b'\'', ..] => Some((char::from(text.as_bytes()[1]), 2)),
        [b'&', ..] => {
            let end = text.find(';')?;
            let name = text.get(1..end)?;
            let letter = match name.strip_prefix('#') {
                Some(number) => match number.strip_prefix(['x', 'X']) {
                    Some(digits) => code(digits, 16)?,
                    None => code(number, 10)?,
                },
                None => ENTITIES.iter().find(|(entity, _)| *entity == name)?.1,
            };
            Some((letter, text[..=end].chars().count()))
        }
        _ => None,
    }
}

/// Where the key stands as Base64 or in hexadecimal digits, each with all that belongs to the same word.
fn encoded(key: &str, text: &str) -> Vec<Range<usize>> {
    let hexadecimal: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    let lower = text.to_ascii_lowercase();
    let in_digits = lower.match_indices(&hexadecimal).map(|(at, found)| at..at + found.len());
    let mut found: Vec<Range<usize>> = in_digits.collect();
    for core in base64_cores(key) {
        found.extend(text.match_indices(&core).map(|(at, core)| whole_word(text, at..at + core.len())));
    }
    found
}

/// What Base64 makes of the key wherever it stands in what is encoded: the first and last digits depend on its neighbours.
fn base64_cores(key: &str) -> Vec<String> {
    let mut cores = Vec::new();
    for before in 0..3 {
        let bytes = [&[0; 3][..before], key.as_bytes()].concat();
        let whole = bytes.len() / 3 * 4;
        let begin = if before == 0 { 0 } else { 4 };
        for digits in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            cores.extend(digits.get(begin..whole).filter(|core| core.len() >= 4).map(str::to_owned));
        }
    }
    cores.dedup();
    cores
}

fn whole_word(text: &str, found: Range<usize>) -> Range<usize> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let bytes = text.as_bytes();
    let before = bytes[..found.start].iter().rev().take_while(|byte| is_digit(byte)).count();
    let behind = bytes[found.end..].iter().take_while(|byte| is_digit(byte)).count();
    found.start - before..found.end + behind
}

fn cut_out(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_by_key(|range| range.start);
    let (mut redacted, mut end) = (String::new(), 0);
    for range in found {
        if range.start >= end {
            redacted.push_str(&text[end..range.start]);
            redacted.push_str(REDACTED);
        }
        end = end.max(range.end);
    }
    redacted.push_str(&text[end..]);
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "aB+c/d=\"e\\f&g0123";

    fn spellings() -> Vec<String> {
        let percent =
            percent_encoding::utf8_percent_encode(KEY, percent_encoding::NON_ALPHANUMERIC).to_string();
        let in_json = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
        let json = in_json(KEY);
        let escaped: String = KEY.chars().map(|letter| format!("\\u{:04X}", letter as u32)).collect();
        let bytes = |form: fn(u8) -> String| KEY.bytes().map(form).collect::<String>();
        vec![
            KEY.to_owned(),
            KEY.to_uppercase(),
            percent.clone(),
            percent.to_lowercase(),
            percent_encoding::utf8_percent_encode(&percent, percent_encoding::NON_ALPHANUMERIC).to_string(),
            json.clone(),
            json.replace('/', "\\/"),
            escaped.clone(),
            escaped.to_lowercase(),
            in_json(&escaped),
            in_json(&json),
            KEY.replace('+', "\\u002B").replace('/', "\\/"),
            bytes(|byte| format!("\\x{byte:02x}")),
            bytes(|byte| format!("&#{byte};")),
            bytes(|byte| format!("&#x{byte:02X};")),
            quick_xml::escape::escape(KEY).into_owned(),
            KEY.replace('&', "&amp;").replace('+', "&plus;").replace('/', "&sol;").replace('=', "&equals;"),
            bytes(|byte| format!("{byte:02x}")),
            bytes(|byte| format!("{byte:02X}")),
            STANDARD_NO_PAD.encode(KEY),
            base64::engine::general_purpose::STANDARD.encode(format!("Bearer {KEY}")),
            URL_SAFE_NO_PAD.encode(format!("x{KEY}yz")),
        ]
    }

    #[test]
    fn a_key_is_found_in_every_spelling_and_nothing_around_it_is_lost() {
        for spelling in spellings() {
            let text = format!("før <{spelling}> efter");
            assert_eq!(without(KEY, &text).as_deref(), Some("før <[redacted]> efter"), "{spelling}");
            assert_eq!(without(KEY, &format!("{text}{text}")).unwrap().matches(REDACTED).count(), 2);
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in
            ["", "æøå", "100 %", "%zz", "\\", "\\u12", "&", "&amp", "&#;", "aB+c/d", "[redacted]", "%E6%F8"]
        {
            assert_eq!(without(KEY, text), None, "{text}");
            assert!(matches!(redact(text), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn a_key_that_a_text_holds_twice_over_itself_is_cut_out_once() {
        assert_eq!(without("abababab", "xababababababy").as_deref(), Some("x[redacted]y"));
    }
}
