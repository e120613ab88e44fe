//! Saves the latest good figures to disk, so that the gauges are there after a restart while the upstream is closed.

use std::io;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::catalogue::id::{MemberId, PeriodTypeId};
use crate::catalogue::period::Period;
use crate::disk;
use crate::indicators::definition::Definition;
use crate::indicators::figures::Figures;
use crate::indicators::quantity::AreaLevel;
use crate::indicators::resolve::Area;
use crate::indicators::snapshot::{Health, IndicatorState, Snapshot};

/// The file in the origin's folder.
pub const FILE: &str = "indicators.json";
/// The version of the file's format; a file of another version is not read.
pub const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct SavedIndicator {
    definition: Definition,
    health: Health,
    figures: Option<SavedFigures>,
}

#[derive(Serialize, Deserialize)]
struct SavedFigures {
    measure: String,
    rows: usize,
    update_latest: Option<NaiveDate>,
    read_at: DateTime<Utc>,
    periods: Vec<String>,
    areas: Vec<SavedArea>,
}

#[derive(Serialize, Deserialize)]
struct SavedArea {
    level: AreaLevel,
    member: String,
    code: String,
    name: String,
    /// In the order of the periods.
    values: Vec<Option<Decimal>>,
}

/// Saves a snapshot in place of the earlier one.
pub(super) fn save(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let indicators: Vec<_> = snapshot.indicators.iter().map(|state| SavedIndicator::of(state)).collect();
    disk::keep(path, VERSION, &indicators)
}

/// Reads the saved states; none if there is no usable file, since figures can be fetched again. No refresh of this run has
/// confirmed them yet, so `up` is false for each.
pub(super) fn load(path: &Path) -> Vec<Arc<IndicatorState>> {
    let kept: Option<Vec<SavedIndicator>> = disk::read_or_set_aside(path, VERSION);
    kept.into_iter().flatten().map(|one| Arc::new(one.into_state())).collect()
}

impl SavedIndicator {
    fn of(state: &IndicatorState) -> Self {
        Self {
            definition: Definition::clone(&state.definition),
            health: state.health.clone(),
            figures: state.figures.as_deref().map(SavedFigures::of),
        }
    }

    fn into_state(self) -> IndicatorState {
        let period_type = PeriodTypeId::from(self.definition.period_type.as_str());
        IndicatorState {
            figures: self.figures.map(|figures| Arc::new(figures.into_figures(&period_type))),
            definition: Arc::new(self.definition),
            health: Health { up: false, ..self.health },
        }
    }
}

impl SavedFigures {
    fn of(figures: &Figures) -> Self {
        let area = |(index, area): (usize, &Area)| SavedArea {
            level: area.level,
            member: area.member.to_string(),
            code: area.code.clone(),
            name: area.name.clone(),
            values: (0..figures.periods.len()).map(|period| figures.figure(index, period)).collect(),
        };
        Self {
            measure: figures.measure.clone(),
            rows: figures.rows,
            update_latest: figures.update_latest,
            read_at: figures.read_at,
            periods: figures.periods.iter().map(|period| period.id.to_string()).collect(),
            areas: figures.areas.iter().enumerate().map(area).collect(),
        }
    }

    fn into_figures(self, period_type: &PeriodTypeId) -> Figures {
        let count = self.periods.len();
        let mut values = Vec::with_capacity(count * self.areas.len());
        let mut areas = Vec::with_capacity(self.areas.len());
        for mut area in self.areas {
            area.values.resize(count, None);
            values.append(&mut area.values);
            areas.push(Area {
                level: area.level,
                member: MemberId::from(area.member),
                code: area.code,
                name: area.name,
            });
        }
        Figures {
            measure: self.measure,
            periods: self.periods.iter().map(|id| Period::new(period_type, id)).collect(),
            areas,
            values,
            rows: self.rows,
            update_latest: self.update_latest,
            read_at: self.read_at,
        }
    }
}
