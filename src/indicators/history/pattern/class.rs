//! Sets of characters: brackets, classes of Perl, POSIX and Unicode, and escaped characters.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, HirKind};

use super::PatternError;
use super::scanner::Parser;
use super::scripts;

/// Ranges of characters.
type Ranges = &'static [(char, char)];

const DIGIT: Ranges = &[('0', '9')];
const SPACE: Ranges = &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')];
const WORD: Ranges = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

/// The classes of POSIX by name.
const POSIX: [(&str, Ranges); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\u{7f}')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

fn class(ranges: Ranges) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(from, to)| ClassUnicodeRange::new(*from, *to)))
}

fn negated(mut class: ClassUnicode, negate: bool) -> ClassUnicode {
    if negate {
        class.negate();
    }
    class
}

/// A set in brackets, with the opening one still to be read.
pub fn bracketed(parser: &mut Parser<'_>) -> Result<ClassUnicode, PatternError> {
    let start = parser.rest;
    parser.next();
    let negate = parser.rest.starts_with('^');
    if negate {
        parser.next();
    }
    let mut set = ClassUnicode::empty();
    let mut first = true;
    // A closing bracket that comes first is a plain character.
    while first || !parser.rest.starts_with(']') {
        first = false;
        if parser.rest.is_empty() {
            return Err(PatternError::MissingBracket(start.to_owned()));
        }
        match member_class(parser)? {
            Some(class) => set.union(&class),
            None => set.union(&range(parser, start)?),
        }
    }
    parser.next();
    Ok(negated(set, negate))
}

/// A class inside brackets, where one begins here.
fn member_class(parser: &mut Parser<'_>) -> Result<Option<ClassUnicode>, PatternError> {
    if parser.rest.starts_with("[:")
        && let Some(end) = parser.rest[2..].find(":]")
    {
        let whole = &parser.rest[..end + 4];
        let name = &whole[2..end + 2];
        let (name, negate) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let known = POSIX.iter().find(|(known, _)| *known == name);
        let (_, ranges) = known.ok_or_else(|| PatternError::ClassRange(whole.to_owned()))?;
        parser.rest = &parser.rest[end + 4..];
        return Ok(Some(negated(parser.folded(class(ranges)), negate)));
    }
    escaped_class(parser)
}

/// A character, or two with a dash between them.
fn range<'p>(parser: &mut Parser<'p>, bracket: &'p str) -> Result<ClassUnicode, PatternError> {
    let start = parser.rest;
    let low = member(parser, bracket)?;
    let mut high = low;
    if parser.rest.starts_with('-') && parser.rest.len() > 1 && !parser.rest.starts_with("-]") {
        parser.next();
        high = member(parser, bracket)?;
        if high < low {
            return Err(PatternError::ClassRange(parser.since(start)));
        }
    }
    // Surrogates are in no text, so a range ends before them and goes on behind them.
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    let ranges = (low <= high).then(|| ClassUnicodeRange::new(low, high));
    Ok(parser.folded(ClassUnicode::new(ranges)))
}

fn member(parser: &mut Parser<'_>, bracket: &str) -> Result<u32, PatternError> {
    if parser.rest.starts_with('\\') {
        return escape(parser);
    }
    parser.next().map(u32::from).ok_or_else(|| PatternError::MissingBracket(bracket.to_owned()))
}

/// `\d`, `\w`, `\s`, `\pN` and their like, where one begins here.
pub fn escaped_class(parser: &mut Parser<'_>) -> Result<Option<ClassUnicode>, PatternError> {
    let mut letters = parser.rest.chars();
    if letters.next() != Some('\\') {
        return Ok(None);
    }
    let Some(kind) = letters.next() else { return Ok(None) };
    let ranges = match kind.to_ascii_lowercase() {
        'd' => DIGIT,
        's' => SPACE,
        'w' => WORD,
        'p' => return unicode(parser).map(Some),
        _ => return Ok(None),
    };
    parser.rest = letters.as_str();
    Ok(Some(negated(parser.folded(class(ranges)), kind.is_ascii_uppercase())))
}

/// `\pN`, `\p{Greek}`, `\P{^Greek}`.
fn unicode(parser: &mut Parser<'_>) -> Result<ClassUnicode, PatternError> {
    let start = parser.rest;
    let wrong = |text: &str| PatternError::ClassRange(text.to_owned());
    parser.next();
    let mut negate = parser.next() == Some('P');
    let name = if parser.rest.starts_with('{') {
        let (name, rest) = parser.rest[1..].split_once('}').ok_or_else(|| wrong(start))?;
        parser.rest = rest;
        name.strip_prefix('^').map_or(name, |name| {
            negate = !negate;
            name
        })
    } else {
        let before = parser.rest;
        let letter = parser.next().ok_or_else(|| wrong(start))?;
        &before[..letter.len_utf8()]
    };
    let found = named(name).ok_or_else(|| PatternError::ClassRange(parser.since(start)))?;
    Ok(negated(parser.folded(found), negate))
}

/// A category or script of Unicode by the name that Go has for it.
fn named(name: &str) -> Option<ClassUnicode> {
    match name {
        "Any" => return Some(class(&[('\0', char::MAX)])),
        // Surrogates are in no text.
        "Cs" => return Some(ClassUnicode::empty()),
        _ => {}
    }
    let text = match () {
        () if scripts::CATEGORIES.contains(&name) => format!(r"\p{{gc={name}}}"),
        () if scripts::SCRIPTS.contains(&name) => format!(r"\p{{sc={name}}}"),
        () => return None,
    };
    match regex_syntax::parse(&text).ok()?.into_kind() {
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => Some(class),
        // A class of a single character is a literal.
        HirKind::Literal(literal) => {
            let letter = std::str::from_utf8(&literal.0).ok()?.chars().next()?;
            Some(ClassUnicode::new([ClassUnicodeRange::new(letter, letter)]))
        }
        _ => None,
    }
}

/// An escaped character; none where it is a surrogate, which is in no text.
pub fn escaped_letter(parser: &mut Parser<'_>) -> Result<Option<char>, PatternError> {
    escape(parser).map(char::from_u32)
}

/// The number of an escaped character.
fn escape(parser: &mut Parser<'_>) -> Result<u32, PatternError> {
    let start = parser.rest;
    parser.next();
    let letter = parser.next().ok_or(PatternError::TrailingBackslash)?;
    let number = match letter {
        // A single digit that is not zero would be a reference back.
        '1'..='7' if !parser.rest.starts_with(|next: char| next.is_digit(8)) => None,
        '0'..='7' => Some(octal(parser, letter)),
        'x' => hexadecimal(parser),
        'a' => Some(0x7),
        'f' => Some(0xc),
        'n' => Some(0xa),
        'r' => Some(0xd),
        't' => Some(0x9),
        'v' => Some(0xb),
        _ => (letter.is_ascii() && !letter.is_ascii_alphanumeric()).then(|| u32::from(letter)),
    };
    number.ok_or_else(|| PatternError::Escape(parser.since(start)))
}

fn octal(parser: &mut Parser<'_>, first: char) -> u32 {
    let mut number = first.to_digit(8).unwrap_or_default();
    for _ in 0..2 {
        let Some(digit) = parser.rest.chars().next().and_then(|next| next.to_digit(8)) else {
            break;
        };
        parser.next();
        number = number * 8 + digit;
    }
    number
}

/// Two digits, or any number of them in braces.
fn hexadecimal(parser: &mut Parser<'_>) -> Option<u32> {
    let digits = match parser.rest.strip_prefix('{') {
        Some(inner) => {
            let (digits, rest) = inner.split_once('}')?;
            parser.rest = rest;
            digits
        }
        None => {
            let (digits, rest) = parser.rest.split_at_checked(2)?;
            parser.rest = rest;
            digits
        }
    };
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = all_digits.then(|| u32::from_str_radix(digits, 16).ok()).flatten()?;
    (number <= u32::from(char::MAX)).then_some(number)
}
