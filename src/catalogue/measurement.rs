//! Measurements: the upstream's tables. A [`MeasurementHead`] comes from the list of tables; a [`Measurement`] is the table read in
//! full.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::catalogue::area::AREA_DIMENSION;
use crate::catalogue::dimension::Dimension;
use crate::catalogue::id::{MeasurementId, PeriodTypeId};
use crate::catalogue::measure::Measure;
use crate::catalogue::period::{Period, PeriodKind};

/// A subject of the databank's menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub id: String,
    pub label: String,
    /// The heading that lists it in the menu.
    pub group: String,
}

impl Subject {
    /// Whether the menu has a table under this subject.
    #[must_use]
    pub fn lists(&self, head: &MeasurementHead) -> bool {
        match &head.subject_id {
            Some(id) => self.id == *id,
            None => self.label == head.subject,
        }
    }
}

/// What the list of tables says of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasurementHead {
    pub id: MeasurementId,
    pub title: String,
    pub subject: String,
    pub subject_id: Option<String>,
    /// The table group's label.
    pub group: String,
    pub page_url: Option<String>,
    pub update_frequency: Option<String>,
    pub update_latest: Option<NaiveDate>,
    pub update_next: Option<NaiveDate>,
    /// Period types as the list of tables gives them: type, first and last period.
    pub period_types: Vec<(PeriodTypeId, String, String)>,
    /// What readers must know of the figures.
    pub caveats: Caveats,
}

impl MeasurementHead {
    /// The table's heading.
    #[must_use]
    pub fn heading(&self) -> Heading {
        let title = if self.title.trim().is_empty() { self.id.as_str() } else { &self.title };
        Heading::new(title, &self.subject)
    }

    /// The newest period of the shortest type.
    #[must_use]
    pub fn newest_period(&self) -> Option<Period> {
        let types = self.period_types.iter();
        let (id, _, last) = types.min_by_key(|(id, ..)| PeriodKind::of(id.as_str()))?;
        Some(Period::new(id, last))
    }
}

/// A table's title as readers need it outside of the menu: with what it is about in front. Many tables have the title "Antal
/// personer og fuldtidspersoner".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The subject, or what the title itself names before a colon, which is more specific.
    pub topic: String,
    /// What is counted, beginning with a small letter.
    pub content: String,
}

impl Heading {
    /// The heading of a table of that title under a subject, which may be unknown.
    #[must_use]
    pub fn new(title: &str, subject: &str) -> Self {
        let subject = subject.split('(').next().unwrap_or_default().trim();
        let (topic, content) = title.split_once(": ").unwrap_or((subject, title));
        let topic = if topic.trim().is_empty() { "Jobindsats" } else { topic.trim() };
        Self { topic: topic.to_owned(), content: uncapitalised(content.trim()) }
    }

    /// The heading of a part of the table.
    #[must_use]
    pub fn of(&self, part: &str) -> String {
        format!("{}: {part}, {}", self.topic, self.content)
    }
}

impl fmt::Display for Heading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.topic, self.content)
    }
}

/// A text with a small first letter; abbreviations keep theirs.
#[must_use]
pub fn uncapitalised(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return String::new() };
    match letters.clone().next() {
        Some(second) if second.is_lowercase() || second == '-' => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// What the upstream tells of a table's figures on its pages only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caveats {
    /// What the smallest published figure stands for, where that is a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<String>,
    /// Where the series break.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<SeriesBreak>,
}

/// A day from which figures are counted in another way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesBreak {
    /// The first day of the new way.
    pub from: NaiveDate,
    /// What changed, in Danish.
    pub text: String,
}

impl Caveats {
    /// The breaks in words, each after its day.
    #[must_use]
    pub fn break_texts(&self) -> Option<String> {
        let texts: Vec<_> =
            self.breaks.iter().map(|it| format!("{}: {}", it.from, it.text.trim_end_matches('.'))).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// All of it as sentences for the description of a set.
    #[must_use]
    pub fn sentences(&self) -> Option<String> {
        let breaks = self.break_texts().map(|texts| format!("Databrud: {texts}."));
        let sentences: Vec<_> = self.floor.iter().cloned().chain(breaks).collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

/// A table in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    pub id: MeasurementId,
    pub title: String,
    /// In the upstream's order, group by group.
    pub measures: Vec<Measure>,
    /// Labels of the period types, in the upstream's order.
    pub period_types: Vec<PeriodType>,
    /// Of all types, the newest first.
    pub periods: Vec<Period>,
    /// The area dimension first, the others in the upstream's order.
    pub dimensions: Vec<Dimension>,
}

/// A period type that a table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodType {
    pub id: PeriodTypeId,
    pub kind: PeriodKind,
    pub label: String,
}

impl Measurement {
    /// The index of the area dimension, which every table of the databank has.
    #[must_use]
    pub fn area(&self) -> Option<usize> {
        self.dimensions.iter().position(|dimension| dimension.id.as_str() == AREA_DIMENSION)
    }

    /// The shortest period type that the table has. The overview sets use it, so that periods of different lengths are not mixed.
    #[must_use]
    pub fn shortest_period_type(&self) -> Option<&PeriodType> {
        self.period_types.iter().min_by_key(|period_type| period_type.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::Heading;

    #[test]
    fn a_heading_says_what_a_table_is_about() {
        let cases = [
            (
                "Antal personer",
                "Sygedagpenge",
                "Sygedagpenge: antal personer",
                "Sygedagpenge: hovedtal, antal personer",
            ),
            (
                "Ledighed: Faktiske antal",
                "Indikatorer",
                "Ledighed: faktiske antal",
                "Ledighed: hovedtal, faktiske antal",
            ),
            (
                "A-kasser",
                "Forsørgede (alle ydelser)",
                "Forsørgede: a-kasser",
                "Forsørgede: hovedtal, a-kasser",
            ),
            ("Tal", "", "Jobindsats: tal", "Jobindsats: hovedtal, tal"),
        ];
        for (title, subject, whole, part) in cases {
            let heading = Heading::new(title, subject);
            assert_eq!((heading.to_string().as_str(), heading.of("hovedtal").as_str()), (whole, part));
        }
    }
}
