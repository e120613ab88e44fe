//! A table of a few periods and members for the tests of this folder.

use crate::catalogue::dimension::{Dimension, HierarchySource, LevelSource};
use crate::catalogue::id::{
    DimensionId, HierarchyId, LevelId, MeasureGroupId, MeasureId, MeasurementId, MemberPath, PeriodTypeId,
};
use crate::catalogue::measure::Measure;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::period::Period;
use crate::plan::selection::{Members, Selection};

fn theme(id: &str, members: usize) -> Dimension {
    let value = |at: usize| (MemberPath::from(format!("/{at}/")), format!("{id} {at}"));
    let level = LevelSource {
        id: LevelId::from("lag"),
        label: "Lag".to_owned(),
        values: (1..=members).map(value).collect(),
    };
    let source = HierarchySource { id: HierarchyId::from(id), label: id.to_owned(), levels: vec![level] };
    Dimension::new(DimensionId::from(id), id.to_owned(), vec![source], true)
}

/// Twelve months, an area dimension of four places and two themes of three and of two members, each with its total.
pub fn table() -> Measurement {
    let period = |month: usize| Period::new(&PeriodTypeId::from("M"), &format!("2025M{month:02}"));
    let measure = Measure {
        id: MeasureId::from("m"),
        source_id: MeasureId::from("m"),
        group_id: MeasureGroupId::from("g"),
        group_label: "Antal".to_owned(),
        label: "Antal".to_owned(),
        heading: "Antal".to_owned(),
        unit: None,
    };
    Measurement {
        id: MeasurementId::from("y99a01"),
        title: "Prøve".to_owned(),
        measures: vec![measure],
        period_types: Vec::new(),
        periods: (1..=12).rev().map(period).collect(),
        dimensions: vec![theme("_omrade", 4), theme("_kon", 2), theme("_alder", 1)],
    }
}

/// All of it.
pub fn everything() -> Selection {
    let measurement = table();
    let all = |dimension: &Dimension| Members::Named((0..dimension.members.len()).collect());
    Selection {
        periods: (0..12).collect(),
        members: measurement.dimensions.iter().map(all).collect(),
        measures: vec![0],
    }
}
