//! Helpers that build blocks.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Decimal128Array, DictionaryArray, RecordBatch};
use jobindsats_bridge::catalogue::id::{DimensionId, MeasureId, MeasurementId, MemberId, PeriodId};
use jobindsats_bridge::store::block::{CellBlock, Revision};
use jobindsats_bridge::store::key::CellKey;

pub fn table() -> MeasurementId {
    MeasurementId::from("y25i01")
}

/// Revisions of one day: the first, then those that began at that second.
pub fn revision(second: u32) -> Revision {
    let of_day = Revision::of("2026-08-14".parse().ok());
    let changed_at = of_day.instant().map(|day| day + chrono::TimeDelta::seconds(second.into()));
    Revision { changed_at: changed_at.filter(|_| second > 0), ..of_day }
}

pub fn key(period: &str, members: &[&str]) -> CellKey {
    let members = members.iter().map(|id| MemberId::from(*id)).collect();
    CellKey {
        periods: [PeriodId::from(period)].into(),
        members: [(DimensionId::from("_amt"), members)].into_iter().collect(),
        measures: [MeasureId::from("m")].into(),
    }
}

/// A figure per member, the last of them not published.
pub fn block(period: &str, members: &[&str], revision: Revision, minute: i64) -> CellBlock {
    let figure = |(at, _)| (at + 1 < members.len()).then_some(1_000_000_000_000_000_000 * (at as i128 + 1));
    let figures: Decimal128Array = members.iter().enumerate().map(figure).collect();
    let periods: DictionaryArray<Int32Type> = members.iter().map(|_| Some(period)).collect();
    let places: DictionaryArray<Int32Type> = members.iter().map(|id| Some(*id)).collect();
    let figures = figures.with_precision_and_scale(38, 18).unwrap();
    let columns: [(&str, ArrayRef); 3] =
        [("period", Arc::new(periods)), ("_amt", Arc::new(places)), ("m", Arc::new(figures))];
    let fetched_at = "2026-09-15T07:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let fetched_at = fetched_at + chrono::TimeDelta::minutes(minute);
    let cells = RecordBatch::try_from_iter(columns).unwrap();
    let updated = [(PeriodId::from(period), fetched_at)].into();
    CellBlock::new(cells, revision, fetched_at, updated).narrowed().unwrap()
}
