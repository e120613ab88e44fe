//! What the handlers share.

use std::sync::Arc;

use crate::answer::Answerer;
use crate::clock::Clock;
use crate::indicators::collector::Collector;
use crate::observe::metrics::Metrics;
use crate::observe::reports::FailureReports;
use crate::refresh::feeds::FeedKeeper;
use crate::refresh::read_ahead::ReadAhead;
use crate::refresh::sync::keeper::CatalogueKeeper;
use crate::store::CellStore;
use crate::store::revisions::RevisionLog;

/// Everything that answering needs; made once in main.
#[derive(Debug, Clone)]
pub struct AppState {
    pub feeds: Arc<FeedKeeper>,
    pub catalogue: Arc<CatalogueKeeper>,
    pub answerer: Answerer,
    pub indicators: Arc<Collector>,
    pub ahead: Arc<ReadAhead>,
    pub store: Arc<dyn CellStore>,
    pub revisions: RevisionLog,
    pub metrics: Arc<Metrics>,
    pub reports: Arc<FailureReports>,
    pub clock: Clock,
    /// Scheme, host and path for links, where they are set.
    pub public_url: Option<String>,
}
