//! A simulator of the upstream, the Jobindsats API version 3, over HTTP: for tests, for training, and for trying the
//! bridge without a key.
//!
//! It answers published figures where `metadata/simulator/` has them and plausible, made-up ones elsewhere. Faults are
//! switched on by [`SimulatorOptions`] and through [`Control`], which is also served under `/control/`. It shares
//! nothing with the bridge but the clock, so that neither can hide the other's mistakes.

mod answer;
mod areas;
mod chance;
#[cfg(test)]
mod coherence;
mod control;
mod dialect;
mod dump;
mod faults;
mod figures;
mod hierarchy;
mod joint;
mod metadata;
mod model;
mod periods;
mod published;
mod render;
mod request;
mod routes;
mod shares;
mod state;
mod tables;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};

pub use self::control::{Control, SetEdition};
pub use self::dialect::{Dialect, UnknownVariant, Variant};
pub use self::dump::{DumpError, DumpExtent, DumpOptions, dump};
pub use self::faults::{Endpoint, Fault, Faults, FaultsError, RateLimited};
pub use self::state::{LoggedAnswer, LoggedRequest, MadeUp, Publish, RequestLog, UnknownTable};

use self::state::{Databank, State};
use crate::clock::Clock;

/// How a simulator starts.
#[derive(Clone)]
pub struct SimulatorOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The only token it admits; none: any token that is not empty.
    pub token: Option<String>,
    /// How many cells one request may ask for.
    pub cell_limit: u64,
    /// Whether labels count as cells, and not only measures.
    pub count_all_columns: bool,
    /// Whether it is closed from 22 to 23.
    pub closed_hour: bool,
    pub clock: Clock,
    /// Whether tables are updated by the calendar, as in a demonstration: each scheduled date that has passed adds a period.
    /// Else they stand as they were last retrieved, whatever the time.
    pub follows_clock: bool,
    /// Which edition the tables start at: 0 is the newest retrieval, -1 the one before, and so on.
    pub edition: i32,
    /// Faults that are on from the start.
    pub faults: Faults,
    /// In which ways it differs from what is thought of the upstream.
    pub dialect: Dialect,
    /// Tables with more periods than they have.
    pub longer: Vec<Longer>,
    /// Threads that answer.
    pub workers: usize,
}

/// A table that begins so many years earlier than it does, so that it has more rows: for loads, read from `y36a02=107`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Longer {
    pub table: String,
    pub years: u32,
}

impl FromStr for Longer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').map(|(table, years)| (table.to_owned(), years.parse()));
        match parts {
            Some((table, Ok(years))) if !table.is_empty() => Ok(Self { table, years }),
            _ => Err(format!("'{text}' is no table with a number of years, such as y36a02=107")),
        }
    }
}

impl Default for SimulatorOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token: None,
            cell_limit: 200_000,
            count_all_columns: false,
            closed_hour: true,
            clock: Clock::default(),
            follows_clock: false,
            edition: 0,
            faults: Faults::default(),
            dialect: Dialect::default(),
            longer: Vec::new(),
            workers: 1,
        }
    }
}

/// Leaves the token out.
impl fmt::Debug for SimulatorOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatorOptions")
            .field("listen", &self.listen)
            .field("cell_limit", &self.cell_limit)
            .field("count_all_columns", &self.count_all_columns)
            .field("closed_hour", &self.closed_hour)
            .field("clock", &self.clock)
            .field("follows_clock", &self.follows_clock)
            .field("edition", &self.edition)
            .field("faults", &self.faults)
            .field("dialect", &self.dialect)
            .field("longer", &self.longer)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// The simulator cannot start or answer.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The metadata built into the program is broken.
    #[error("the simulator's metadata does not hang together: {0}")]
    Metadata(String),
    /// A table that is to be longer is none of the simulator's.
    #[error(transparent)]
    UnknownTable(#[from] UnknownTable),
    /// The address cannot be listened on.
    #[error("the simulator cannot listen on {listen}: {source}")]
    Listen { listen: SocketAddr, source: io::Error },
}

/// The edition of what the simulator makes up: another one whenever the files or the code that it is made from change. What
/// was stored from one edition does not answer for another.
#[must_use]
pub fn edition() -> String {
    let parts = [
        areas::AREAS,
        metadata::TABLES,
        published::FIGURES,
        include_str!("figures.rs"),
        include_str!("joint.rs"),
        include_str!("model.rs"),
        include_str!("model/cell.rs"),
        include_str!("shares.rs"),
    ];
    let seed = parts.iter().fold(0, |seed, part| chance::mix(seed, chance::seed(part)));
    format!("{:08x}", seed >> 32)
}

/// A running simulator; stops when [`Simulator::stop`] is called or the runtime ends.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    server: ServerHandle,
    state: Arc<State>,
}

/// Starts a simulator inside the running tokio runtime.
pub async fn start(options: SimulatorOptions) -> Result<Simulator, SimulatorError> {
    let listen = options.listen;
    let workers = options.workers.max(1);
    let state = Arc::new(State::new(Databank::get()?, options)?);
    let shared = Arc::clone(&state);
    let failed = |source| SimulatorError::Listen { listen, source };
    let server = HttpServer::new(move || App::new().configure(routes::configure(&shared)))
        .workers(workers)
        .disable_signals()
        .keep_alive(Duration::from_secs(30))
        .bind(listen)
        .map_err(failed)?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(Simulator { address, server: handle, state })
}

impl Simulator {
    /// The root of the simulated upstream: `http://127.0.0.1:PORT/v3`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v3", self.address)
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle to faults, updates and the log of requests.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.state))
    }

    /// Stops at once, without waiting for answers under way.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}
