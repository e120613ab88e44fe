//! What the databank offers: subjects, measurements, dimensions, members, periods and measures, as pure values.
//!
//! Has no network, no disk and no OData. [`upstream`](crate::upstream) reads it, [`feed`](crate::feed) assigns names to it.

pub mod area;
pub mod dimension;
pub mod figures;
pub mod id;
pub mod label;
pub mod measure;
pub mod measurement;
pub mod period;
pub mod revised;
pub mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead, Subject};

/// All metadata of one origin at one moment: an immutable snapshot that is replaced as a whole.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    pub subjects: Vec<Subject>,
    /// One entry per table that the upstream lists.
    pub heads: BTreeMap<MeasurementId, Arc<MeasurementHead>>,
    /// The tables whose parts have been read; a subset of the heads.
    pub measurements: BTreeMap<MeasurementId, Arc<Measurement>>,
    /// Tables whose metadata cannot be used, and why. One that was usable before is served as it was.
    pub unusable: BTreeMap<MeasurementId, String>,
    /// When the list of tables was last read.
    pub read_at: Option<DateTime<Utc>>,
}

impl Catalogue {
    /// The same with chosen tables alone, and the subjects that they have.
    #[must_use]
    pub fn restricted(&self, is_chosen: impl Fn(&MeasurementId) -> bool) -> Self {
        let mut chosen = self.clone();
        chosen.heads.retain(|table, _| is_chosen(table));
        chosen.measurements.retain(|table, _| is_chosen(table));
        chosen.unusable.retain(|table, _| is_chosen(table));
        chosen.subjects.retain(|subject| chosen.heads.values().any(|head| subject.lists(head)));
        chosen
    }

    /// The head of a table, whatever the case its id is written in.
    #[must_use]
    pub fn head(&self, id: &str) -> Option<&Arc<MeasurementHead>> {
        self.heads.get(&MeasurementId::from(id.to_lowercase()))
    }

    /// A table whose parts have been read, whatever the case its id is written in.
    #[must_use]
    pub fn measurement(&self, id: &str) -> Option<&Arc<Measurement>> {
        self.measurements.get(&MeasurementId::from(id.to_lowercase()))
    }
}
