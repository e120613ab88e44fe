//! The JSON of `/subjects`, `/tables` and `/table`.
//!
//! Reading accepts every form that the published description leaves open: ids are texts or numbers; optional fields may be missing,
//! empty or `null`; a list may be a single element; `periods` may be an object or a list; `/table` may be wrapped in a list; unknown
//! fields are ignored. Only table ids are required. Writing gives the usual form, in which the catalogue is saved on disk.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// The answer to `/subjects`.
pub type Subjects = List<SubjectGroup>;
/// The answer to `/tables`.
pub type Tables = List<SubjectTables>;

macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $($(#[$attribute])* #[serde(default)] pub $field: $type,)+
        }
    )+};
}

wire! {
    /// A heading of the menu.
    SubjectGroup {
        subject_group_id: Text,
        subject_group_name: Text,
        subjects: List<Subject>,
    }

    /// A subject of the menu.
    Subject {
        subject_id: Text,
        subject_name: Text,
    }

    /// The tables of one subject.
    SubjectTables {
        subject_id: Text,
        subject_name: Text,
        table_groups: List<TableGroup>,
    }

    /// A group of tables.
    TableGroup {
        table_group_id: Text,
        table_group_name: Text,
        tables: List<TableHead>,
    }

    /// A table in the list of all.
    TableHead {
        table_id: Text,
        table_name: Text,
        link_infopage: Text,
        link_tablepage: Text,
        update_freq: Text,
        update_latest: Text,
        update_next: Text,
        periods: Periods<PeriodSpan>,
    }

    /// A period type in the list of tables.
    PeriodSpan {
        periodtype_id: Text,
        period_first: Text,
        period_last: Text,
    }

    /// A table's parts.
    Table {
        table_id: Text,
        table_name: Text,
        mgroups: List<MeasureGroup>,
        periods: Periods<PeriodType>,
        dimensions: List<Dimension>,
    }

    /// A group of measures.
    MeasureGroup {
        mgroup_id: Text,
        mgroup_name: Text,
        measures: List<Measure>,
    }

    /// A measure.
    Measure {
        measure_id: Text,
        measure_name: Text,
    }

    /// A period type with its periods.
    PeriodType {
        periodtype_id: Text,
        periodtype_name: Text,
        values: List<Period>,
    }

    /// A period.
    Period {
        period_id: Text,
    }

    /// A dimension.
    Dimension {
        dimension_id: Text,
        dimension_name: Text,
        hierarchies: List<Hierarchy>,
    }

    /// A hierarchy of a dimension.
    Hierarchy {
        hierarchy_id: Text,
        hierarchy_name: Text,
        levels: List<Level>,
    }

    /// A level of a hierarchy.
    Level {
        level_id: Text,
        level_name: Text,
        values: List<Value>,
    }

    /// A node of a hierarchy.
    Value {
        value_id: Text,
        value_name: Text,
    }
}

/// The answer to `/table`, wrapped in a list or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTable(pub Table);

impl<'de> Deserialize<'de> for OneTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let List(mut tables) = List::<Table>::deserialize(deserializer)?;
        match (tables.pop(), tables.is_empty()) {
            (Some(table), true) => Ok(Self(table)),
            (last, _) => {
                let found = tables.len() + usize::from(last.is_some());
                Err(D::Error::invalid_length(found, &"one table"))
            }
        }
    }
}

/// A text that may be a number or missing; a missing one is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub String);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, unless it is empty.
    #[must_use]
    pub fn filled(&self) -> Option<&str> {
        Some(self.0.trim()).filter(|text| !text.is_empty())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl Visitor<'_> for TextVisitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a whole number")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
                Ok(Text(text))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }

            fn visit_unit<E: Error>(self) -> Result<Text, E> {
                Ok(Text::default())
            }
        }

        deserializer.deserialize_any(TextVisitor)
    }
}

/// A list that may be `null` or a single element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Default + PartialEq> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(ListVisitor { bare: |element: T| vec![element], read: PhantomData })
            .map(Self)
    }
}

/// Period types: a list, or an object that holds the list as `periodtypes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Periods<T>(pub Vec<T>);

impl<T> Default for Periods<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for Periods<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Default + PartialEq> Deserialize<'de> for Periods<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(bound = "T: Deserialize<'de> + Default + PartialEq")]
        struct Wrapped<T> {
            #[serde(default)]
            periodtypes: List<T>,
        }

        let unwrap = |wrapped: Wrapped<T>| wrapped.periodtypes.0;
        deserializer.deserialize_any(ListVisitor { bare: unwrap, read: PhantomData }).map(Self)
    }
}

/// Reads a list of `T`; an object in its place is read as `O` and made one.
struct ListVisitor<T, O, F> {
    bare: F,
    read: PhantomData<(T, O)>,
}

impl<'de, T, O, F> Visitor<'de> for ListVisitor<T, O, F>
where
    T: Deserialize<'de> + Default + PartialEq,
    O: Deserialize<'de>,
    F: FnOnce(O) -> Vec<T>,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            // An element that says nothing takes a hundred times more memory than the two bytes in which it is written.
            if element != T::default() {
                elements.push(element);
            }
        }
        Ok(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        O::deserialize(MapAccessDeserializer::new(map)).map(self.bare)
    }

    fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
}
