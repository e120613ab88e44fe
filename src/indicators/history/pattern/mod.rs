//! Regular expressions as Go's `regexp` reads them, because that is what Prometheus' users write.
//!
//! Rust's `regex` takes some of the same texts in another sense: `\w` is Unicode there, `{` must be escaped, `&&` means something
//! inside brackets. So the text is parsed here by Go's rules into the tree that `regex-automata` compiles. What Go refuses is
//! refused, with Go's own words. Reference: the documentation of Go's `regexp/syntax`.

mod class;
mod parser;
mod scanner;
mod scripts;

use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::util::syntax;
use regex_syntax::hir::{Hir, Look};
use thiserror::Error;

/// The most bytes of a regular expression's text.
const PATTERN_LIMIT: usize = 16 * 1024;
/// The most bytes of a compiled regular expression.
const COMPILED_LIMIT: usize = 1024 * 1024;

/// Why a text is no regular expression, or is not compiled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    #[error("it is {0} bytes long, above the limit of {PATTERN_LIMIT}")]
    TooLong(usize),
    #[error("it is nested deeper than {limit} levels", limit = parser::NESTING_LIMIT)]
    TooDeep,
    #[error("compiled it is larger than {COMPILED_LIMIT} bytes")]
    TooLarge,
    #[error("missing closing )")]
    MissingParenthesis,
    #[error("unexpected )")]
    UnexpectedParenthesis,
    #[error("missing closing ]: `{0}`")]
    MissingBracket(String),
    #[error("missing argument to repetition operator: `{0}`")]
    MissingRepeatArgument(String),
    #[error("invalid nested repetition operator: `{0}`")]
    RepeatOfRepeat(String),
    #[error("invalid repeat count: `{0}`; at most 1000 is allowed")]
    RepeatCount(String),
    #[error("invalid escape sequence: `{0}`")]
    Escape(String),
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("invalid character class range: `{0}`")]
    ClassRange(String),
    #[error("invalid or unsupported Perl syntax: `{0}`")]
    PerlSyntax(String),
    #[error("invalid named capture: `{0}`")]
    GroupName(String),
    #[error("duplicate capture group name: `{0}`")]
    DoubledGroupName(String),
}

/// Compiles a pattern that must match a whole value, as Prometheus anchors it.
pub fn whole_value(pattern: &str) -> Result<Regex, PatternError> {
    if pattern.len() > PATTERN_LIMIT {
        return Err(PatternError::TooLong(pattern.len()));
    }
    let parsed = parser::parse(pattern)?;
    let anchored = Hir::concat(vec![Hir::look(Look::Start), parsed, Hir::look(Look::End)]);
    let config = Config::new()
        .nfa_size_limit(Some(COMPILED_LIMIT))
        .onepass_size_limit(Some(COMPILED_LIMIT))
        .hybrid_cache_capacity(COMPILED_LIMIT);
    Regex::builder()
        .configure(config)
        .syntax(syntax::Config::new())
        .build_from_hir(&anchored)
        .map_err(|_: BuildError| PatternError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Patterns with values that they match and values that they do not, by Go 1.24.
    const MEANINGS: &[(&str, &[&str], &[&str])] = &[
        (r"\w+", &["Aarhus", "a_9"], &["Læsø", "Faaborg-Midtfyn", ""]),
        (r"\W+", &["æø", "- "], &["a"]),
        (r"\d+", &["751"], &["٣", "7a"]),
        (r"\s", &[" ", "\t"], &["\u{a0}", "\u{b}"]),
        (r"L\S+", &["Læsø"], &["L s"]),
        (r"L\b.*", &["Læsø", "L x"], &["La"]),
        (r"L\B.*", &["La"], &["Læsø"]),
        ("{foo}", &["{foo}"], &["foo"]),
        ("a{,3}", &["a{,3}"], &["aa"]),
        ("a{2,3}", &["aa", "aaa"], &["a", "aaaa"]),
        ("a{1", &["a{1"], &["a"]),
        ("a{02}", &["a{02}"], &["aa"]),
        ("x*{", &["{", "xx{"], &["x"]),
        ("]}", &["]}"], &[]),
        ("[[]x|Aarhus", &["[x", "Aarhus"], &["x"]),
        ("[]a]+", &["]a"], &["b"]),
        ("[^]a]", &["b"], &["]", "a"]),
        ("[a&&b]+", &["a&b"], &["c"]),
        ("[!--]+", &["#-"], &["a"]),
        ("[a~~z]", &["~"], &["b"]),
        ("[a-]+", &["a-"], &["b"]),
        ("[-a]+", &["a-"], &["b"]),
        (r"[\d-z]+", &["1-z"], &["a"]),
        ("[[:alpha:]_]+", &["ab_"], &["æ"]),
        ("[[:^digit:]]+", &["æ"], &["1"]),
        ("[[:word:]]+", &["a_1"], &["-"]),
        (r"[\w.]+", &["a.b"], &["æ"]),
        (r"[^\w]+", &["æ"], &["a"]),
        (r"\QA.B\E+", &["A.B", "A.BB"], &["AxB", "A.BA.B"]),
        (r"\Qa[", &["a["], &["a"]),
        (r"\QAarhus\E", &["Aarhus"], &[]),
        (r"\101\x41\x{41}", &["AAA"], &[]),
        (r"\08", &["\u{0}8"], &[]),
        (r"\a\f\t\n\r\v", &["\u{7}\u{c}\t\n\r\u{b}"], &[]),
        (r"\_\-\.\ \/", &["_-. /"], &[]),
        (r"\AAarhus\z", &["Aarhus"], &[]),
        ("^Aarhus$", &["Aarhus"], &["Aarhus\n"]),
        ("(?m)a$\n^b", &["a\nb"], &["ab"]),
        ("a.b", &["a\nb", "axb"], &[]),
        ("(?-s)a.b", &["axb"], &["a\nb"]),
        ("[^x]", &["\n"], &["x"]),
        (r"\pL+", &["Læsø"], &["1"]),
        (r"\pN", &["1", "٣"], &["a"]),
        (r"\p{Lu}\p{Ll}+", &["Læsø"], &["læsø"]),
        (r"\P{Latin}+", &["αβ"], &["ab"]),
        (r"\p{^Greek}", &["a"], &["α"]),
        (r"\P{^Greek}", &["α"], &["a"]),
        (r"[\p{Greek}a]+", &["aα"], &["b"]),
        (r"[^\PN]", &["1"], &["a"]),
        (r"\p{Any}", &["a", "\n"], &[]),
        ("(?i)LÆSØ", &["læsø", "Læsø"], &["Læs"]),
        ("(?i)[k-l]", &["K", "\u{212a}"], &["m"]),
        ("(?i:a)b", &["Ab"], &["AB"]),
        ("(?i)a(?-i)b", &["Ab"], &["AB"]),
        ("(a(?i)b)c", &["aBc"], &["ABc", "aBC"]),
        ("a(?i)*", &["aaa", ""], &["A"]),
        ("(?U)a+", &["aa"], &[]),
        ("()|a||", &["", "a"], &["b"]),
        ("(?P<x>a)(?<y>b)", &["ab"], &[]),
        ("(?:a|b)+?", &["ab"], &[""]),
        ("a??b*?c+?d{2}?", &["acdd"], &["cd"]),
        ("^*", &[""], &["a"]),
        ("(a*)*", &["", "aa"], &["b"]),
        (r"[^\x00-\x{10FFFF}]|a", &["a"], &["b", ""]),
        (r"\x{D800}|a", &["a"], &["b"]),
        (".*", &["", "Læsø"], &[]),
    ];

    #[test]
    fn patterns_mean_what_they_mean_to_go() {
        for (pattern, matching, others) in MEANINGS {
            let regex = whole_value(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            matching.iter().for_each(|value| assert!(regex.is_match(value), "{pattern} on {value:?}"));
            others.iter().for_each(|value| assert!(!regex.is_match(value), "not {pattern} on {value:?}"));
        }
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        for (pattern, words) in [
            ("(", "missing closing )"),
            ("a)", "unexpected )"),
            ("a)|(b", "unexpected )"),
            ("[a", "missing closing ]: `[a`"),
            ("[]", "missing closing ]: `[]`"),
            ("[^]", "missing closing ]"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a|*", "missing argument to repetition operator: `*`"),
            ("(+)", "missing argument to repetition operator: `+`"),
            ("(?i)*", "missing argument"),
            ("{2}", "missing argument to repetition operator: `{2}`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a+?+", "invalid nested repetition operator: `+?+`"),
            ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{3,2}", "invalid repeat count: `{3,2}`"),
            ("a{99999999999}", "invalid repeat count"),
            ("((a{100}){100}){100}", "invalid repeat count"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            (r"\q", r"invalid escape sequence: `\q`"),
            (r"\C", r"invalid escape sequence: `\C`"),
            (r"\Z", r"invalid escape sequence: `\Z`"),
            (r"\E", r"invalid escape sequence: `\E`"),
            (r"\æ", r"invalid escape sequence: `\æ`"),
            (r"\x4", r"invalid escape sequence"),
            (r"\x{}", r"invalid escape sequence"),
            (r"\x{110000}", r"invalid escape sequence"),
            (r"[\b]", r"invalid escape sequence: `\b`"),
            (r"[a-\d]", r"invalid escape sequence: `\d`"),
            (r"\", "trailing backslash"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[a--z]", "invalid character class range: `a--`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            (r"\pX", r"invalid character class range: `\pX`"),
            (r"\p{Latn}", r"invalid character class range: `\p{Latn}`"),
            (r"\p{greek}", "invalid character class range"),
            (r"\p{Greek", "invalid character class range"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
            ("(?<=a)", "invalid named capture"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
            ("(?#a)", "invalid or unsupported Perl syntax: `(?#`"),
            ("(?i", "missing closing )"),
            ("(?P<a-b>x)", "invalid named capture: `(?P<a-b>`"),
            ("(?P=x)", "invalid or unsupported Perl syntax: `(?P`"),
            ("(?P<a>x)(?P<a>y)", "duplicate capture group name: `a`"),
        ] {
            match whole_value(pattern) {
                Ok(_) => panic!("{pattern} is accepted"),
                Err(error) => assert!(error.to_string().contains(words), "{pattern}: {error}, not {words}"),
            }
        }
    }

    #[test]
    fn patterns_that_would_take_too_much_are_refused() {
        assert_eq!(
            whole_value(&"a".repeat(PATTERN_LIMIT + 1)).unwrap_err(),
            PatternError::TooLong(PATTERN_LIMIT + 1)
        );
        assert_eq!(whole_value(&"(".repeat(1000)).unwrap_err(), PatternError::TooDeep);
        assert_eq!(whole_value(r"(\pL{100}){10}").unwrap_err(), PatternError::TooLarge);
        assert_eq!(whole_value(&format!("{}a{}", "(".repeat(90), ")*".repeat(90))).err(), None);
    }
}
