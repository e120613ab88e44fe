//! Figures that the databank has revised.

use std::collections::BTreeMap;

use jobindsats_bridge::catalogue::id::{MeasureId, PeriodId};
use jobindsats_bridge::store::change::{Changes, FigureChange};

use crate::support::app::App;

/// A figure of the table was revised, to that one.
pub fn revise(app: &App, table: &str, after: i128) {
    let state = &app.service.state;
    let catalogue = state.catalogue.current();
    let measurement = catalogue.measurement(table).unwrap();
    let change = FigureChange {
        period: PeriodId::from("2026M06"),
        members: BTreeMap::new(),
        measure: MeasureId::from(measurement.measures[0].id.as_str()),
        before: Some(1),
        after: Some(after),
    };
    let changes = Changes { figures: vec![change], ..Changes::default() };
    state.feeds.log().note(measurement, &changes, app.clock.now());
}
