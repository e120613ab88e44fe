//! Ids as separate types, so that the compiler refuses a dimension's id where a hierarchy's is expected.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::from)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

text_id! {
    /// A table's id, in lower case: `y25i01`.
    MeasurementId;
    /// A dimension, such as sex: `_kon`.
    DimensionId;
    /// One hierarchy of a dimension: `_nykom`.
    HierarchyId;
    /// One level of a hierarchy: `kon`.
    LevelId;
    /// A path in a hierarchy as the upstream writes it: `/2/4/`.
    MemberPath;
    /// A member's id as clients see it: `T`, `2.4`, `region.1`.
    MemberId;
    /// A group of measures: `mgrpa02_1`.
    MeasureGroupId;
    /// A measure: `measi14_1`.
    MeasureId;
    /// A period type: `M`.
    PeriodTypeId;
    /// A period: `2026M07`.
    PeriodId;
}
