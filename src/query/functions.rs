//! The functions that are offered: what each is called, what it takes and what it gives.

use super::Function;
use super::error::Shape;
use crate::odata::value::PrimitiveType;

/// How a function may be called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    pub(super) function: Function,
    pub(super) parameters: &'static [Shape],
    /// How many of the parameters must be there.
    pub(super) required: usize,
    pub(super) result: ResultType,
}

/// The type of a function's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum ResultType {
    Type(PrimitiveType),
    /// The type of the argument.
    Same,
}

const STRING: Shape = Shape::Primitive(PrimitiveType::String);
const INTEGER: Shape = Shape::Primitive(PrimitiveType::Int32);

impl Function {
    /// The functions that take arguments and that the service offers, `matchesPattern` aside.
    pub(super) const ALL: [Self; 24] = [
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Length,
        Self::IndexOf,
        Self::Substring,
        Self::ToLower,
        Self::ToUpper,
        Self::Trim,
        Self::Concat,
        Self::Year,
        Self::Month,
        Self::Day,
        Self::Hour,
        Self::Minute,
        Self::Second,
        Self::FractionalSeconds,
        Self::TotalOffsetMinutes,
        Self::TotalSeconds,
        Self::Date,
        Self::Time,
        Self::Round,
        Self::Floor,
        Self::Ceiling,
    ];

    /// The name, as the standard writes it; any letter case is understood.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Contains => "contains",
            Self::StartsWith => "startswith",
            Self::EndsWith => "endswith",
            Self::Length => "length",
            Self::IndexOf => "indexof",
            Self::Substring => "substring",
            Self::ToLower => "tolower",
            Self::ToUpper => "toupper",
            Self::Trim => "trim",
            Self::Concat => "concat",
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::FractionalSeconds => "fractionalseconds",
            Self::TotalOffsetMinutes => "totaloffsetminutes",
            Self::TotalSeconds => "totalseconds",
            Self::Date => "date",
            Self::Time => "time",
            Self::Round => "round",
            Self::Floor => "floor",
            Self::Ceiling => "ceiling",
        }
    }

    /// What the function takes and gives.
    pub(super) fn signature(self) -> Signature {
        use PrimitiveType as Edm;
        use ResultType::{Same, Type};
        let (parameters, required, result): (&'static [Shape], _, _) = match self {
            Self::Contains | Self::StartsWith | Self::EndsWith => (&[STRING, STRING], 2, Type(Edm::Boolean)),
            Self::Concat => (&[STRING, STRING], 2, Type(Edm::String)),
            Self::IndexOf => (&[STRING, STRING], 2, Type(Edm::Int32)),
            Self::Substring => (&[STRING, INTEGER, INTEGER], 2, Type(Edm::String)),
            Self::Length => (&[STRING], 1, Type(Edm::Int32)),
            Self::ToLower | Self::ToUpper | Self::Trim => (&[STRING], 1, Type(Edm::String)),
            Self::Year | Self::Month | Self::Day => (&[Shape::Calendar], 1, Type(Edm::Int32)),
            Self::Hour | Self::Minute | Self::Second => (&[Shape::Clock], 1, Type(Edm::Int32)),
            Self::FractionalSeconds => (&[Shape::Clock], 1, Type(Edm::Decimal)),
            Self::TotalOffsetMinutes => (&[Shape::Primitive(Edm::DateTimeOffset)], 1, Type(Edm::Int32)),
            Self::TotalSeconds => (&[Shape::Primitive(Edm::Duration)], 1, Type(Edm::Decimal)),
            Self::Date => (&[Shape::Calendar], 1, Type(Edm::Date)),
            Self::Time => (&[Shape::Clock], 1, Type(Edm::TimeOfDay)),
            Self::Round | Self::Floor | Self::Ceiling => (&[Shape::Number], 1, Same),
        };
        Signature { function: self, parameters, required, result }
    }
}
