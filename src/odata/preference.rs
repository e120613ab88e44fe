//! The headers `Prefer` and `Preference-Applied`.
//!
//! Preferences are optional: one that is unknown, malformed or not supported is ignored, never an error.

/// The supported preferences of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preferences {
    /// At most so many entities per page; at least one.
    pub max_page_size: Option<u64>,
    /// Leave out properties that are null.
    pub omit_nulls: bool,
    /// Which annotations are wanted; `None` for all.
    pub include_annotations: Option<AnnotationFilter>,
    /// Continue a batch after a request that failed.
    pub continue_on_error: bool,
    /// Refuse what would otherwise only be warned of (`handling=strict`).
    pub strict: bool,
    prefixed: Prefixed,
}

/// Which preferences the client wrote with the prefix `odata.` of 4.0; the answer uses the same form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Prefixed {
    max_page_size: bool,
    continue_on_error: bool,
    include_annotations: bool,
}

impl Preferences {
    /// Parses the header. The caller joins several headers with commas. The first occurrence of a preference counts.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        let mut preferences = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for element in split_quoted(header, ',') {
            // Parameters of a preference follow a semicolon; none of those read here has any.
            let Some(preference) = split_quoted(element, ';').next() else {
                continue;
            };
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let name = name.trim().to_ascii_lowercase();
            let short = name.strip_prefix("odata.").unwrap_or(&name);
            if !seen.iter().any(|known| known == short) {
                preferences.read(short, short != name, &unquoted(value));
                seen.push(short.to_owned());
            }
        }
        preferences
    }

    fn read(&mut self, name: &str, prefixed: bool, value: &str) {
        match name {
            "maxpagesize" => {
                self.max_page_size = value.parse().ok().filter(|size| *size > 0);
                self.prefixed.max_page_size = prefixed;
            }
            "omit-values" => self.omit_nulls = value.eq_ignore_ascii_case("nulls"),
            "include-annotations" => {
                self.include_annotations = Some(AnnotationFilter::parse(value));
                self.prefixed.include_annotations = prefixed;
            }
            "continue-on-error" => {
                // The name without a value means true.
                self.continue_on_error = value.is_empty() || value.eq_ignore_ascii_case("true");
                self.prefixed.continue_on_error = prefixed;
            }
            "handling" => self.strict = value.eq_ignore_ascii_case("strict"),
            // respond-async, wait, return, track-changes and callbacks are not supported and so not applied.
            _ => {}
        }
    }

    /// Whether annotations with that term are wanted.
    #[must_use]
    pub fn wants_annotation(&self, term: &str) -> bool {
        self.include_annotations.as_ref().is_none_or(|filter| filter.includes(term))
    }

    /// Whether the client asks for annotations with that term in the rows of an answer, where none are wanted by default.
    #[must_use]
    pub fn asks_for_annotation(&self, term: &str) -> bool {
        self.include_annotations.as_ref().is_some_and(|filter| filter.includes(term))
    }

    /// Whether any annotation may be wanted: `include-annotations="-*"` asks for metadata without.
    #[must_use]
    pub fn wants_annotations(&self) -> bool {
        self.include_annotations.as_ref().is_none_or(AnnotationFilter::includes_any)
    }

    /// The value of `Preference-Applied`, if something was applied.
    #[must_use]
    pub fn applied(&self, applied: &Applied) -> Option<String> {
        let prefix = |prefixed| if prefixed { "odata." } else { "" };
        let mut items = Vec::new();
        if let Some(size) = applied.max_page_size {
            let prefix = prefix(self.prefixed.max_page_size);
            items.push(format!("{prefix}maxpagesize={size}"));
        }
        if applied.omit_nulls && self.omit_nulls {
            items.push("omit-values=nulls".to_owned());
        }
        if let Some(filter) = self.include_annotations.as_ref().filter(|_| applied.include_annotations) {
            let prefix = prefix(self.prefixed.include_annotations);
            items.push(format!("{prefix}include-annotations=\"{}\"", filter.text()));
        }
        if applied.continue_on_error && self.continue_on_error {
            items.push(format!("{}continue-on-error=true", prefix(self.prefixed.continue_on_error)));
        }
        if applied.strict && self.strict {
            items.push("handling=strict".to_owned());
        }
        (!items.is_empty()).then(|| items.join(", "))
    }
}

/// The preferences that were applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// The page size that was used because of the preference.
    pub max_page_size: Option<u64>,
    pub omit_nulls: bool,
    pub include_annotations: bool,
    pub continue_on_error: bool,
    pub strict: bool,
}

/// The patterns of `include-annotations`: `*`, `-*`, `display.*`, `-Core.Description`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AnnotationFilter {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    include: bool,
    /// A term, or a prefix of terms when `open`.
    name: String,
    open: bool,
}

impl AnnotationFilter {
    fn parse(text: &str) -> Self {
        let patterns = text.split(',').filter_map(Pattern::parse).collect();
        Self { patterns }
    }

    /// Whether the filter includes a term: the most specific pattern decides, and of two equal ones the excluding one.
    #[must_use]
    pub fn includes(&self, term: &str) -> bool {
        self.patterns
            .iter()
            .filter(|pattern| pattern.matches(term))
            .max_by_key(|pattern| (!pattern.open, pattern.name.len(), !pattern.include))
            .is_some_and(|pattern| pattern.include)
    }

    /// Whether the filter includes anything at all.
    #[must_use]
    pub fn includes_any(&self) -> bool {
        let all_left_out =
            self.patterns.iter().any(|pattern| !pattern.include && pattern.open && pattern.name.is_empty());
        self.patterns.iter().any(|pattern| {
            let is_star = pattern.open && pattern.name.is_empty();
            pattern.include && !(is_star && all_left_out)
        })
    }

    /// The patterns as a client writes them.
    fn text(&self) -> String {
        let pattern = |pattern: &Pattern| {
            let sign = if pattern.include { "" } else { "-" };
            let star = if pattern.open { "*" } else { "" };
            format!("{sign}{}{star}", pattern.name)
        };
        let patterns: Vec<String> = self.patterns.iter().map(pattern).collect();
        patterns.join(",")
    }
}

impl Pattern {
    /// Parses a pattern; `None` if it has characters that no name has, which also keeps them out of the answer's headers.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (include, text) = match text.strip_prefix('-') {
            Some(rest) => (false, rest),
            None => (true, text),
        };
        let (name, open) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        let is_name_char = |next: char| next.is_ascii_alphanumeric() || "._#@".contains(next);
        let sound = name.chars().all(is_name_char) && (open || !name.is_empty());
        let whole = !open || name.is_empty() || name.ends_with('.');
        (sound && whole).then(|| Self { include, name: name.to_owned(), open })
    }

    fn matches(&self, term: &str) -> bool {
        match self.open {
            true => term.starts_with(&self.name),
            false => term == self.name,
        }
    }
}

/// The parts between separators that stand outside quoted strings.
fn split_quoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |next| {
        quoted ^= next == '"';
        next == separator && !quoted
    })
}

fn unquoted(value: &str) -> String {
    value.trim().trim_matches('"').trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_with_and_without_their_prefix() {
        for header in [
            "maxpagesize=50, omit-values=nulls",
            "odata.maxpagesize=50,odata.omit-values=nulls",
            "OData.MaxPageSize = \"50\" ; x=y , Omit-Values=\"Nulls\"",
            "respond-async, wait=10, maxpagesize=50, return=minimal, omit-values=nulls",
            "maxpagesize=50, maxpagesize=9, omit-values=nulls, odata.omit-values=defaults",
            "handling=\"a,b;c\", maxpagesize=50, omit-values=nulls",
        ] {
            let found = Preferences::parse(header);
            assert_eq!(found.max_page_size, Some(50), "{header}");
            assert!(found.omit_nulls, "{header}");
        }
    }

    #[test]
    fn what_is_malformed_is_passed_over() {
        for header in [
            "",
            ",,;;==",
            "maxpagesize",
            "maxpagesize=",
            "maxpagesize=0",
            "maxpagesize=-1",
            "maxpagesize=1e3",
            "maxpagesize=99999999999999999999999",
            "omit-values=defaults",
            "odata.odata.maxpagesize=5",
            "\"maxpagesize=5",
            "Ø=1, track-changes",
        ] {
            let found = Preferences::parse(header);
            assert_eq!(found.max_page_size, None, "{header}");
            assert!(!found.omit_nulls, "{header}");
            assert_eq!(found.include_annotations, None, "{header}");
        }
    }

    #[test]
    fn annotations_are_filtered_by_the_most_specific_pattern() {
        for (patterns, term, wanted) in [
            ("*", "Core.Description", true),
            ("-*", "Core.Description", false),
            ("Core.*", "Core.Description", true),
            ("Core.*", "Measures.Unit", false),
            ("*,-Core.*", "Core.Description", false),
            ("*,-Core.*,Core.Description", "Core.Description", true),
            ("Core.Description,-Core.Description", "Core.Description", false),
            ("", "Core.Description", false),
        ] {
            let header = format!("odata.include-annotations=\"{patterns}\"");
            let found = Preferences::parse(&header).wants_annotation(term);
            assert_eq!(found, wanted, "{patterns} {term}");
        }
        assert!(Preferences::default().wants_annotation("Core.Description"));
        assert!(!Preferences::parse("include-annotations=\"-*\"").wants_annotations());
        assert!(Preferences::parse("include-annotations=\"-*,Core.*\"").wants_annotations());
        assert!(Preferences::parse("include-annotations=\"*\"").wants_annotations());
        assert!(Preferences::default().wants_annotations());
    }

    #[test]
    fn what_was_applied_is_said_in_the_words_of_the_client() {
        let applied = Applied {
            max_page_size: Some(20),
            omit_nulls: true,
            include_annotations: true,
            strict: true,
            ..Applied::default()
        };
        let header = "odata.maxpagesize=50,omit-values=nulls,include-annotations=\"-*, Core.*,a\r\nb\"";
        assert_eq!(
            Preferences::parse(header).applied(&applied).as_deref(),
            Some("odata.maxpagesize=20, omit-values=nulls, include-annotations=\"-*,Core.*\"")
        );
        let applied = Applied { strict: true, ..Applied::default() };
        let strict = Preferences::parse("Handling=Strict").applied(&applied);
        assert_eq!(strict.as_deref(), Some("handling=strict"));
        assert_eq!(Preferences::parse("handling=lenient").applied(&applied), None);
        let none = Preferences::parse("respond-async");
        assert_eq!(none.applied(&Applied::default()), None);
    }
}
