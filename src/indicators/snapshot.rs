//! The state of all indicators at one moment. A snapshot is immutable; a refresh makes a new one with one indicator replaced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::indicators::definition::{Definition, Definitions};
use crate::indicators::figures::Figures;
use crate::indicators::source::SourceError;
use crate::observe::upstream_observer::FailureReason;

/// All indicators, in the definitions' order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The constant label `source` of every figure.
    pub origin: Arc<str>,
    pub indicators: Vec<Arc<IndicatorState>>,
}

/// One indicator: its latest good figures and the health of its refreshes.
#[derive(Debug, Clone, PartialEq)]
pub struct IndicatorState {
    pub definition: Arc<Definition>,
    /// `None` before the first success.
    pub figures: Option<Arc<Figures>>,
    pub health: Health,
}

/// The health of an indicator's refreshes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Health {
    /// Whether the last refresh succeeded.
    pub up: bool,
    pub last_success: Option<DateTime<Utc>>,
    pub last_duration: Duration,
    pub refreshes: u64,
    pub failures: BTreeMap<FailureReason, u64>,
    /// Why the last refresh failed, if it did.
    pub last_failure: Option<String>,
    /// The kind of that failure.
    #[serde(default)]
    pub last_reason: Option<FailureReason>,
    pub revisions: u64,
    /// When the upstream says that the table will next be updated.
    pub update_next: Option<NaiveDate>,
}

impl Health {
    /// The health after a refresh that succeeded.
    #[must_use]
    pub fn succeeded(&self, at: DateTime<Utc>, took: Duration) -> Self {
        Self {
            up: true,
            last_success: Some(at),
            last_duration: took,
            refreshes: self.refreshes + 1,
            last_failure: None,
            last_reason: None,
            ..self.clone()
        }
    }

    /// The health after a refresh that failed.
    #[must_use]
    pub fn failed(&self, error: &SourceError, took: Duration) -> Self {
        let mut health = Self {
            up: false,
            last_duration: took,
            refreshes: self.refreshes + 1,
            last_failure: Some(error.message.clone()),
            last_reason: Some(error.reason),
            ..self.clone()
        };
        *health.failures.entry(error.reason).or_default() += 1;
        health
    }
}

impl Snapshot {
    /// The state of the indicator with that id.
    #[must_use]
    pub fn indicator(&self, id: &str) -> Option<&Arc<IndicatorState>> {
        self.indicators.iter().find(|state| state.definition.id.as_str() == id)
    }

    /// The snapshot under other definitions: an indicator with the same figures keeps its state, a changed or new one starts empty,
    /// and one that is no longer defined is removed.
    #[must_use]
    pub fn redefined(&self, definitions: &Definitions) -> Self {
        let indicators = definitions.iter().map(|definition| {
            let kept = self.indicators.iter().find(|state| state.definition.same_figures(definition));
            let mut state = IndicatorState::new(Arc::clone(definition));
            if let Some(kept) = kept {
                state.figures.clone_from(&kept.figures);
                state.health.clone_from(&kept.health);
            }
            Arc::new(state)
        });
        Self { origin: Arc::clone(&self.origin), indicators: indicators.collect() }
    }

    /// The snapshot with one indicator's state replaced, if the indicator's definition has not changed since.
    #[must_use]
    pub fn with(&self, state: IndicatorState) -> Self {
        let mut indicators = self.indicators.clone();
        if let Some(place) = indicators.iter_mut().find(|old| old.definition == state.definition) {
            *place = Arc::new(state);
        }
        Self { origin: Arc::clone(&self.origin), indicators }
    }
}

impl IndicatorState {
    /// An indicator that has never been refreshed.
    #[must_use]
    pub fn new(definition: Arc<Definition>) -> Self {
        Self { definition, figures: None, health: Health::default() }
    }
}
