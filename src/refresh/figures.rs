//! Reads figures for the indicators through the same plan and fetch stages as every other request.

use std::sync::Arc;

use async_trait::async_trait;

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::fetch::Fetcher;
use crate::fetch::error::FetchError;
use crate::indicators::source::{FigureSource, SourceError};
use crate::observe::upstream_observer::FailureReason;
use crate::plan::cut;
use crate::plan::selection::Selection;
use crate::refresh::sync::keeper::{CatalogueError, CatalogueKeeper};
use crate::settings::redact::redact;
use crate::store::block::SharedBlock;

/// The catalogue and the fetch stage as a source of figures.
#[derive(Debug, Clone)]
pub struct FetchedFigures {
    pub catalogue: Arc<CatalogueKeeper>,
    pub fetcher: Fetcher,
    pub cell_limit: u64,
}

#[async_trait]
impl FigureSource for FetchedFigures {
    async fn head(&self, table: &MeasurementId) -> Result<Arc<MeasurementHead>, SourceError> {
        let catalogue = self.catalogue.fresh_list().await.map_err(|error| of_catalogue(&error))?;
        let head = catalogue.heads.get(table).cloned();
        head.ok_or_else(|| of_catalogue(&CatalogueError::UnknownTable { id: table.to_string() }))
    }

    async fn measurement(&self, table: &MeasurementId) -> Result<Arc<Measurement>, SourceError> {
        self.catalogue.measurement(table.as_str()).await.map_err(|error| of_catalogue(&error))
    }

    async fn cells(
        &self,
        measurement: &Arc<Measurement>,
        selection: &Selection,
    ) -> Result<Vec<SharedBlock>, SourceError> {
        let chunks = cut::cut(measurement, selection, self.cell_limit)
            .map_err(|error| SourceError { reason: FailureReason::Validation, message: error.to_string() })?;
        let chunks = &chunks;
        let read = |mode| async move {
            let (mut blocks, mut keys) = (Vec::new(), self.fetcher.keys(measurement));
            for chunk in chunks.iter() {
                blocks.extend(self.fetcher.chunk(measurement, &chunk, &keys.of(&chunk), mode).await?);
            }
            Ok(blocks)
        };
        let blocks = self.fetcher.in_one_revision(&measurement.id, None, read).await;
        blocks.map_err(|error: FetchError| of_fetch(&error))
    }
}

fn of_catalogue(error: &CatalogueError) -> SourceError {
    let reason = match error {
        CatalogueError::Upstream(error) => error.reason(),
        CatalogueError::UnknownTable { .. } => FailureReason::Validation,
        CatalogueError::Read(_) => FailureReason::Decode,
    };
    SourceError { reason, message: redact(&error.to_string()).into_owned() }
}

fn of_fetch(error: &FetchError) -> SourceError {
    let reason = match error {
        FetchError::Upstream(error) | FetchError::TooMuch(error) => error.reason(),
        FetchError::Join(_) | FetchError::Plan(_) => FailureReason::Validation,
        FetchError::Budget(_) => FailureReason::RateLimited,
        FetchError::Columns(_)
        | FetchError::Gone { .. }
        | FetchError::Moved { .. }
        | FetchError::Interrupted => FailureReason::Decode,
    };
    SourceError { reason, message: redact(&error.to_string()).into_owned() }
}
