//! Describes a changed figure for readers: names of the area and the measure besides their ids.

use chrono::{DateTime, Utc};

use crate::catalogue::dimension::Dimension;
use crate::catalogue::id::MemberId;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::revised::RevisedFigure;
use crate::catalogue::value;
use crate::store::change::FigureChange;

/// The description of a change.
pub(super) fn describe(
    measurement: &Measurement,
    change: &FigureChange,
    seen_at: DateTime<Utc>,
) -> RevisedFigure {
    let (area_id, area) = area(measurement, change).unzip();
    let others: Vec<String> = change
        .members
        .iter()
        .filter(|(id, member)| {
            let dimension = measurement.dimensions.iter().find(|dimension| dimension.id == **id);
            dimension.is_none_or(|dimension| !dimension.is_area() && !is_total(dimension, member))
        })
        .map(|(dimension, member)| format!("{dimension}={member}"))
        .collect();
    let members = others.join(" ");
    let measure = measurement.measures.iter().find(|measure| measure.id == change.measure);
    let place = [area_id.as_deref(), Some(members.as_str())].into_iter().flatten();
    let place: Vec<&str> = place.filter(|part| !part.is_empty()).collect();
    RevisedFigure {
        id: format!(
            "{}|{}|{}|{}|{}",
            measurement.id,
            change.period,
            change.measure,
            place.join(" "),
            seen_at.timestamp_millis()
        ),
        table: measurement.id.to_string(),
        period: change.period.to_string(),
        area,
        area_id,
        measure: measure.map_or_else(|| change.measure.to_string(), |measure| measure.heading.clone()),
        measure_id: change.measure.to_string(),
        members: (!members.is_empty()).then_some(members),
        before: change.before.and_then(value::from_stored),
        after: change.after.and_then(value::from_stored),
        seen_at,
    }
}

/// Id and name of the area: that of the row, or the default one if the request named none.
fn area(measurement: &Measurement, change: &FigureChange) -> Option<(String, String)> {
    let dimension = &measurement.dimensions[measurement.area()?];
    let default = || Some(dimension.members[dimension.default_member()?].id.clone());
    let id = change.members.get(&dimension.id).cloned().or_else(default)?;
    let member = dimension.members.iter().find(|member| member.id == id);
    let label = member.map_or(dimension.unknown_label(id.as_str()), |member| &member.label);
    Some((id.to_string(), label.to_owned()))
}

fn is_total(dimension: &Dimension, id: &MemberId) -> bool {
    dimension.total().is_some_and(|total| dimension.members[total].id == *id)
}
