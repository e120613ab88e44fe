//! Data requests. The types guarantee exactly one table, one period type and at least one period; the written form always states the
//! format and is percent-encoded.

use std::num::NonZeroUsize;
use std::ops::Deref;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::catalogue::id::{
    HierarchyId, LevelId, MeasureGroupId, MeasureId, MeasurementId, MemberPath, PeriodId, PeriodTypeId,
};

/// The characters that are not percent-encoded in keys, values and path segments.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'*');

/// The format that every request states; in JSON, numbers and texts are distinct.
const FORMAT: &str = "format=json";

/// A request for figures of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRequest {
    pub table: MeasurementId,
    pub measures: MeasureSelection,
    /// How many measure columns the answer has.
    pub measure_count: usize,
    pub period_type: PeriodTypeId,
    pub periods: PeriodSelection,
    /// At most one hierarchy of each dimension.
    pub hierarchies: Vec<(HierarchyId, HierarchySelection)>,
}

/// Which measures are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeasureSelection {
    All,
    /// Whole groups, or single measures of a group.
    Some(NonEmpty<(MeasureGroupId, Option<MeasureId>)>),
}

/// Which periods are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeriodSelection {
    List(NonEmpty<PeriodId>),
    /// The newest so many; the upstream refuses more than the table has.
    Latest(NonZeroUsize),
}

/// Which members of a hierarchy are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HierarchySelection {
    /// `/`
    Total,
    /// `*`
    All,
    /// `level:x`
    Level(LevelId),
    /// A list of paths.
    Members(NonEmpty<MemberPath>),
}

/// A list that is not empty: the upstream refuses an empty one, or gives it another meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonEmpty<T>(Vec<T>);

impl<T> NonEmpty<T> {
    /// The list, unless it is empty.
    #[must_use]
    pub fn new(list: Vec<T>) -> Option<Self> {
        (!list.is_empty()).then_some(Self(list))
    }
}

impl<T> Deref for NonEmpty<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl DataRequest {
    /// How many columns of labels the answer has: the period and each named hierarchy.
    #[must_use]
    pub fn label_count(&self) -> usize {
        1 + self.hierarchies.len()
    }

    /// Whether the request can be made smaller: it has more than one period or member.
    #[must_use]
    pub fn is_divisible(&self) -> bool {
        let several_periods = match &self.periods {
            PeriodSelection::List(periods) => periods.len() > 1,
            PeriodSelection::Latest(count) => count.get() > 1,
        };
        several_periods || self.hierarchies.iter().any(|(_, selection)| selection.may_be_several())
    }

    /// Path and query below the upstream's root.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        let mut parameters = self.measures.parameters();
        parameters.push(parameter("period.", self.period_type.as_str(), &self.periods.value()));
        for (hierarchy, selection) in &self.hierarchies {
            parameters.push(parameter("hierarchy.", hierarchy.as_str(), &selection.value()));
        }
        format!("data/{}?{}&{FORMAT}", encode(self.table.as_str()), parameters.join("&"))
    }
}

/// The path of a metadata call.
pub(crate) fn metadata_path(endpoint: &str, table: Option<&MeasurementId>) -> String {
    match table {
        Some(table) => format!("{endpoint}/{}?{FORMAT}", encode(table.as_str())),
        None => format!("{endpoint}?{FORMAT}"),
    }
}

impl MeasureSelection {
    fn parameters(&self) -> Vec<String> {
        let Self::Some(parts) = self else {
            return vec!["mgroup.*=*".to_owned()];
        };
        let mut groups: Vec<&MeasureGroupId> = Vec::new();
        for (group, _) in parts.iter() {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
            .into_iter()
            .map(|group| parameter("mgroup.", group.as_str(), &measures_of(group, parts)))
            .collect()
    }
}

/// The measures of one group in one value, because the upstream reads only one occurrence of a key.
fn measures_of(group: &MeasureGroupId, parts: &[(MeasureGroupId, Option<MeasureId>)]) -> String {
    let measures: Option<Vec<&str>> = parts
        .iter()
        .filter(|(of, _)| of == group)
        .map(|(_, measure)| measure.as_ref().map(MeasureId::as_str))
        .collect();
    measures.map_or_else(|| "*".to_owned(), |measures| measures.join(","))
}

impl PeriodSelection {
    fn value(&self) -> String {
        match self {
            Self::List(periods) => comma_separated(periods.iter().map(PeriodId::as_str)),
            Self::Latest(count) => format!("latest:{count}"),
        }
    }
}

impl HierarchySelection {
    fn may_be_several(&self) -> bool {
        match self {
            Self::Total => false,
            Self::All | Self::Level(_) => true,
            Self::Members(paths) => paths.len() > 1,
        }
    }

    fn value(&self) -> String {
        match self {
            Self::Total => "/".to_owned(),
            Self::All => "*".to_owned(),
            Self::Level(level) => format!("level:{level}"),
            Self::Members(paths) => comma_separated(paths.iter().map(MemberPath::as_str)),
        }
    }
}

fn comma_separated<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn parameter(prefix: &str, key: &str, value: &str) -> String {
    format!("{prefix}{}={}", encode(key), encode(value))
}

fn encode(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, ENCODED)
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn request() -> DataRequest {
        DataRequest {
            table: MeasurementId::from("y25i01"),
            measures: MeasureSelection::All,
            measure_count: 3,
            period_type: PeriodTypeId::from("M"),
            periods: periods(&["2026M06", "2026M05"]),
            hierarchies: vec![(HierarchyId::from("_nykom"), HierarchySelection::Total)],
        }
    }

    fn periods(ids: &[&str]) -> PeriodSelection {
        let list = NonEmpty::new(ids.iter().map(|id| PeriodId::from(*id)).collect());
        PeriodSelection::List(list.unwrap())
    }

    #[test]
    fn a_request_is_written_with_its_format_last() {
        assert_eq!(
            request().path_and_query(),
            "data/y25i01?mgroup.*=*&period.M=2026M06%2C2026M05&hierarchy._nykom=%2F&format=json"
        );
    }

    #[test]
    fn every_selection_has_its_form() {
        let cases = [
            (HierarchySelection::All, "*"),
            (HierarchySelection::Level(LevelId::from("akassedp")), "level%3Aakassedp"),
            (
                HierarchySelection::Members(
                    NonEmpty::new(vec![MemberPath::from("/5/"), MemberPath::from("/11/2/")]).unwrap(),
                ),
                "%2F5%2F%2C%2F11%2F2%2F",
            ),
        ];
        for (selection, written) in cases {
            let request =
                DataRequest { hierarchies: vec![(HierarchyId::from("_a"), selection)], ..request() };
            assert!(request.path_and_query().contains(&format!("&hierarchy._a={written}&")), "{written}");
        }
    }

    #[test]
    fn measures_of_one_group_share_a_key() {
        let part =
            |group: &str, measure: Option<&str>| (MeasureGroupId::from(group), measure.map(MeasureId::from));
        let parts =
            vec![part("g1", Some("a")), part("g2", Some("c")), part("g1", Some("b")), part("g3", None)];
        let measures = MeasureSelection::Some(NonEmpty::new(parts).unwrap());
        let address = DataRequest { measures, ..request() }.path_and_query();
        assert!(
            address.starts_with("data/y25i01?mgroup.g1=a%2Cb&mgroup.g2=c&mgroup.g3=*&period."),
            "{address}"
        );
    }

    #[test]
    fn an_empty_list_cannot_be_asked_for() {
        assert_eq!(NonEmpty::<PeriodId>::new(Vec::new()), None);
    }

    proptest! {
        #[test]
        fn whatever_the_ids_hold_they_come_back_and_nothing_else_does(
            table in ".+", kind in ".+", ids in prop::collection::vec("[^,]+", 1..4), hierarchy in ".+", path in "[^,]+",
        ) {
            let request = DataRequest {
                table: MeasurementId::from(table.as_str()),
                period_type: PeriodTypeId::from(kind.as_str()),
                periods: periods(&ids.iter().map(String::as_str).collect::<Vec<_>>()),
                hierarchies: vec![(
                    HierarchyId::from(hierarchy.as_str()),
                    HierarchySelection::Members(NonEmpty::new(vec![MemberPath::from(path.as_str())]).unwrap()),
                )],
                ..request()
            };
            let decode = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
            let address = request.path_and_query();
            let (front, query) = address.split_once('?').unwrap();
            prop_assert_eq!(front.split('/').map(decode).collect::<Vec<_>>(), ["data", table.as_str()]);
            let pairs: Vec<_> = query
                .split('&')
                .map(|pair| pair.split_once('=').map(|(key, value)| (decode(key), decode(value))).unwrap())
                .collect();
            let expected = [
                ("mgroup.*".to_owned(), "*".to_owned()),
                (format!("period.{kind}"), ids.join(",")),
                (format!("hierarchy.{hierarchy}"), path),
                ("format".to_owned(), "json".to_owned()),
            ];
            prop_assert_eq!(pairs, expected);
        }
    }
}
