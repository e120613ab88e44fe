//! A published figure that the upstream changed after this service had read it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalogue::measurement::Measurement;
use crate::catalogue::value::Figure;

/// A figure before and after a change. Names and ids are those of the day on which the change was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisedFigure {
    /// Table, period, measure, members and instant, joined by `|`.
    pub id: String,
    pub table: String,
    pub period: String,
    /// The area's name and id; `None` where the table has no areas.
    pub area: Option<String>,
    pub area_id: Option<String>,
    pub measure: String,
    pub measure_id: String,
    /// Members of other dimensions, as `dimension=member`; `None` where all are at their total.
    pub members: Option<String>,
    pub before: Figure,
    pub after: Figure,
    pub seen_at: DateTime<Utc>,
}

impl RevisedFigure {
    /// Its id without the instant: the cell that was changed.
    #[must_use]
    pub fn cell(&self) -> &str {
        self.id.rsplit_once('|').map_or(&self.id, |(cell, _)| cell)
    }
}

/// Members as [`RevisedFigure::members`] lists them, in the words of their table: `Køn: Kvinder`. They keep their ids where the table
/// no longer has them or has not been read.
#[must_use]
pub fn in_words(members: &str, measurement: Option<&Measurement>) -> String {
    let words = |part: &str| {
        let (dimension, member) = part.split_once('=')?;
        let dimension = measurement?.dimensions.iter().find(|one| one.id.as_str() == dimension)?;
        let member = dimension.members.iter().find(|one| one.id.as_str() == member)?;
        Some(format!("{}: {}", dimension.label, member.label))
    };
    let words: Option<Vec<String>> = members.split(' ').map(words).collect();
    words.map_or_else(|| members.to_owned(), |words| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::in_words;
    use crate::catalogue::dimension::{Dimension, HierarchySource, LevelSource};
    use crate::catalogue::id::{DimensionId, HierarchyId, LevelId, MeasurementId, MemberPath};
    use crate::catalogue::measurement::Measurement;

    fn dimension(id: &str, label: &str, member: &str) -> Dimension {
        let level = LevelSource {
            id: LevelId::from("lag"),
            label: "Lag".to_owned(),
            values: vec![(MemberPath::from("/K/"), member.to_owned())],
        };
        let source =
            HierarchySource { id: HierarchyId::from(id), label: label.to_owned(), levels: vec![level] };
        Dimension::new(DimensionId::from(id), label.to_owned(), vec![source], true)
    }

    #[test]
    fn members_are_named_where_the_table_has_them() {
        let table = Measurement {
            id: MeasurementId::from("y99a01"),
            title: "Prøve".to_owned(),
            measures: Vec::new(),
            period_types: Vec::new(),
            periods: Vec::new(),
            dimensions: vec![dimension("_kon", "Køn", "Kvinder"), dimension("_alder", "Alder", "16-24 år")],
        };
        let id = |at: usize| table.dimensions[at].members.last().unwrap().id.to_string();
        let both = format!("_kon={} _alder={}", id(0), id(1));
        assert_eq!(in_words(&both, Some(&table)), "Køn: Kvinder, Alder: 16-24 år");
        assert_eq!(in_words(&both, None), both);
        for unknown in ["_kon=X", "_bopael=K", "_kon", ""] {
            assert_eq!(in_words(unknown, Some(&table)), unknown);
        }
    }
}
