//! Takes keys out of text that people will see: causes of failures, excerpts, log lines. Metadata and figures are never searched.
//!
//! An upstream may repeat the key that it was sent, and not as it was sent: escaped as in JSON or HTML, percent-encoded, as Base64, in
//! hexadecimal digits or as a list of bytes, in other case, or several of these around each other. All of them are found.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{LazyLock, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use regex::Regex;
use secrecy::{ExposeSecret, SecretString};

/// What keys of users begin with, so that they are found where they do not belong.
pub const USER_KEY_BEGINS: &str = "jb_";
/// A user's key: 43 letters of Base64 follow. Its punctuation may be percent-encoded, as often as options are put into one another.
const USER_KEY: &str = r"jb(_|%(25)*5[Ff])([A-Za-z0-9_-]|%(25)*(2[Dd]|5[Ff])){43}";
/// A signed token: a JSON object, and two more words of Base64 with dots between. Its punctuation may be percent-encoded, as often as
/// options are put into one another.
const TOKEN: &str =
    r"eyJ([A-Za-z0-9_-]|%(25)*(2[Dd]|5[Ff]))*((\.|%(25)*2[Ee])([A-Za-z0-9_-]|%(25)*(2[Dd]|5[Ff]))*){2}";
/// What stands in the place of a key.
pub(super) const REDACTED: &str = "[redacted]";
/// Codings around each other that are looked through.
const LAYERS: usize = 4;
/// The most characters that stand for one.
const LONGEST_SEQUENCE: usize = 24;
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
static KEYS: RwLock<Vec<KnownKey>> = RwLock::new(Vec::new());

/// A key with its spellings. They are as secret as the key itself, so there is no `Debug`.
struct KnownKey {
    key: SecretString,
    lowercase: Vec<char>,
    encoded: Encoded,
}

impl KnownKey {
    fn of(key: &SecretString) -> Self {
        let text = key.expose_secret();
        let lowercase = text.chars().map(|letter| letter.to_ascii_lowercase()).collect();
        Self { key: key.clone(), lowercase, encoded: Encoded::of(text) }
    }
}

/// Remembers a key, so that it is taken out of text from now on.
pub(super) fn remember(key: &SecretString) {
    let mut keys = KEYS.write().unwrap_or_else(PoisonError::into_inner);
    if !keys.iter().any(|known| known.key.expose_secret() == key.expose_secret()) {
        keys.push(KnownKey::of(key));
    }
}

/// The text without keys: the upstream's, and whatever looks like a user's key or a token.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let text = without_user_secrets(text);
    let keys = KEYS.read().unwrap_or_else(PoisonError::into_inner);
    keys.iter().fold(text, |text, key| match without(key, &text) {
        Some(redacted) => Cow::Owned(redacted),
        None => text,
    })
}

/// The text without whatever looks like a user's key or a token.
#[must_use]
pub fn without_user_secrets(text: &str) -> Cow<'_, str> {
    static FORM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("{USER_KEY}|{TOKEN}")).ok());
    FORM.as_ref().map_or(Cow::Borrowed(text), |form| form.replace_all(text, REDACTED))
}

/// The text without this key; `None` if it does not hold it.
fn without(KnownKey { lowercase, encoded, .. }: &KnownKey, text: &str) -> Option<String> {
    let mut found = Vec::new();
    let mut letters: Vec<Letter> = text
        .char_indices()
        .map(|(at, letter)| Letter { letter: narrow(letter), source: at..at + letter.len_utf8() })
        .filter(|of| is_visible(of.letter))
        .collect();
    for _ in 0..=LAYERS {
        found.extend(occurrences(lowercase, &letters));
        found.extend(encoded.occurrences(&letters));
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

/// Whether a person sees the character. A key that is broken into lines, has zero bytes as in UTF-16 or marks without width is one.
fn is_visible(letter: char) -> bool {
    !letter.is_control() && !matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// The ASCII character for one of full width.
fn narrow(letter: char) -> char {
    let ascii = u32::from(letter).checked_sub(0xfee0).filter(|code| (0x21..0x7f).contains(code));
    ascii.and_then(char::from_u32).unwrap_or(letter)
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
        if is_visible(letter) {
            decoded.push(Letter { letter, source: first.source.start..end });
        }
        left = if length == 1 { rest } else { &left[length..] };
    }
    decoded
}

/// The character that the sequence at the beginning stands for, and the sequence's length.
fn sequence(letters: &[Letter]) -> Option<(char, usize)> {
    letters.first().filter(|first| matches!(first.letter, '%' | '\\' | '&'))?;
    let text: String = letters.iter().take(LONGEST_SEQUENCE).map(|letter| letter.letter).collect();
    let code = |digits: &str, radix| char::from_u32(u32::from_str_radix(digits, radix).ok()?);
    let fixed = |start: usize, digits: usize| {
        let digits = text
            .get(start..start + digits)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        Some((code(digits, 16)?, start + digits.len()))
    };
    match text.as_bytes() {
        [b'%', ..] => fixed(1, 2),
        [b'\\', b'n' | b'r' | b't', ..] => Some(('\n', 2)),
        [b'\\', b'u' | b'x', b'{', ..] => {
            let end = text.find('}')?;
            Some((code(text.get(3..end)?, 16)?, end + 1))
        }
        [b'\\', b'u', ..] => fixed(2, 4),
        [b'\\', b'U', ..] => fixed(2, 8),
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

/// What becomes of a key's bytes when they are written in digits.
struct Encoded {
    bytes: Vec<u8>,
    hexadecimal: Vec<Vec<char>>,
    base64: Vec<Vec<char>>,
}

impl Encoded {
    fn of(key: &str) -> Self {
        let little_endian = key.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big_endian = key.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let spellings: [Vec<u8>; 3] = [key.as_bytes().to_vec(), little_endian, big_endian];
        let digits = |bytes: &Vec<u8>| bytes.iter().flat_map(|byte| hexadecimal_digits(*byte)).collect();
        let cores = |bytes: &Vec<u8>| base64_cores(bytes).into_iter().map(|core| core.chars().collect());
        Self {
            bytes: key.to_ascii_lowercase().into_bytes(),
            hexadecimal: spellings.iter().map(digits).collect(),
            base64: spellings.iter().flat_map(cores).collect(),
        }
    }

    /// Where the key stands in digits, each with all that belongs to the same word of Base64.
    fn occurrences(&self, letters: &[Letter]) -> Vec<Range<usize>> {
        let mut found: Vec<_> = self.hexadecimal.iter().flat_map(|key| occurrences(key, letters)).collect();
        for core in &self.base64 {
            let is_core = |window: &[Letter]| window.iter().zip(core).all(|(of, digit)| of.letter == *digit);
            let starts =
                (0..letters.len()).filter(|at| letters.get(*at..at + core.len()).is_some_and(is_core));
            found.extend(starts.map(|at| whole_word(letters, at..at + core.len())));
        }
        for byte in [hexadecimal_byte, decimal_byte, octal_byte] {
            found.extend(self.listed(letters, byte));
        }
        found
    }

    /// Where the bytes stand one by one, each a word of its own, as in `[97, 98]` and `0x61:0x62`.
    fn listed(&self, letters: &[Letter], byte: fn(&str) -> Option<u8>) -> Vec<Range<usize>> {
        let words = letters.split(|of| !of.letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let read = |word: &[Letter]| {
            // No byte takes more digits than `0x61` does.
            let text: String = word.iter().take(5).map(|of| of.letter).collect();
            Some((byte(&text)?.to_ascii_lowercase(), word.first()?.source.start..word.last()?.source.end))
        };
        let bytes: Vec<Option<(u8, Range<usize>)>> = words.map(read).collect();
        let is_key = |window: &&[Option<(u8, Range<usize>)>]| {
            window
                .iter()
                .zip(&self.bytes)
                .all(|(read, byte)| read.as_ref().is_some_and(|read| read.0 == *byte))
        };
        let range = |window: &[Option<(u8, Range<usize>)>]| {
            Some(window.first()?.as_ref()?.1.start..window.last()?.as_ref()?.1.end)
        };
        bytes.windows(self.bytes.len()).filter(is_key).filter_map(range).collect()
    }
}

fn hexadecimal_digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'))
}

fn hexadecimal_byte(word: &str) -> Option<u8> {
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
    u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 2)
}

fn decimal_byte(word: &str) -> Option<u8> {
    word.parse().ok()
}

fn octal_byte(word: &str) -> Option<u8> {
    u8::from_str_radix(word, 8).ok()
}

/// What Base64 makes of the key wherever it stands in what is encoded: the first and last digits depend on its neighbours.
fn base64_cores(key: &[u8]) -> Vec<String> {
    let mut cores = Vec::new();
    for before in 0..3 {
        let bytes = [&[0; 3][..before], key].concat();
        let whole = bytes.len() / 3 * 4;
        let begin = if before == 0 { 0 } else { 4 };
        for digits in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            cores.extend(digits.get(begin..whole).filter(|core| core.len() >= 4).map(str::to_owned));
        }
    }
    cores.dedup();
    cores
}

/// The place of everything that belongs to the same word of Base64.
fn whole_word(letters: &[Letter], found: Range<usize>) -> Range<usize> {
    let is_digit = |of: &&Letter| of.letter.is_ascii_alphanumeric() || "+/-_=".contains(of.letter);
    let before = letters[..found.start].iter().rev().take_while(is_digit).count();
    let behind = letters[found.end..].iter().take_while(is_digit).count();
    let word = &letters[found.start - before..found.end + behind];
    word.first().map_or(0, |of| of.source.start)..word.last().map_or(0, |of| of.source.end)
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

    fn without(key: &str, text: &str) -> Option<String> {
        super::without(&KnownKey::of(&SecretString::from(key)), text)
    }

    fn spellings() -> Vec<String> {
        let percent =
            percent_encoding::utf8_percent_encode(KEY, percent_encoding::NON_ALPHANUMERIC).to_string();
        let in_json = |text: &str| serde_json::to_string(text).unwrap().trim_matches('"').to_owned();
        let json = in_json(KEY);
        let escaped: String = KEY.chars().map(|letter| format!("\\u{:04X}", letter as u32)).collect();
        let listed =
            |form: fn(u8) -> String, between: &str| KEY.bytes().map(form).collect::<Vec<_>>().join(between);
        let bytes = |form: fn(u8) -> String| listed(form, "");
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
            STANDARD_NO_PAD.encode(KEY).replace('/', "\\/").replace('+', "%2B"),
            STANDARD_NO_PAD
                .encode(KEY)
                .as_bytes()
                .chunks(7)
                .map(String::from_utf8_lossy)
                .collect::<Vec<_>>()
                .join("\r\n"),
            bytes(|byte| format!("\\u{{{byte:x}}}")),
            bytes(|byte| format!("\\U{byte:08x}")),
            bytes(|byte| format!("&#x000000{byte:02x};")),
            format!("{}\r\n{}", &KEY[..5], &KEY[5..]),
            format!("{}\\n{}", &KEY[..5], &KEY[5..]),
            KEY.chars()
                .flat_map(|letter| [letter, '\0'])
                .collect::<String>()
                .trim_end_matches('\0')
                .to_owned(),
            listed(|byte| char::from(byte).to_string(), "\u{200b}"),
            KEY.chars().filter_map(|letter| char::from_u32(u32::from(letter) + 0xfee0)).collect(),
            STANDARD_NO_PAD.encode(KEY.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()),
            listed(|byte| format!("{byte:02x}"), " "),
            listed(|byte| format!("0x{byte:02X}"), ", "),
            listed(|byte| format!("{byte:02X}"), ":"),
            listed(|byte| byte.to_string(), ", "),
            listed(|byte| format!("{byte:03o}"), " "),
        ]
    }

    #[test]
    fn what_looks_like_a_token_is_taken_out() {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.a-_Z9";
        for token in [token, "eyJhbGciOiJub25lIn0.e30.", &encode(token), &encode(&encode(token))] {
            assert_eq!(redact(&format!("/x?t={token}&y=jb_kort")), "/x?t=[redacted]&y=jb_kort");
        }
        for text in ["eyJ", "eyJhbGci.eyJ", "heyJ. Hej.", "eyJæ.x.y"] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn what_looks_like_a_key_of_a_user_is_taken_out_without_being_known() {
        let key = format!("{USER_KEY_BEGINS}{}", &"a-_Z9".repeat(9)[..43]);
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let (once, twice) = (encode(&key), encode(&encode(&key)));
        for key in [&key, &once, &once.to_lowercase().replace("jb%5fa", "jb%5fA"), &twice] {
            assert_eq!(redact(&format!("/x?api_key={key}&y={key}")), "/x?api_key=[redacted]&y=[redacted]");
        }
        for text in ["jb_", "jb_kort", "jb_æææææææææææææææææææææææææææææææææææææææææææ", "æjb_", "jb%5"]
        {
            assert_eq!(redact(text), text);
        }
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
