//! Errors of binding: a request that is syntactically valid but cannot be answered from the feed. English for the log and for
//! `details`, Danish for the user.

use std::fmt;

use thiserror::Error;

use super::apply::error::ApplyError;
use super::eval::EvalError;
use crate::error::{DescribeError, ErrorDescription, but_there_is, did_you_mean};
use crate::odata::functions::{Parameter, Unsupported};
use crate::odata::value::PrimitiveType;

/// An error of binding.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{target}{}: {kind}", position.map(|at| format!(", character {}", at + 1)).unwrap_or_default())]
pub struct QueryError {
    /// The option, such as `$filter`, or `path` for the resource path.
    pub target: &'static str,
    /// The position, in characters from the start of the option's decoded text.
    pub position: Option<usize>,
    pub kind: QueryErrorKind,
}

/// What is wrong, without the position.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryErrorKind {
    #[error("there is no entity set {name:?}{}", did_you_mean(suggestion))]
    UnknownSet { name: String, suggestion: Option<String> },
    #[error("there is no entity set {name:?}; the figures are broken down in {}", breakdowns.join(", "))]
    UnknownBreakdown { name: String, breakdowns: Vec<String> },
    #[error("{after} has no segment {name:?}{}", did_you_mean(suggestion))]
    UnknownSegment { name: String, after: String, suggestion: Option<String> },
    #[error("{set} has no property {name:?}{}", did_you_mean(suggestion))]
    UnknownProperty { name: String, set: String, suggestion: Option<String> },
    #[error("{set} has no property {name:?}; a text is written in single quotes")]
    UnquotedText { name: String, set: String },
    #[error("{name} is a column of {set}, not a navigation property")]
    NotANavigation { name: String, set: String },
    #[error("there is no function {name:?}{}", did_you_mean(suggestion))]
    UnknownFunction { name: String, suggestion: Option<String> },
    #[error("expected {expected}, found {found}")]
    TypeMismatch { expected: Shape, found: Shape },
    #[error("{column} has no value {value:?}{}", did_you_mean(nearest))]
    UnknownMember { column: String, value: String, nearest: Vec<String> },
    #[error("{text:?} is not a value of {primitive}")]
    InvalidValue { text: String, primitive: PrimitiveType },
    #[error("the key of {set} is ({})", expected.join(","))]
    WrongKey { set: String, expected: Vec<String> },
    #[error("{option} does not apply to {target}")]
    OptionNotApplicable { option: &'static str, target: &'static str },
    #[error("{0}")]
    Evaluation(EvalError),
    #[error("invalid pattern {pattern:?}: {reason}")]
    InvalidPattern { pattern: String, reason: String },
    #[error(
        "with its parameter aliases filled in, the expression has more than {nodes} nodes or {depth} levels"
    )]
    ExpressionTooLarge { nodes: usize, depth: usize },
    #[error("at most {max} terms are sorted by, and at most {max_computed} that are not just columns")]
    TooManyTerms { max: usize, max_computed: usize },
    #[error("the name {name:?} is taken or stands twice")]
    NameTaken { name: String },
    #[error("at most {max} navigation properties are expanded, all levels together")]
    TooManyExpansions { max: usize },
    #[error(transparent)]
    Apply(ApplyError),
    #[error("{construct} is not offered: {}", reason.english())]
    NotOffered { construct: String, reason: NotOfferedReason },
}

/// What an expression is or should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Primitive(PrimitiveType),
    Number,
    /// A date, or a date with a time.
    Calendar,
    /// A time of day, or a date with a time.
    Clock,
    /// A whole number, and at least one.
    Positive,
    /// A single value of any type.
    Value,
    List,
    /// A row of another set.
    Entity,
    Null,
}

/// Why a construct of OData is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOfferedReason {
    /// An option, segment, function or operator that is not implemented.
    NotBuilt,
    /// An expression over a navigation property to figures, which would have to read all of them.
    UnboundedCells,
    /// An inner expression that refers to the outer row.
    OuterRow,
    /// The model has no collection-valued properties.
    NoCollections,
    /// A construct for collections on a single row.
    OneRow,
    /// A path of several navigation properties in `$expand`.
    NestedNavigation,
    /// The model has no functions or actions.
    NoOperations,
    /// The model has no media entities.
    NoStreams,
    /// No column holds values of that type.
    NoSuchColumns,
    /// Changes are not tracked.
    NoChanges,
    /// The cross product of two sets.
    NoProducts,
    /// All rows of all sets in one answer.
    NoUnions,
    /// Figures would have to be summed.
    Sums,
    /// Several results in one answer, which can be requested one at a time.
    Separately,
    /// Hierarchical transformations in `$apply`.
    Hierarchies,
    /// The service is read-only.
    ReadOnly,
    /// The model has no enumerations.
    NoEnumerations,
    /// The model has no geography.
    NoGeography,
    /// The model has no derived types and no complex types.
    NoDerivedTypes,
    /// Patterns with look-around or back-references, whose matching time is not bounded.
    UnboundedPattern,
    /// A pattern is compiled once, so it cannot differ from row to row.
    VaryingPattern,
}

impl DescribeError for QueryError {
    /// Includes the position, if it is known.
    fn describe(&self) -> ErrorDescription {
        let mut description = self.kind.describe().on(self.target);
        if let Some(position) = self.position.filter(|_| self.target != "path") {
            // Counted from one for users.
            let place = position + 1;
            let sentence = description.danish.trim_end_matches('.');
            description.danish = format!("{sentence} ({}, tegn {place}).", self.target);
        }
        description
    }
}

impl DescribeError for QueryErrorKind {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::UnknownSet { name, suggestion } => ErrorDescription::new(
                404,
                "UnknownSet",
                format!("Sættet '{name}' findes ikke her{}.", but_there_is(suggestion)),
            ),
            Self::UnknownBreakdown { name, breakdowns } => ErrorDescription::new(
                404,
                "UnknownSet",
                match breakdowns.as_slice() {
                    [] => format!(
                        "Sættet '{name}' findes ikke her; målingen er ikke fordelt på andet end periode og område."
                    ),
                    [only] => format!("Sættet '{name}' findes ikke her; målingens fordeling er {only}."),
                    several => format!(
                        "Sættet '{name}' findes ikke her; målingens fordelinger er {}.",
                        several.join(", ")
                    ),
                },
            ),
            Self::UnknownSegment { name, after, suggestion } => ErrorDescription::new(
                404,
                "UnknownSegment",
                format!("'{name}' findes ikke under {after}{}.", but_there_is(suggestion)),
            ),
            Self::UnknownProperty { name, set, suggestion } => ErrorDescription::new(
                400,
                "UnknownProperty",
                format!("Kolonnen '{name}' findes ikke i {set}{}.", but_there_is(suggestion)),
            ),
            Self::UnquotedText { name, set } => ErrorDescription::new(
                400,
                "UnknownProperty",
                format!(
                    "Kolonnen '{name}' findes ikke i {set}; skriv en tekst i enkelte anførselstegn: '{name}'."
                ),
            ),
            Self::NotANavigation { name, set } => ErrorDescription::new(
                400,
                "UnknownProperty",
                format!("'{name}' er en kolonne i {set} og kan ikke udfoldes; vælg den med $select."),
            ),
            Self::UnknownFunction { name, suggestion } => ErrorDescription::new(
                400,
                "UnknownFunction",
                format!("Funktionen '{name}' findes ikke{}.", but_there_is(suggestion)),
            ),
            Self::TypeMismatch { expected, found } => ErrorDescription::new(
                400,
                "TypeMismatch",
                format!("Her skal stå {}, men der står {}.", expected.danish(), found.danish()),
            ),
            Self::InvalidValue { text, primitive } => ErrorDescription::new(
                400,
                "TypeMismatch",
                format!("'{text}' er ikke {}; ret værdien.", Shape::Primitive(*primitive).danish()),
            ),
            Self::UnknownMember { column, value, nearest } => ErrorDescription::new(
                400,
                "UnknownMember",
                match nearest.is_empty() {
                    true => format!("'{value}' findes ikke i {column}; skriv en af kolonnens værdier."),
                    false => format!("'{value}' findes ikke i {column}{}.", but_there_is(nearest)),
                },
            ),
            Self::WrongKey { set, expected } => ErrorDescription::new(
                400,
                "WrongKey",
                match expected.is_empty() {
                    true => format!("{set} har kun én række; udelad nøglen."),
                    false => format!("Nøglen til {set} skal angives som ({}).", expected.join(",")),
                },
            ),
            Self::OptionNotApplicable { option, target } => ErrorDescription::new(
                400,
                "OptionNotApplicable",
                format!("{option} kan ikke bruges på {}; udelad den.", target_in_danish(target)),
            ),
            Self::Evaluation(EvalError::Work(error)) => error.describe(),
            Self::Evaluation(error) => ErrorDescription::new(400, "Evaluation", error.danish()),
            Self::InvalidPattern { pattern, .. } => ErrorDescription::new(
                400,
                "InvalidPattern",
                format!("'{pattern}' er ikke et gyldigt søgemønster; ret det regulære udtryk."),
            ),
            Self::ExpressionTooLarge { .. } => ErrorDescription::new(
                400,
                "ExpressionTooLarge",
                "Udtrykket er for stort; skriv det kortere eller uden parametre i hinanden.",
            ),
            Self::TooManyTerms { max, max_computed } => ErrorDescription::new(
                400,
                "TooManyTerms",
                format!("Sortér efter højst {max} kolonner, heraf højst {max_computed} beregnede."),
            ),
            Self::NameTaken { name } => ErrorDescription::new(
                400,
                "NameTaken",
                format!("Navnet '{name}' er optaget eller står to gange; vælg et andet."),
            ),
            Self::TooManyExpansions { max } => ErrorDescription::new(
                400,
                "TooManyExpansions",
                format!("Udfold højst {max} sæt i $expand, alle niveauer talt med."),
            ),
            Self::Apply(error) => error.describe(),
            Self::NotOffered { construct, reason } => ErrorDescription::new(
                501,
                "NotOffered",
                format!("{construct} kan ikke bruges her; {}.", reason.danish()),
            ),
        }
    }
}

impl From<Parameter> for Shape {
    fn from(parameter: Parameter) -> Self {
        match parameter {
            Parameter::Text => Self::Primitive(PrimitiveType::String),
            Parameter::WholeNumber => Self::Primitive(PrimitiveType::Int32),
            Parameter::Number => Self::Number,
            Parameter::Calendar => Self::Calendar,
            Parameter::Clock => Self::Clock,
            Parameter::Instant => Self::Primitive(PrimitiveType::DateTimeOffset),
            Parameter::Duration => Self::Primitive(PrimitiveType::Duration),
            Parameter::Unsupported => Self::Value,
        }
    }
}

impl From<Unsupported> for NotOfferedReason {
    fn from(reason: Unsupported) -> Self {
        match reason {
            Unsupported::Geography => Self::NoGeography,
            Unsupported::Collections => Self::NoCollections,
            Unsupported::NotImplemented => Self::NotBuilt,
        }
    }
}

impl Shape {
    /// The shape of a type; `None` is the type of null.
    #[must_use]
    pub fn of(primitive: Option<PrimitiveType>) -> Self {
        primitive.map_or(Self::Null, Self::Primitive)
    }

    fn danish(self) -> &'static str {
        match self {
            Self::Primitive(PrimitiveType::String) => "en tekst i enkelte anførselstegn",
            Self::Primitive(PrimitiveType::Boolean) => "en betingelse (sand eller falsk)",
            Self::Primitive(PrimitiveType::Date) => "en dato (som 2026-06-30)",
            Self::Primitive(PrimitiveType::DateTimeOffset) => "et tidspunkt (som 2026-06-30T12:00:00Z)",
            Self::Primitive(PrimitiveType::TimeOfDay) => "et klokkeslæt (som 12:00:00)",
            Self::Primitive(PrimitiveType::Duration) => "en varighed (som duration'P1D')",
            Self::Primitive(PrimitiveType::Guid) => "en GUID",
            Self::Primitive(PrimitiveType::Binary) => "en binær værdi",
            Self::Primitive(
                PrimitiveType::Byte
                | PrimitiveType::SByte
                | PrimitiveType::Int16
                | PrimitiveType::Int32
                | PrimitiveType::Int64,
            ) => "et helt tal",
            Self::Primitive(PrimitiveType::Decimal | PrimitiveType::Single | PrimitiveType::Double)
            | Self::Number => "et tal",
            Self::Calendar => "en dato eller et tidspunkt",
            Self::Clock => "et klokkeslæt eller et tidspunkt",
            Self::Positive => "et helt tal fra 1 og op",
            Self::Value => "en enkelt værdi",
            Self::List => "en liste i parentes",
            Self::Entity => "en hel række af et andet sæt",
            Self::Null => "null",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primitive(primitive) => write!(f, "{primitive}"),
            Self::Number => f.write_str("a number"),
            Self::Calendar => f.write_str("Edm.Date or Edm.DateTimeOffset"),
            Self::Clock => f.write_str("Edm.TimeOfDay or Edm.DateTimeOffset"),
            Self::Positive => f.write_str("a constant whole number of at least 1"),
            Self::Value => f.write_str("a single value"),
            Self::List => f.write_str("a list"),
            Self::Entity => f.write_str("an entity"),
            Self::Null => f.write_str("null"),
        }
    }
}

impl NotOfferedReason {
    fn english(self) -> &'static str {
        match self {
            Self::NotBuilt => "this service does not implement it",
            Self::UnboundedCells => "it would have to read every figure of the table",
            Self::OuterRow => "an inner expression does not see the outer row",
            Self::NoCollections => "the model has no collections to apply it to",
            Self::OneRow => "there is only one row",
            Self::NestedNavigation => {
                "a navigation property behind another is written in its parentheses: $expand=A($expand=B)"
            }
            Self::NoOperations => "the model has no functions or actions",
            Self::NoStreams => "rows have no media stream",
            Self::NoSuchColumns => "no column holds values of that type",
            Self::NoChanges => "changes since an earlier answer are not kept",
            Self::NoProducts => "sets are joined through their navigation properties only",
            Self::NoUnions => "sets are read one at a time",
            Self::Sums => "figures would have to be added up, and they are not additive",
            Self::Separately => "its parts are answered one at a time",
            Self::Hierarchies => "hierarchies are followed through Parent and Children",
            Self::ReadOnly => "the service is read-only",
            Self::NoEnumerations => "the model has no enumeration types",
            Self::NoGeography => "the model has no geography",
            Self::NoDerivedTypes => "the model has no derived or complex types",
            Self::UnboundedPattern => "patterns with look-around or back-references are not evaluated",
            Self::VaryingPattern => "the pattern must be a literal",
        }
    }

    fn danish(self) -> &'static str {
        match self {
            Self::NotBuilt => "broen understøtter det ikke, så prøv uden",
            Self::UnboundedCells => {
                "det kræver alle målingens tal, så spørg Observations direkte med et filter"
            }
            Self::OuterRow => "et indre udtryk kan ikke se den ydre række, så skriv betingelsen udenfor",
            Self::NoCollections => "ingen kolonne indeholder en liste",
            Self::OneRow => "der er kun én række, så sammenlign direkte med en af dens kolonner",
            Self::NestedNavigation => "skriv det næste trin i parentes, som i $expand=A($expand=B)",
            Self::NoOperations => "der er kun sæt",
            Self::NoStreams => "rækker har ingen fil, så spørg efter en kolonne",
            Self::NoSuchColumns => "en kolonne kan ikke vise en værdi af den slags",
            Self::NoChanges => "hent sættet igen, eller afgræns på Opdateret",
            Self::NoProducts => "brug $expand fra det ene sæt til det andet",
            Self::NoUnions => "hent ét sæt ad gangen",
            Self::Sums => {
                "tal kan ikke lægges sammen, så brug topcount eller bottomcount med et antal rækker"
            }
            Self::Separately => "bed om delene hver for sig, eventuelt i en $batch",
            Self::Hierarchies => "følg Parent og Children i kodelisterne",
            Self::ReadOnly => "broen kan kun læses",
            Self::NoEnumerations => "koder er almindelig tekst, så sammenlign med eq",
            Self::NoGeography => "områder er koder, ikke geometri",
            Self::NoDerivedTypes => "sættene har kun simple kolonner",
            Self::UnboundedPattern => "skriv mønsteret uden lookaround og tilbagereferencer",
            Self::VaryingPattern => "skriv mønsteret som en fast tekst",
        }
    }
}

fn target_in_danish(target: &str) -> &str {
    match target {
        "a single entity" => "en enkelt række",
        "a property" => "en enkelt værdi",
        "references" => "henvisninger",
        "a navigation property to another set" => "en vej til et andet sæt",
        other => other,
    }
}
