//! A published figure that the upstream changed after this service had read it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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
