//! Refreshes indicators and publishes a snapshot with its rendering after each refresh. A failed refresh keeps the earlier figures
//! and is recorded in the indicator's health. Scrapes read the latest published snapshot and never wait for a refresh.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::NaiveDate;

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::clock::Clock;
use crate::indicators::definition::{Definition, Definitions};
use crate::indicators::exposition::Rendered;
use crate::indicators::figures::Figures;
use crate::indicators::resolve::{ResolvedIndicator, resolve};
use crate::indicators::saved;
use crate::indicators::snapshot::{IndicatorState, Snapshot};
use crate::indicators::source::{FigureSource, SourceError};
use crate::store::freshness;
use crate::store::revisions::RevisionLog;
use crate::upstream::TableHints;

/// A snapshot with its rendering.
#[derive(Debug)]
pub struct Published {
    pub snapshot: Arc<Snapshot>,
    pub rendered: Rendered,
}

/// Refreshes, publishes and saves the indicators of one origin.
#[derive(Debug)]
pub struct Collector {
    source: Arc<dyn FigureSource>,
    clock: Clock,
    hints: TableHints,
    file: PathBuf,
    revisions: RevisionLog,
    published: RwLock<Arc<Published>>,
    /// Locked while a new snapshot is made from the current one.
    change: Mutex<()>,
    /// The reason of a failure that was logged last, so that one reason is logged once and not for each indicator.
    said: Mutex<Option<String>>,
    /// Locked while the file is written; the snapshot that the file holds.
    saved: Mutex<Arc<Snapshot>>,
}

/// The result of a successful refresh.
struct Refreshed {
    /// `None`: the table was not updated, so the earlier figures are still current.
    figures: Option<Figures>,
    /// How many figures are others than before.
    revisions: u64,
    update_next: Option<NaiveDate>,
}

impl Collector {
    /// A collector that starts with the figures saved in the file.
    #[must_use]
    pub fn start(
        source: Arc<dyn FigureSource>,
        clock: Clock,
        origin: &str,
        definitions: &Definitions,
        file: PathBuf,
        revisions: RevisionLog,
    ) -> Self {
        let indicators = saved::load(&file);
        let snapshot = Arc::new(Snapshot { origin: origin.into(), indicators }.redefined(definitions));
        let hints = TableHints::built_in();
        let published = RwLock::new(Published::of(Arc::clone(&snapshot), &hints));
        Self {
            source,
            clock,
            hints,
            file,
            revisions,
            published,
            change: Mutex::new(()),
            said: Mutex::default(),
            saved: Mutex::new(snapshot),
        }
    }

    /// The latest snapshot.
    #[must_use]
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the definitions; indicators that ask for the same figures as before keep their state.
    pub fn redefine(&self, definitions: &Definitions) {
        self.publish(|snapshot| snapshot.redefined(definitions));
    }

    /// Refreshes one indicator and publishes the outcome; returns whether it succeeded. An id that is no longer defined counts as
    /// success.
    pub async fn refresh(&self, id: &str) -> bool {
        let Some(state) = self.published().snapshot.indicator(id).cloned() else { return true };
        let begun = self.clock.now();
        let outcome = self.read(&state).await;
        let took = (self.clock.now() - begun).to_std().unwrap_or(Duration::ZERO);
        let up = outcome.is_ok();
        let next = self.state_after(&state, outcome, took);
        self.publish(|snapshot| snapshot.with(next));
        up
    }

    /// Saves the latest snapshot, unless the file holds it already. Blocks the calling thread.
    pub fn save(&self) {
        let snapshot = Arc::clone(&self.published().snapshot);
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&saved, &snapshot) {
            return;
        }
        match saved::save(&self.file, &snapshot) {
            Ok(()) => *saved = snapshot,
            Err(error) => {
                tracing::error!(file = %self.file.display(), %error, "indicators cannot be kept on disk");
            }
        }
    }

    fn publish(&self, change: impl FnOnce(&Snapshot) -> Snapshot) {
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Published::of(Arc::new(change(&self.published().snapshot)), &self.hints);
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    async fn read(&self, state: &IndicatorState) -> Result<Refreshed, SourceError> {
        let table = MeasurementId::from(state.definition.table.to_lowercase());
        let head = self.source.head(&table).await?;
        let update_next = head.update_next;
        if state.figures.as_deref().is_some_and(|figures| self.is_current(figures, head.update_latest)) {
            return Ok(Refreshed { figures: None, revisions: 0, update_next });
        }
        let (figures, resolved) = self.read_figures(&state.definition, &table).await?;
        let mut revisions = 0;
        if let Some(kept) = &state.figures {
            figures.plausible_after(kept).map_err(|error| SourceError::validation(&error))?;
            let changes = figures.changes_since(kept, &resolved);
            self.revisions.note(&resolved.measurement, &changes, figures.read_at);
            revisions = changes.count() as u64;
        }
        Ok(Refreshed { figures: Some(figures), revisions, update_next })
    }

    fn is_current(&self, figures: &Figures, update_latest: Option<NaiveDate>) -> bool {
        figures.update_latest == update_latest && freshness::is_believed(figures.read_at, self.clock.now())
    }

    async fn read_figures(
        &self,
        definition: &Arc<Definition>,
        table: &MeasurementId,
    ) -> Result<(Figures, ResolvedIndicator), SourceError> {
        let measurement = self.source.measurement(table).await?;
        let error = match self.read_as(definition, &measurement).await {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        // The failure may have shown that the table is no longer as it was known.
        match self.source.measurement(table).await {
            Ok(current) if current != measurement => self.read_as(definition, &current).await,
            _ => Err(error),
        }
    }

    async fn read_as(
        &self,
        definition: &Arc<Definition>,
        measurement: &Arc<Measurement>,
    ) -> Result<(Figures, ResolvedIndicator), SourceError> {
        let resolved = resolve(definition, measurement).map_err(|error| SourceError::validation(&error))?;
        let blocks = self.source.cells(measurement, &resolved.selection).await?;
        let figures =
            Figures::assemble(&resolved, &blocks).map_err(|error| SourceError::validation(&error))?;
        Ok((figures, resolved))
    }

    fn say(&self, state: &IndicatorState, error: &SourceError) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (indicator, reason) = (&state.definition.id, error.reason.as_str());
        if said.as_deref() == Some(error.message.as_str()) {
            tracing::debug!(%indicator, reason, %error, "indicator not refreshed either");
            return;
        }
        tracing::warn!(%indicator, reason, %error, "indicator not refreshed; what was known stays");
        *said = Some(error.message.clone());
    }

    fn state_after(
        &self,
        state: &IndicatorState,
        outcome: Result<Refreshed, SourceError>,
        took: Duration,
    ) -> IndicatorState {
        let mut next = state.clone();
        match outcome {
            Ok(refreshed) => {
                *self.said.lock().unwrap_or_else(PoisonError::into_inner) = None;
                next.health = state.health.succeeded(self.clock.now(), took);
                next.health.update_next = refreshed.update_next;
                if let Some(figures) = refreshed.figures {
                    next.health.revisions += refreshed.revisions;
                    next.figures = Some(Arc::new(figures));
                }
            }
            Err(error) => {
                self.say(state, &error);
                next.health = state.health.failed(&error, took);
            }
        }
        next
    }
}

impl Published {
    fn of(snapshot: Arc<Snapshot>, hints: &TableHints) -> Arc<Self> {
        let rendered = Rendered::of(&snapshot, hints);
        Arc::new(Self { snapshot, rendered })
    }
}
