//! Measurements: the upstream's tables. A [`MeasurementHead`] comes from the list of tables; a [`Measurement`] is the table read in
//! full.

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
        let texts: Vec<_> = self.breaks.iter().map(|it| format!("{}: {}", it.from, it.text)).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// All of it as sentences for the description of a set.
    #[must_use]
    pub fn sentences(&self) -> Option<String> {
        let breaks = self.break_texts().map(|texts| format!("Brud i serien: {texts}."));
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
