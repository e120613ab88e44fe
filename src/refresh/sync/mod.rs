//! Synchronises the catalogue with the upstream: in the background and on request, saved on disk, unchanged by failures.

pub mod files;
pub mod keeper;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::refresh::sync::keeper::{CatalogueError, CatalogueKeeper, SyncScope};
use crate::store::freshness::LOOK_UP_PAUSE;

/// A list that was read so recently, when a round began, is not read again.
const JUST_READ: TimeDelta = TimeDelta::seconds(60);

/// The pause after a round in which the list could not be read, as after a start while the upstream is away.
const PAUSE_WITHOUT_LIST: Duration = Duration::from_secs(60);

/// Whose turn it is to read the list of tables, where several bridges do.
#[async_trait]
pub trait Rounds: Send + Sync + Debug {
    /// Whether this bridge reads it now. If not, another one has, or is about to, and tells of it.
    async fn is_ours(&self) -> bool;
}

/// For a bridge that is alone.
#[derive(Debug, Clone, Copy)]
pub struct EveryRound;

#[async_trait]
impl Rounds for EveryRound {
    async fn is_ours(&self) -> bool {
        true
    }
}

/// Reads the list of tables, then every table that is new or was updated, and repeats this until `stop` becomes true or its
/// sender is dropped.
pub async fn run(
    catalogue: Arc<CatalogueKeeper>,
    concurrency: usize,
    clock: Clock,
    rounds: Arc<dyn Rounds>,
    mut stop: watch::Receiver<bool>,
) {
    let work = async {
        // The first round reads the list whenever it was last read, because the service may have been away. Why one failed is told once.
        let (mut good_enough, mut failure) = (None, None);
        loop {
            // A round that could not be done stays that of the bridge that had it.
            let is_ours = failure.is_some() || rounds.is_ours().await;
            let done = bring_up_to_date(&catalogue, concurrency, is_ours, good_enough).await;
            let problem = done.err().map(|error| error.to_string());
            if let Some(error) = problem.as_ref().filter(|_| problem != failure) {
                tracing::warn!(error, "the list of tables could not be read");
            }
            clock.sleep(if problem.is_none() { LOOK_UP_PAUSE } else { PAUSE_WITHOUT_LIST }).await;
            (good_enough, failure) = (Some(clock.now() - JUST_READ), problem);
        }
    };
    tokio::select! {
        () = work => {}
        _ = stop.wait_for(|stopped| *stopped) => {}
    }
}

async fn bring_up_to_date(
    catalogue: &CatalogueKeeper,
    concurrency: usize,
    reads_list: bool,
    good_enough: Option<DateTime<Utc>>,
) -> Result<(), CatalogueError> {
    if reads_list {
        catalogue.refresh_list_since(good_enough).await?;
    }
    let report = catalogue.read_tables(SyncScope::Due, concurrency, &mut |_| {}).await;
    tracing::info!(read = report.read, failed = report.failed.len(), "catalogue is up to date");
    Ok(())
}
