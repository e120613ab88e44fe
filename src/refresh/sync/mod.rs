//! Synchronises the catalogue with the upstream: in the background and on request, saved on disk, unchanged by failures.

pub mod files;
pub mod keeper;

use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::refresh::sync::keeper::{CatalogueKeeper, SyncScope};
use crate::store::freshness::LOOK_UP_PAUSE;

/// Reads the list of tables, then every table that is new or was updated, and repeats this until `stop` becomes true or its
/// sender is dropped.
pub async fn run(
    catalogue: Arc<CatalogueKeeper>,
    concurrency: usize,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) {
    let work = async {
        loop {
            bring_up_to_date(&catalogue, concurrency).await;
            clock.sleep(LOOK_UP_PAUSE).await;
        }
    };
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
}

async fn bring_up_to_date(catalogue: &CatalogueKeeper, concurrency: usize) {
    match catalogue.sync(SyncScope::Due, concurrency, |_| {}).await {
        Ok(report) => {
            tracing::info!(read = report.read, failed = report.failed.len(), "catalogue is up to date")
        }
        Err(error) => tracing::warn!(%error, "the list of tables could not be read"),
    }
}
