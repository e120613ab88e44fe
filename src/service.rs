//! Creates all parts of the program and connects them. main and the tests start the same [`Service`].

mod limits;
mod sharing;

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use chrono::{DateTime, Utc};
use thiserror::Error;
use tokio::task::JoinHandle;

use crate::answer::Answerer;
use crate::budget;
use crate::budget::answers::AnswerMemory;
use crate::budget::upstream::{Requester, UpstreamBudgets};
use crate::budget::work::{PROCESSOR_TIME, Workers};
use crate::clock::Clock;
use crate::disk;
use crate::feed::origin::Origin;
use crate::fetch::Fetcher;
use crate::fetch::ask::Asker;
use crate::fetch::learnt::Learnt;
use crate::indicators::collector::Collector;
use crate::indicators::definition::{DefinitionError, Definitions};
use crate::indicators::saved;
use crate::observe::metrics::Metrics;
use crate::observe::news::Announcements;
use crate::observe::reports::FailureReports;
use crate::observe::request::RequestCalls;
use crate::observe::store_observer::StoreObserver;
use crate::observe::traces::Traces;
use crate::observe::upstream_observer::UpstreamObserver;
use crate::peers::Peers;
use crate::refresh::feeds::{FeedKeeper, NamesError};
use crate::refresh::figures::FetchedFigures;
use crate::refresh::indicators::{self, Pace};
use crate::refresh::read_ahead::{self, Budget, ReadAhead};
use crate::refresh::readable::Readable;
use crate::refresh::sync::files::CatalogueFiles;
use crate::refresh::sync::{self, Rounds, keeper::CatalogueKeeper};
use crate::refresh::tasks::Tasks;
use crate::refresh::updates::ListedUpdates;
use crate::service::limits::{answer_limits, check_cell_limit, connections, upstream_budgets};
use crate::service::sharing::{Sharing, follow};
use crate::settings::key::{ApiKey, KeyFileError};
use crate::settings::{BridgeSettings, MEGABYTE};
use crate::sign_in::reader::Reader;
use crate::sign_in::token::Accepted;
use crate::sign_in::{self, SignIn};
use crate::store::CellStore;
use crate::store::revisions::{self, RevisionLog};
use crate::store::tiered::TieredStore;
use crate::store::uses::{self, UseLog};
use crate::store::writer::DiskWriter;
use crate::upstream::TableHints;
use crate::upstream::client::{ClientError, ClientOptions, HttpUpstream, Upstream};
use crate::upstream::dialect::{DIALECT_FILE, DialectError};
use crate::upstream::retry::Retry;
use crate::upstream::slots::CallSlots;
use crate::web::access_log::AccessLog;
use crate::web::connections::{Connections, Timeouts};
use crate::web::download::whole_files::WholeFiles;
use crate::web::listen::listen;
use crate::web::state::AppState;

/// Which upstream is called, and how.
#[derive(Debug, Clone)]
pub struct UpstreamChoice {
    pub origin: Origin,
    /// The folder below `BRIDGE_DATA_DIR` that has everything that is stored from this origin. Each edition of the simulator has
    /// its own, because the figures that it makes up differ from those of other editions.
    pub folder: String,
    pub url: String,
    pub key: Option<ApiKey>,
    /// The file that the key is read from, if it is in one.
    pub key_file: Option<PathBuf>,
    /// Whether the upstream is closed from 22 to 23.
    pub closed_hour: bool,
    pub retry: Retry,
}

/// How the service starts.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    pub settings: BridgeSettings,
    pub upstream: UpstreamChoice,
    pub clock: Clock,
    pub pace: Pace,
    /// What may be read ahead on one day.
    pub ahead: Budget,
    /// The processor time of one request.
    pub processor_time: Duration,
    /// Worker threads that answer requests; `None` for one per core.
    pub workers: Option<usize>,
    /// How long clients are waited for.
    pub timeouts: Timeouts,
    /// Where traces go.
    pub traces: Traces,
    /// Whether tables and indicators are read in the background.
    pub background: bool,
}

impl ServiceOptions {
    /// As the service starts unless something else is said.
    #[must_use]
    pub fn new(settings: BridgeSettings, upstream: UpstreamChoice) -> Self {
        Self {
            settings,
            upstream,
            clock: Clock::default(),
            pace: Pace::default(),
            ahead: Budget::default(),
            processor_time: PROCESSOR_TIME,
            workers: None,
            timeouts: Timeouts::default(),
            traces: Traces::default(),
            background: true,
        }
    }
}

/// Why the service cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("BRIDGE_DATA_DIR: the folder {path} cannot be used: {source}")]
    Folder { path: PathBuf, source: io::Error },
    #[error("BRIDGE_DATA_DIR: the folder {path} is in use by another process")]
    FolderInUse { path: PathBuf },
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
    #[error("BRIDGE_CELL_LIMIT: {limit} cells are less than one row may have; expected at least {least}")]
    CellLimit { limit: u64, least: u64 },
    #[error("BRIDGE_INDICATORS: {0}")]
    Indicators(#[from] DefinitionError),
    #[error(transparent)]
    Names(#[from] NamesError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the machine's clock says {now}; set it to the present")]
    Clock { now: DateTime<Utc> },
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error(transparent)]
    SignIn(#[from] sign_in::OpenError),
    #[error(
        "BRIDGE_LISTEN: others can reach {listen}, and nobody has to sign in; name the users in BRIDGE_USERS_FILE \
         (`jobindsats-bridge user add NAME` writes it), or set BRIDGE_OPEN=1 if everybody may read"
    )]
    Open { listen: SocketAddr },
    #[error("BRIDGE_REDIS_URL: {place} is no address of Redis")]
    Redis { place: String },
    #[error("BRIDGE_LISTEN: cannot listen on {listen}: {source}")]
    Listen { listen: SocketAddr, source: io::Error },
}

/// Why a file cannot be used that is read again while the program runs.
#[derive(Debug, Error)]
pub enum ReloadError {
    #[error("{DIALECT_FILE}: what a probe found cannot be used; what was known stays: {0}")]
    Dialect(DialectError),
    #[error("JOBINDSATS_API_KEY_FILE cannot be used; the earlier key stays: {0}")]
    Key(KeyFileError),
    #[error("it cannot be read who may read; what cannot be read stays as it was: {0}")]
    SignIn(sign_in::OpenError),
    #[error("BRIDGE_INDICATORS cannot be used; the earlier indicators go on: {0}")]
    Indicators(DefinitionError),
}

/// The parts of the program without the server: enough for commands that only read or check.
#[derive(Debug)]
pub struct Parts {
    pub state: AppState,
    pub client: Arc<HttpUpstream>,
    /// What answers and probes showed of the upstream beyond its metadata.
    pub learnt: Learnt,
    /// What may be asked of the upstream in an hour.
    pub budgets: UpstreamBudgets,
    /// The lock on the data folder, held for as long as the process runs.
    _folder: Option<File>,
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    pub address: SocketAddr,
    pub state: AppState,
    settings: BridgeSettings,
    client: Arc<HttpUpstream>,
    learnt: Learnt,
    server: ServerHandle,
    running: JoinHandle<io::Result<()>>,
    _folder: Option<File>,
}

/// The revision of the source that the program was built from, as the build said it.
pub(crate) const REVISION: &str = match option_env!("BRIDGE_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Folders of the data folder.
pub(crate) const CATALOGUE: &str = "catalogue";
pub(crate) const CELLS: &str = "cells";
const FILES: &str = "files";

/// Creates the parts and reads the files in the data folder. Makes no call to the upstream.
///
/// # Errors
/// When a setting cannot be used.
pub fn assemble(options: &ServiceOptions) -> Result<Parts, StartError> {
    let settings = &options.settings;
    check_clock(&options.clock)?;
    let sharing = Sharing::of(options)?;
    let sign_in = sign_in(settings, &options.clock, sharing.announcements.clone())?;
    let (definitions, path) = (definitions(settings)?, settings.data_dir.join(&options.upstream.folder));
    let (folder, metrics, reports) =
        (own(&path)?, metrics(&options.clock)?, Arc::new(FailureReports::default()));
    let with_others = (sharing.slots(), sharing.announcements.clone());
    let client = Arc::new(client(options, observers(options, &metrics, &reports), with_others)?);
    let upstream = sharing.upstream(client.clone());
    let (clock, origin) = (options.clock.clone(), options.upstream.origin.clone());
    let catalogue = catalogue(&path, &upstream, &clock, settings.cell_limit)?;
    let writer = DiskWriter::start().map_err(StartError::Thread)?;
    let Logs { revisions, uses, learnt } = logs(&path, &writer, &clock, &metrics, &sharing.announcements);
    let ((store, files), updates) = (store(settings, &path, &origin, writer, &metrics), updates(&catalogue));
    sharing.set_parts(&catalogue, &store);
    let budgets = sharing.budgets(upstream_budgets(settings, &origin, &clock));
    let connections = connections(settings);
    let (workers, answers) = workers(options)?;
    // If a probe finds another limit while the program runs, it counts from the next start on: all plans of a process have one limit.
    let cell_limit = learnt.cell_limit(settings.cell_limit);
    let asker = Asker::new(upstream, updates.clone(), learnt.clone(), budgets.clone(), cell_limit);
    let figures = (Arc::clone(&store), updates, revisions.clone());
    let fetcher = fetcher(asker, figures, &metrics, &clock, &sharing);
    let figures = FetchedFigures { catalogue: Arc::clone(&catalogue), fetcher: fetcher.clone(), cell_limit };
    let indicators = collector(&figures, &clock, &origin, &definitions, &path, &revisions);
    let told = sharing.announcements.clone();
    let feeds = Arc::new(FeedKeeper::open(path, Arc::clone(&catalogue), revisions.clone(), origin, told)?);
    sharing.set_informed((&feeds, &revisions, &uses, &learnt), (&sign_in, &client));
    let ahead = read_ahead(&figures, &feeds, &uses, &metrics, options);
    let state = AppState {
        feeds: Readable::all(feeds),
        catalogue,
        answerer: Answerer { fetcher, uses, limits: answer_limits(settings, cell_limit) },
        workers: Arc::new(workers),
        indicators: Arc::new(indicators),
        ahead: Arc::new(ahead),
        store,
        files,
        metrics,
        reports,
        traces: options.traces.clone(),
        tasks: Arc::new(Tasks::new(clock.clone())),
        access_log: Arc::new(AccessLog::new(settings.access_log, Box::new(io::stdout()))),
        clock,
        public_url: settings.public_url.clone(),
        proxies: settings.trusted_proxies.clone(),
        user_header: settings.user_header.clone(),
        cors_origins: settings.cors_origins.clone().into(),
        budgets: shown(&budgets, &connections, [answers, sign_in.guesses() as _]),
        sign_in,
        reader: Reader::default(),
        connections,
        peers: sharing.peers,
    };
    Ok(Parts { state, client, learnt, budgets, _folder: folder })
}

fn fetcher(
    asker: Asker,
    (store, updates, revisions): (Arc<dyn CellStore>, Arc<ListedUpdates>, RevisionLog),
    metrics: &Arc<Metrics>,
    clock: &Clock,
    sharing: &Sharing,
) -> Fetcher {
    let observer: Arc<dyn StoreObserver> = metrics.clone();
    Fetcher::new(asker, store, updates, revisions, observer, clock.clone(), sharing.others())
}

/// What is kept of the past.
struct Logs {
    revisions: RevisionLog,
    uses: UseLog,
    learnt: Learnt,
}

fn logs(
    folder: &Path,
    writer: &DiskWriter,
    clock: &Clock,
    metrics: &Arc<Metrics>,
    announcements: &Announcements,
) -> Logs {
    let (told, revisions) = (|| announcements.clone(), folder.join(revisions::FILE));
    Logs {
        revisions: RevisionLog::open(revisions, writer.clone(), metrics.clone(), told()),
        uses: UseLog::open(folder.join(uses::FILE), writer.clone(), clock.clone(), told()),
        learnt: Learnt::open(folder.to_owned(), writer.clone(), told()),
    }
}

fn collector(
    figures: &FetchedFigures,
    clock: &Clock,
    origin: &Origin,
    definitions: &Definitions,
    folder: &Path,
    revisions: &RevisionLog,
) -> Collector {
    let (source, file) = (source_label(origin), folder.join(saved::FILE));
    let figures = Arc::new(figures.clone());
    Collector::start(figures, clock.clone(), &source, definitions, file, revisions.clone())
}

/// The budgets that metrics show.
fn shown(
    budgets: &UpstreamBudgets,
    connections: &Arc<Connections>,
    others: [Arc<dyn budget::Budget>; 2],
) -> Vec<Arc<dyn budget::Budget>> {
    budgets.iter().chain(connections.budgets()).chain(others).collect()
}

fn observers(
    options: &ServiceOptions,
    metrics: &Arc<Metrics>,
    reports: &Arc<FailureReports>,
) -> Vec<Arc<dyn UpstreamObserver>> {
    vec![metrics.clone(), reports.clone(), Arc::new(RequestCalls(options.traces.clone()))]
}

fn updates(catalogue: &Arc<CatalogueKeeper>) -> Arc<ListedUpdates> {
    Arc::new(ListedUpdates(Arc::clone(catalogue)))
}

/// The threads that answer, and the budget of their answers' memory.
fn workers(options: &ServiceOptions) -> Result<(Workers, Arc<dyn budget::Budget>), StartError> {
    let memory = Arc::new(AnswerMemory::new(options.settings.answers_mb.saturating_mul(MEGABYTE)));
    let workers = Workers::start(options.processor_time, Arc::clone(&memory)).map_err(StartError::Thread)?;
    Ok((workers, memory))
}

fn read_ahead(
    figures: &FetchedFigures,
    feeds: &Arc<FeedKeeper>,
    uses: &UseLog,
    metrics: &Arc<Metrics>,
    options: &ServiceOptions,
) -> ReadAhead {
    let fetcher = figures.fetcher.on_behalf_of(Requester::ReadAhead);
    ReadAhead::new(
        FetchedFigures { fetcher, ..figures.clone() },
        Arc::clone(feeds),
        options.settings.ready_tables.clone(),
        uses.clone(),
        Arc::clone(metrics),
        options.clock.clone(),
        options.ahead,
    )
}

/// Refuses a clock that is before 1970: libraries that write dates panic there.
fn check_clock(clock: &Clock) -> Result<(), StartError> {
    let now = clock.now();
    if now < DateTime::UNIX_EPOCH { Err(StartError::Clock { now }) } else { Ok(()) }
}

/// Who may read, as the settings say it.
pub(crate) fn sign_in(
    settings: &BridgeSettings,
    clock: &Clock,
    announcements: Announcements,
) -> Result<Arc<SignIn>, sign_in::OpenError> {
    let (users, metrics_password) = (settings.users_file.clone(), settings.metrics_password_file.clone());
    let audiences = settings.token_audience.clone();
    let tokens = settings.token_issuer.clone().map(|issuer| Accepted { issuer, audiences });
    let files = sign_in::Files { users, metrics_password };
    Ok(Arc::new(SignIn::open(files, tokens, clock.clone(), announcements)?))
}

/// Refuses an address that others can reach, unless it was said who may read.
pub(crate) fn check_exposure(settings: &BridgeSettings) -> Result<(), StartError> {
    let listen = settings.listen;
    let is_said = listen.ip().to_canonical().is_loopback() || settings.open || settings.users_file.is_some();
    if is_said { Ok(()) } else { Err(StartError::Open { listen }) }
}

fn metrics(clock: &Clock) -> Result<Arc<Metrics>, prometheus::Error> {
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), REVISION)?;
    metrics.configuration_read(Some(clock.now()));
    Ok(Arc::new(metrics))
}

fn store(
    settings: &BridgeSettings,
    folder: &Path,
    origin: &Origin,
    writer: DiskWriter,
    metrics: &Arc<Metrics>,
) -> (Arc<dyn CellStore>, Arc<WholeFiles>) {
    let bytes = |megabytes: u64| megabytes.saturating_mul(MEGABYTE);
    let memory_bytes = usize::try_from(bytes(settings.memory_mb as u64)).unwrap_or(usize::MAX);
    let (cells, disk_bytes) = (folder.join(CELLS), bytes(settings.disk_mb));
    let store = TieredStore::open(cells, &origin.name, memory_bytes, disk_bytes, writer, metrics.clone());
    let files = WholeFiles::new(store.made_files(folder.join(FILES)), bytes(settings.file_mb));
    (Arc::new(store), Arc::new(files))
}

fn catalogue(
    folder: &Path,
    upstream: &Arc<dyn Upstream>,
    clock: &Clock,
    cell_limit: u64,
) -> Result<Arc<CatalogueKeeper>, StartError> {
    let (files, hints) = (CatalogueFiles::new(folder.join(CATALOGUE)), TableHints::built_in());
    let catalogue = CatalogueKeeper::open(files, Arc::clone(upstream), clock.clone(), hints);
    check_cell_limit(cell_limit, &catalogue.current())?;
    Ok(Arc::new(catalogue))
}

pub(crate) fn definitions(settings: &BridgeSettings) -> Result<Definitions, DefinitionError> {
    match &settings.indicators {
        Some(path) => Definitions::read(path, settings.series_limit),
        None => Definitions::built_in(settings.series_limit),
    }
}

/// Locks the folder for this process. Where it cannot be written (read-only, disk full), there is no lock: nothing is stored in
/// it and the service answers from memory.
fn own(path: &Path) -> Result<Option<File>, StartError> {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    const REFUSALS: [io::ErrorKind; 4] = [PermissionDenied, ReadOnlyFilesystem, StorageFull, QuotaExceeded];
    match disk::own(path) {
        Ok(Some(folder)) => Ok(Some(folder)),
        Ok(None) => Err(StartError::FolderInUse { path: path.to_owned() }),
        Err(error) if REFUSALS.contains(&error.kind()) => {
            tracing::error!(folder = %path.display(), %error, "the data folder cannot be written; nothing outlives this process");
            Ok(None)
        }
        Err(source) => Err(StartError::Folder { path: path.to_owned(), source }),
    }
}

/// The value of the label `source` on every gauge: the databank, or the simulator.
fn source_label(origin: &Origin) -> String {
    if origin.is_simulator { "simulator".to_owned() } else { "jobindsats".to_owned() }
}

pub(crate) fn client(
    options: &ServiceOptions,
    observers: Vec<Arc<dyn UpstreamObserver>>,
    (slots, announcements): (Arc<dyn CallSlots>, Announcements),
) -> Result<HttpUpstream, ClientError> {
    HttpUpstream::new(ClientOptions {
        base_url: options.upstream.url.clone(),
        key: options.upstream.key.clone(),
        key_file: options.upstream.key_file.clone(),
        timeout: Duration::from_secs(options.settings.upstream_timeout_seconds),
        concurrency: options.settings.upstream_concurrency,
        closed_hour: options.upstream.closed_hour,
        retry: options.upstream.retry.clone(),
        clock: options.clock.clone(),
        observer: Arc::new(observers),
        slots,
        announcements,
    })
}

/// Starts the service inside the running tokio runtime.
///
/// # Errors
/// When a setting cannot be used or the address is taken.
pub async fn start(options: ServiceOptions) -> Result<Service, StartError> {
    check_exposure(&options.settings)?;
    let Parts { state, client, learnt, budgets, _folder } = assemble(&options)?;
    let listen_at = options.settings.listen;
    let (server, address) = listen(listen_at, options.workers, options.timeouts, state.clone())
        .map_err(|source| StartError::Listen { listen: listen_at, source })?;
    let handle = server.handle();
    let rounds = follow(&state, budgets);
    if options.background {
        start_background(&state, &options, rounds);
    }
    let (settings, running) = (options.settings, tokio::spawn(server));
    let server = handle;
    Ok(Service { address, state, settings, client, learnt, server, running, _folder })
}

/// The base URL of a service for clients on its own machine. One that listens on all addresses is reached on loopback.
#[must_use]
pub fn local_url(mut listen: SocketAddr) -> String {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    format!("http://{listen}")
}

fn start_background(state: &AppState, options: &ServiceOptions, rounds: Arc<dyn Rounds>) {
    let AppState { catalogue, indicators, ahead, clock, .. } = state.clone();
    let (concurrency, of_sync) = (options.settings.upstream_concurrency, clock.clone());
    state.tasks.start("catalogue", move |stop| {
        sync::run(Arc::clone(&catalogue), concurrency, of_sync.clone(), Arc::clone(&rounds), stop)
    });
    let pace = options.pace;
    state
        .tasks
        .start("indicators", move |stop| indicators::run(Arc::clone(&indicators), pace, clock.clone(), stop));
    state.tasks.start("read_ahead", move |stop| read_ahead::run(Arc::clone(&ahead), stop));
    if let Some(issuer) = state.sign_in.issuer() {
        state.tasks.start("issuer", move |stop| issuer.clone().run(stop));
    }
}

impl Service {
    /// The base URL for a client on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        local_url(self.address)
    }

    /// The address that people use: the one that is set, or one on this machine.
    #[must_use]
    pub fn public_url(&self) -> String {
        self.settings.public_url.clone().unwrap_or_else(|| self.url())
    }

    /// Reads again what may change while the program runs: what a probe found, the file of the key, the users, the password of metrics, and
    /// the definitions of the indicators. Indicators that ask for the same figures as before keep them. A file that cannot be used changes
    /// nothing, and keeps no other from being used; what is wrong with such files is returned, and the metrics show that something is.
    #[must_use]
    pub fn reload(&self) -> Vec<ReloadError> {
        let dialect = self.learnt.read_dialect().map_err(ReloadError::Dialect);
        let key = self.client.reread_key().map_err(ReloadError::Key);
        let sign_in = self.state.sign_in.reload().into_iter().map(ReloadError::SignIn);
        let definitions = definitions(&self.settings).map_err(ReloadError::Indicators);
        let indicators = definitions.map(|definitions| self.state.indicators.redefine(&definitions));
        let others = [dialect, key, indicators].into_iter().filter_map(Result::err);
        let faults: Vec<_> = others.chain(sign_in).collect();
        let succeeded_at = faults.is_empty().then(|| self.state.clock.now());
        self.state.metrics.configuration_read(succeeded_at);
        faults
    }

    /// Stops: lets running requests finish, ends the background work and saves its state to disk.
    pub async fn stop(self) {
        self.state.tasks.begin_stop();
        self.server.stop(true).await;
        self.state.peers.iter().for_each(Peers::finish);
        self.state.tasks.ended().await;
        let _ = self.running.await;
        self.state.store.flush().await;
        self.state.traces.stop().await;
    }

    /// Runs until the server ends by itself.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn until_end(&mut self) -> io::Result<()> {
        (&mut self.running).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}
