//! Syntax errors in the text of a request: where, what was expected there, and what was found.

use std::fmt;

use thiserror::Error;

use super::advice;
use crate::error::{DescribeError, ErrorDescription};

/// A syntax error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{option}, character {}: {kind}", position + 1)]
pub struct SyntaxError {
    /// The option, such as `$filter`, or `path` for the resource path.
    pub option: String,
    /// The position, in characters from the start of the option's decoded text.
    pub position: usize,
    pub kind: SyntaxErrorKind,
}

/// What is wrong, without the position.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SyntaxErrorKind {
    #[error("expected {expected}, found {}", quoted(found))]
    Unexpected { expected: Expected, found: String },
    #[error("unknown system query option {name}")]
    UnknownOption { name: String },
    #[error("system query option {name} is given more than once")]
    DuplicateOption { name: String },
    #[error("option {name} is not allowed here")]
    OptionNotAllowed { name: String },
    #[error("option {name} has no value")]
    MissingValue { name: String },
    #[error("option {name} is required here")]
    MissingOption { name: String },
    #[error("{limit} exceeds the limit of {max}")]
    LimitExceeded { limit: Limit, max: usize },
    #[error("{text:?} is not a valid literal")]
    InvalidLiteral { text: String },
    #[error("{name} takes {min} to {max} arguments, found {found}")]
    ArgumentCount { name: String, min: usize, max: usize, found: usize },
    #[error("invalid percent-encoding or invalid UTF-8")]
    BadEncoding,
    #[error("control characters are not allowed")]
    ControlCharacter,
}

/// The limits that a request can exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    UrlLength,
    Depth,
    Nodes,
    ListItems,
    NameLength,
}

impl Limit {
    /// What is counted, in English and in Danish.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::UrlLength => ("the length of the URL", "adressens længde"),
            Self::Depth => ("the nesting depth", "antallet af parenteser inden i hinanden"),
            Self::Nodes => ("the number of parts", "antallet af dele i udtrykket"),
            Self::ListItems => ("the number of list items", "antallet af værdier i listen"),
            Self::NameLength => ("the length of a name", "navnets længde"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.texts().0)
    }
}

/// What the grammar expects at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Expression,
    Operator,
    End,
    Name,
    TypeName,
    Literal,
    KeyValue,
    Integer,
    Boolean,
    Levels,
    Format,
    Version,
    SearchTerm,
    ClosingQuote,
    PathInFront,
    Segment,
    LastSegment,
    Property,
    OptionName,
    Transformation,
    AggregationMethod,
    Alias,
    Blank,
    Text(&'static str),
}

impl Expected {
    /// The expectation in English and in Danish.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Expression => ("an expression", "et udtryk"),
            Self::Operator => {
                ("an operator or the end", "en operator (f.eks. eq, and eller or) eller slutningen")
            }
            Self::End => ("the end", "slutningen"),
            Self::Name => ("a name", "et navn"),
            Self::TypeName => ("a type name", "navnet på en type"),
            Self::Literal => ("a literal", "en værdi"),
            Self::KeyValue => ("a key value", "en nøgleværdi"),
            Self::Integer => ("an integer in range", "et helt tal, som ikke er for stort"),
            Self::Boolean => ("true or false", "true eller false"),
            Self::Levels => ("a positive integer or max", "et positivt helt tal eller max"),
            Self::Format => {
                ("json, xml or a media type", "json, xml eller en medietype som application/json")
            }
            Self::Version => ("a schema version or *", "en version eller *"),
            Self::OptionName => ("an option such as $select", "en indstilling som $select"),
            Self::SearchTerm => ("a search term", "et søgeord"),
            Self::ClosingQuote => ("a closing quote", "et afsluttende citationstegn"),
            Self::PathInFront => ("a path in front", "en sti foran"),
            Self::Segment => ("a path segment", "et led i stien"),
            Self::LastSegment => ("the end of the path", "stiens slutning"),
            Self::Property => ("a property", "en kolonne"),
            Self::Transformation => ("a transformation", "en transformation"),
            Self::AggregationMethod => {
                ("an aggregation method", "en aggregeringsmetode (f.eks. sum eller max)")
            }
            Self::Alias => ("as and an alias", "as og et alias"),
            Self::Blank => ("a blank", "et mellemrum"),
            Self::Text(text) => (text, text),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "'{text}'"),
            other => f.write_str(other.texts().0),
        }
    }
}

impl DescribeError for SyntaxError {
    fn describe(&self) -> ErrorDescription {
        let sentence = self.danish();
        let sentence = match self.advice() {
            Some(instead) => format!("{}; skriv {instead}.", sentence.trim_end_matches('.')),
            None => sentence,
        };
        ErrorDescription::new(400, "SyntaxError", sentence).on(&self.option)
    }
}

impl SyntaxError {
    pub(super) fn new(option: &str, position: usize, kind: SyntaxErrorKind) -> Self {
        Self { option: option.to_owned(), position, kind }
    }

    /// What to write instead, if what was found is known from elsewhere.
    fn advice(&self) -> Option<String> {
        match &self.kind {
            SyntaxErrorKind::Unexpected { expected: Expected::Operator, found } => {
                advice::operator(found).or_else(|| advice::separator(found)).map(str::to_owned)
            }
            SyntaxErrorKind::Unexpected { expected: Expected::Expression, found } => {
                advice::expression(found)
            }
            SyntaxErrorKind::Unexpected { expected: Expected::End, found } => {
                advice::separator(found).map(str::to_owned)
            }
            SyntaxErrorKind::Unexpected { expected: Expected::Segment, found } if self.option == "path" => {
                found.starts_with('.').then(|| "navnet uden endelse".to_owned())
            }
            SyntaxErrorKind::UnknownOption { name } => advice::option(name).map(str::to_owned),
            SyntaxErrorKind::InvalidLiteral { text } => advice::bare_literal(text),
            _ => None,
        }
    }

    /// Whether the error is in that option, in whichever case its name was written.
    fn is_about(&self, name: &str) -> bool {
        let bare = |name: &str| name.trim_start_matches('$').to_lowercase();
        bare(&self.option) == bare(name)
    }

    /// One sentence for the user: where it is wrong and what to do.
    fn danish(&self) -> String {
        use SyntaxErrorKind as Kind;
        let option = if self.option == "path" { "adressens sti" } else { &self.option };
        let place = self.position + 1;
        match &self.kind {
            Kind::Unexpected { expected, found } => format!(
                "Ret {option} ved tegn {place}: her skal stå {}, men {}.",
                danish_expectation(*expected),
                danish_found(found)
            ),
            Kind::UnknownOption { name } => {
                let place =
                    if self.is_about(name) { String::new() } else { format!(" i {option} ved tegn {place}") };
                format!("Fjern eller ret {name}{place}: der findes ingen OData-indstilling med det navn.")
            }
            Kind::DuplicateOption { name } if self.is_about(name) => format!("Angiv {name} kun én gang."),
            Kind::DuplicateOption { name } => {
                format!("Angiv {name} kun én gang: den gentages i {option}.")
            }
            Kind::OptionNotAllowed { name } if self.is_about(name) => {
                format!("Fjern {name}: den kan ikke bruges her.")
            }
            Kind::OptionNotAllowed { name } => {
                format!("Fjern {name} i {option} ved tegn {place}: den kan ikke bruges her.")
            }
            Kind::MissingValue { name } => {
                format!("Skriv en værdi efter {name}, f.eks. {name}=…, eller fjern den.")
            }
            Kind::MissingOption { name } => format!("Tilføj {name}: den er nødvendig her."),
            Kind::LimitExceeded { limit, max } => {
                format!("Gør forespørgslen mindre: {} i {option} er over grænsen på {max}.", limit.texts().1)
            }
            Kind::InvalidLiteral { text } => format!(
                "Ret værdien {text:?} i {option} ved tegn {place}: den er ikke en gyldig værdi ({}).",
                literal_hint(text)
            ),
            Kind::ArgumentCount { name, min, max, found } => format!(
                "Ret {name} i {option} ved tegn {place}: funktionen tager {}, men fik {found}.",
                danish_range(*min, *max)
            ),
            Kind::BadEncoding => {
                format!(
                    "Ret {option} ved tegn {place}: procentkodningen er ugyldig eller er ikke UTF-8; skriv et procenttegn som %25."
                )
            }
            Kind::ControlCharacter => {
                format!("Fjern styretegnet i {option} ved tegn {place}: det må ikke bruges.")
            }
        }
    }
}

/// What most often makes a value of this look invalid.
fn literal_hint(text: &str) -> &'static str {
    if text.starts_with(|char: char| char.is_alphabetic()) && text.contains('\'') {
        "værdier har ingen type foran"
    } else if text.starts_with(|char: char| char.is_ascii_digit()) && text.contains('T') {
        "skriv tidspunkter som 2024-01-31T12:00:00Z, og et plus som %2B"
    } else {
        "skriv tekst i enkelte anførselstegn"
    }
}

fn quoted(found: &str) -> String {
    if found.is_empty() { "the end".to_owned() } else { format!("{found:?}") }
}

fn danish_found(found: &str) -> String {
    if found.is_empty() { "teksten slutter".to_owned() } else { format!("der står {found:?}") }
}

fn danish_expectation(expected: Expected) -> String {
    match expected {
        Expected::Text(text) => format!("'{text}'"),
        other => other.texts().1.to_owned(),
    }
}

fn danish_range(min: usize, max: usize) -> String {
    match (min, max) {
        (0, 0) => "ingen argumenter".to_owned(),
        (1, 1) => "ét argument".to_owned(),
        (min, max) if min == max => format!("{min} argumenter"),
        (min, max) => format!("{min} til {max} argumenter"),
    }
}
