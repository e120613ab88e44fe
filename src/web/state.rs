//! The state that all request handlers share.

use std::sync::Arc;

use crate::answer::Answerer;
use crate::budget::Budget;
use crate::budget::client::{Client, TrustedProxies};
use crate::budget::upstream::Requester;
use crate::budget::work::Workers;
use crate::clock::Clock;
use crate::indicators::collector::Collector;
use crate::observe::metrics::Metrics;
use crate::observe::reports::FailureReports;
use crate::refresh::feeds::FeedKeeper;
use crate::refresh::read_ahead::ReadAhead;
use crate::refresh::sync::keeper::CatalogueKeeper;
use crate::store::CellStore;
use crate::store::revisions::RevisionLog;
use crate::web::access_log::AccessLog;
use crate::web::connections::Connections;
use crate::web::download::whole_files::WholeFiles;

/// The shared state, created once by `service.rs`.
#[derive(Debug, Clone)]
pub struct AppState {
    pub feeds: Arc<FeedKeeper>,
    pub catalogue: Arc<CatalogueKeeper>,
    pub answerer: Answerer,
    /// The threads on which requests are answered.
    pub workers: Arc<Workers>,
    pub indicators: Arc<Collector>,
    pub ahead: Arc<ReadAhead>,
    pub store: Arc<dyn CellStore>,
    pub files: Arc<WholeFiles>,
    pub revisions: RevisionLog,
    pub metrics: Arc<Metrics>,
    pub reports: Arc<FailureReports>,
    pub access_log: Arc<AccessLog>,
    pub clock: Clock,
    /// Scheme, host and path for links, where they are set.
    pub public_url: Option<String>,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub proxies: TrustedProxies,
    pub connections: Arc<Connections>,
    /// Budgets that metrics show.
    pub budgets: Vec<Arc<dyn Budget>>,
}

impl AppState {
    /// The same for the requests of one client: its budgets pay for what they ask of the upstream.
    #[must_use]
    pub fn for_client(&self, client: Client) -> Self {
        let mut state = self.clone();
        state.answerer.fetcher = self.answerer.fetcher.on_behalf_of(Requester::Client(client));
        state
    }
}
