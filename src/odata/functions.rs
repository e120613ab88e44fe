//! The table of OData's functions: the parser takes the numbers of arguments from it, the binder their types, and `$metadata` which
//! functions can be used in filters. `query/eval/function.rs` evaluates them.
//!
//! A function is added as a row here, with a variant of [`Function`] if it is evaluated; then the compiler requires the evaluator to
//! handle it.

use super::value::PrimitiveType;

/// Constructs that look like functions but have a grammar of their own, because their arguments are types or pairs.
pub const SPECIAL_FORMS: [&str; 3] = ["case", "cast", "isof"];

/// The function whose second argument is a pattern.
pub const MATCHES_PATTERN: &str = "matchesPattern";

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The name as in the OData standard; any letter case is accepted.
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    /// How many of the parameters must be given.
    pub required: usize,
    pub meaning: Meaning,
}

/// The meaning of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A value for every row, of that type.
    Evaluated(Function, ResultType),
    /// `matchesPattern`; the pattern is compiled while the request is bound.
    Pattern,
    /// A constant instant of the request, such as `now()`.
    Instant(Instant),
    /// The function is not supported, because the service has no such values.
    NotOffered(Unsupported),
}

/// The functions that are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Contains,
    StartsWith,
    EndsWith,
    Length,
    IndexOf,
    Substring,
    ToLower,
    ToUpper,
    Trim,
    Concat,
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    FractionalSeconds,
    TotalOffsetMinutes,
    TotalSeconds,
    Date,
    Time,
    Round,
    Floor,
    Ceiling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instant {
    Now,
    Min,
    Max,
}

/// Why a function is not supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    Geography,
    Collections,
    NotImplemented,
}

/// The type of a function's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultType {
    Is(PrimitiveType),
    /// That of the first argument.
    OfArgument,
}

/// The accepted types of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    Text,
    WholeNumber,
    Number,
    /// A day or an instant.
    Calendar,
    /// A time of day or an instant.
    Clock,
    Instant,
    Duration,
    /// A type that the service has no values of.
    Unsupported,
}

impl Parameter {
    /// The accepted types. For `Calendar` and `Clock` a text literal is accepted too.
    #[must_use]
    pub fn types(self) -> &'static [PrimitiveType] {
        use PrimitiveType as Edm;
        match self {
            Self::Text => &[Edm::String],
            Self::WholeNumber => &[Edm::Int32, Edm::Byte, Edm::SByte, Edm::Int16, Edm::Int64],
            Self::Number => PrimitiveType::NUMERIC,
            Self::Calendar => &[Edm::Date, Edm::DateTimeOffset],
            Self::Clock => &[Edm::TimeOfDay, Edm::DateTimeOffset],
            Self::Instant => &[Edm::DateTimeOffset],
            Self::Duration => &[Edm::Duration],
            Self::Unsupported => &[],
        }
    }
}

/// The signature of that name, in any letter case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Signature> {
    FUNCTIONS.iter().find(|signature| signature.name.eq_ignore_ascii_case(name))
}

/// The function that does what one of another language or an older version of OData does.
#[must_use]
pub fn by_meaning(name: &str) -> Option<&'static str> {
    const MEANINGS: [(&str, &str); 20] = [
        ("isnull", "eq null"),
        ("isnotnull", "ne null"),
        ("substringof", "contains"),
        ("like", "contains"),
        ("includes", "contains"),
        ("beginswith", "startswith"),
        ("left", "substring"),
        ("mid", "substring"),
        ("substr", "substring"),
        ("len", "length"),
        ("strlen", "length"),
        ("instr", "indexof"),
        ("charindex", "indexof"),
        ("lower", "tolower"),
        ("lcase", "tolower"),
        ("upper", "toupper"),
        ("ucase", "toupper"),
        ("regex", "matchesPattern"),
        ("today", "now"),
        ("getdate", "now"),
    ];
    let meaning = MEANINGS.iter().find(|(other, _)| name.eq_ignore_ascii_case(other));
    meaning.map(|(_, function)| *function)
}

/// The names of the supported functions, all of which can be used in filters.
pub fn offered() -> impl Iterator<Item = &'static str> {
    let is_offered = |signature: &&Signature| !matches!(signature.meaning, Meaning::NotOffered(_));
    FUNCTIONS.iter().filter(is_offered).map(|signature| signature.name)
}

static FUNCTIONS: [Signature; 34] = {
    use Function as F;
    use Parameter::Unsupported as Nothing;
    use Parameter::{Calendar, Clock, Duration, Number, Text, WholeNumber};
    use PrimitiveType as Edm;
    use ResultType::{Is, OfArgument};
    [
        evaluated("contains", &[Text, Text], F::Contains, Is(Edm::Boolean)),
        evaluated("startswith", &[Text, Text], F::StartsWith, Is(Edm::Boolean)),
        evaluated("endswith", &[Text, Text], F::EndsWith, Is(Edm::Boolean)),
        evaluated("length", &[Text], F::Length, Is(Edm::Int32)),
        evaluated("indexof", &[Text, Text], F::IndexOf, Is(Edm::Int32)),
        Signature {
            required: 2,
            ..evaluated("substring", &[Text, WholeNumber, WholeNumber], F::Substring, Is(Edm::String))
        },
        evaluated("tolower", &[Text], F::ToLower, Is(Edm::String)),
        evaluated("toupper", &[Text], F::ToUpper, Is(Edm::String)),
        evaluated("trim", &[Text], F::Trim, Is(Edm::String)),
        evaluated("concat", &[Text, Text], F::Concat, Is(Edm::String)),
        signature(MATCHES_PATTERN, &[Text, Text], Meaning::Pattern),
        evaluated("year", &[Calendar], F::Year, Is(Edm::Int32)),
        evaluated("month", &[Calendar], F::Month, Is(Edm::Int32)),
        evaluated("day", &[Calendar], F::Day, Is(Edm::Int32)),
        evaluated("hour", &[Clock], F::Hour, Is(Edm::Int32)),
        evaluated("minute", &[Clock], F::Minute, Is(Edm::Int32)),
        evaluated("second", &[Clock], F::Second, Is(Edm::Int32)),
        evaluated("fractionalseconds", &[Clock], F::FractionalSeconds, Is(Edm::Decimal)),
        evaluated("totaloffsetminutes", &[Parameter::Instant], F::TotalOffsetMinutes, Is(Edm::Int32)),
        evaluated("totalseconds", &[Duration], F::TotalSeconds, Is(Edm::Decimal)),
        evaluated("date", &[Calendar], F::Date, Is(Edm::Date)),
        evaluated("time", &[Clock], F::Time, Is(Edm::TimeOfDay)),
        signature("now", &[], Meaning::Instant(Instant::Now)),
        signature("mindatetime", &[], Meaning::Instant(Instant::Min)),
        signature("maxdatetime", &[], Meaning::Instant(Instant::Max)),
        evaluated("round", &[Number], F::Round, OfArgument),
        evaluated("floor", &[Number], F::Floor, OfArgument),
        evaluated("ceiling", &[Number], F::Ceiling, OfArgument),
        not_offered("geo.distance", &[Nothing, Nothing], Unsupported::Geography),
        not_offered("geo.length", &[Nothing], Unsupported::Geography),
        not_offered("geo.intersects", &[Nothing, Nothing], Unsupported::Geography),
        not_offered("hassubset", &[Nothing, Nothing], Unsupported::Collections),
        not_offered("hassubsequence", &[Nothing, Nothing], Unsupported::Collections),
        not_offered("isdefined", &[Nothing], Unsupported::NotImplemented),
    ]
};

const fn evaluated(
    name: &'static str,
    parameters: &'static [Parameter],
    function: Function,
    result: ResultType,
) -> Signature {
    signature(name, parameters, Meaning::Evaluated(function, result))
}

const fn not_offered(name: &'static str, parameters: &'static [Parameter], reason: Unsupported) -> Signature {
    signature(name, parameters, Meaning::NotOffered(reason))
}

const fn signature(name: &'static str, parameters: &'static [Parameter], meaning: Meaning) -> Signature {
    Signature { name, parameters, required: parameters.len(), meaning }
}
