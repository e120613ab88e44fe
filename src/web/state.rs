//! The state that all request handlers share.

use std::sync::Arc;

use reqwest::header::HeaderName;

use crate::answer::Answerer;
use crate::budget::Budget;
use crate::budget::client::{Client, TrustedProxies};
use crate::budget::upstream::Requester;
use crate::budget::work::Workers;
use crate::clock::Clock;
use crate::indicators::collector::Collector;
use crate::observe::metrics::Metrics;
use crate::observe::reports::FailureReports;
use crate::observe::traces::Traces;
use crate::peers::Peers;
use crate::refresh::read_ahead::ReadAhead;
use crate::refresh::readable::Readable;
use crate::refresh::sync::keeper::CatalogueKeeper;
use crate::refresh::tasks::Tasks;
use crate::sign_in::SignIn;
use crate::sign_in::reader::Reader;
use crate::store::CellStore;
use crate::web::access_log::AccessLog;
use crate::web::connections::Connections;
use crate::web::download::whole_files::WholeFiles;

/// The shared state, created once by `service.rs`.
#[derive(Debug, Clone)]
pub struct AppState {
    /// What the reader may read.
    pub feeds: Readable,
    pub catalogue: Arc<CatalogueKeeper>,
    pub answerer: Answerer,
    /// The threads on which requests are answered.
    pub workers: Arc<Workers>,
    pub indicators: Arc<Collector>,
    pub ahead: Arc<ReadAhead>,
    pub store: Arc<dyn CellStore>,
    pub files: Arc<WholeFiles>,
    pub metrics: Arc<Metrics>,
    pub reports: Arc<FailureReports>,
    pub traces: Traces,
    /// The work of the background.
    pub tasks: Arc<Tasks>,
    pub access_log: Arc<AccessLog>,
    pub clock: Clock,
    /// Scheme, host and path for links, where they are set.
    pub public_url: Option<String>,
    /// The proxies that are trusted in what they say of clients and users.
    pub proxies: TrustedProxies,
    /// The header in which they name the user, where they do.
    pub user_header: Option<HeaderName>,
    /// The origins of pages elsewhere that may read answers.
    pub cors_origins: Arc<[String]>,
    /// Who may read.
    pub sign_in: Arc<SignIn>,
    /// Whose request is answered.
    pub reader: Reader,
    pub connections: Arc<Connections>,
    /// The other bridges, where a Redis is shared with any.
    pub peers: Option<Peers>,
    /// Budgets that metrics show.
    pub budgets: Vec<Arc<dyn Budget>>,
}

impl AppState {
    /// The same for a request of a reader: the client's budgets pay for what it asks of the upstream.
    #[must_use]
    pub fn for_reader(&self, reader: Reader, client: Client) -> Self {
        let mut state = self.clone();
        state.feeds = self.feeds.of(reader.tables.clone());
        state.reader = reader;
        state.answerer.fetcher = self.answerer.fetcher.on_behalf_of(Requester::Client(client));
        state
    }
}
