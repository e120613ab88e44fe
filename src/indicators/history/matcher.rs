//! Label matchers with Prometheus' semantics: a missing label counts as empty, and a regular expression must match the whole
//! value.

use regex_automata::meta::Regex;

use crate::indicators::history::HistoryError;
use crate::indicators::history::pattern::{self, PatternError};

/// One condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    label: String,
    condition: Condition,
}

#[derive(Debug, Clone)]
enum Condition {
    Equal(String),
    NotEqual(String),
    Matches(Regex),
    NotMatches(Regex),
}

impl Matcher {
    /// `label="value"`
    #[must_use]
    pub fn equal(label: String, value: String) -> Self {
        Self { label, condition: Condition::Equal(value) }
    }

    /// `label!="value"`
    #[must_use]
    pub fn not_equal(label: String, value: String) -> Self {
        Self { label, condition: Condition::NotEqual(value) }
    }

    /// `label=~"pattern"`
    ///
    /// # Errors
    /// When the pattern is not a regular expression or is too large.
    pub fn matches(label: String, pattern: &str) -> Result<Self, HistoryError> {
        let condition = Condition::Matches(anchored(&label, pattern)?);
        Ok(Self { label, condition })
    }

    /// `label!~"pattern"`
    ///
    /// # Errors
    /// When the pattern is not a regular expression or is too large.
    pub fn not_matches(label: String, pattern: &str) -> Result<Self, HistoryError> {
        let condition = Condition::NotMatches(anchored(&label, pattern)?);
        Ok(Self { label, condition })
    }

    /// Whether a series with these labels matches.
    #[must_use]
    pub fn accepts(&self, labels: &[(&'static str, String)]) -> bool {
        let value = labels.iter().find(|(name, _)| *name == self.label).map_or("", |(_, value)| value);
        match &self.condition {
            Condition::Equal(wanted) => value == wanted,
            Condition::NotEqual(other) => value != other,
            Condition::Matches(pattern) => pattern.is_match(value),
            Condition::NotMatches(pattern) => !pattern.is_match(value),
        }
    }
}

fn anchored(label: &str, pattern: &str) -> Result<Regex, HistoryError> {
    let wrong =
        |error: PatternError| HistoryError::Pattern { label: label.to_owned(), reason: error.to_string() };
    pattern::whole_value(pattern).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<(&'static str, String)> {
        vec![("area", "Læsø".to_owned()), ("area_code", "825".to_owned())]
    }

    fn regex(pattern: &str) -> Matcher {
        Matcher::matches("area".to_owned(), pattern).unwrap()
    }

    #[test]
    fn a_regular_expression_matches_the_whole_value_and_nothing_less() {
        for pattern in ["Læsø", "L.*", "Køge|Læsø", "(?i)læsø", ".*", "L.s.", "[^K]+"] {
            assert!(regex(pattern).accepts(&labels()), "{pattern}");
        }
        for pattern in ["Læs", "æsø", "", "Køge|Læs", "^Læ", "læsø", "L|ø"] {
            assert!(!regex(pattern).accepts(&labels()), "{pattern}");
        }
    }

    #[test]
    fn a_label_that_is_not_there_is_empty() {
        let on = |make: fn(String, String) -> Matcher, value: &str| make("x".to_owned(), value.to_owned());
        assert!(on(Matcher::equal, "").accepts(&labels()));
        assert!(!on(Matcher::not_equal, "").accepts(&labels()));
        assert!(on(Matcher::not_equal, "a").accepts(&labels()));
        assert!(Matcher::matches("x".to_owned(), ".*").unwrap().accepts(&labels()));
        assert!(!Matcher::matches("x".to_owned(), ".+").unwrap().accepts(&labels()));
        assert!(Matcher::not_matches("x".to_owned(), ".+").unwrap().accepts(&labels()));
    }

    #[test]
    fn patterns_that_are_broken_or_would_take_too_much_are_refused_by_name() {
        for pattern in ["(", "a)|(b", "[z-a]", r"(\pL{100}){10}", "(?x)a#", "a{1000}{1000}{1000}"] {
            let error = Matcher::matches("area".to_owned(), pattern).unwrap_err().to_string();
            assert!(error.contains("`area`"), "{error}");
        }
        assert!(Matcher::not_matches("area".to_owned(), "(").is_err());
    }
}
