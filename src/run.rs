//! What each command does.

pub mod check;
mod lines;
mod log;
pub mod serve;
mod upstream;
pub mod user;

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use crate::clock::Clock;
use crate::probe::{self, CallerOptions};
use crate::refresh::read_ahead::TablesReport;
use crate::refresh::sync::keeper::SyncScope;
use crate::run::upstream::choose_upstream;
use crate::service::{self, ServiceOptions, UpstreamChoice};
use crate::settings::described;
use crate::settings::{self, LogFormat, Settings};
use crate::simulator::{self, DumpExtent, DumpOptions, Longer, Simulator, SimulatorOptions, Variant};
use crate::unix::{self, StopSignals};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

type Outcome = Result<(), Box<dyn Error>>;

/// Between two calls of a probe.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// What the program says of itself.
#[must_use]
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> =
        LazyLock::new(|| format!("{}, revision {}", env!("CARGO_PKG_VERSION"), service::REVISION));
    &VERSION
}

/// Options of the command `simulator`.
#[derive(Debug, Args)]
pub struct SimulatorArguments {
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// The only token to admit; without it any will do
    #[arg(long)]
    token: Option<String>,
    /// Cells that one request may ask for
    #[arg(long, default_value_t = 200_000)]
    cell_limit: u64,
    /// Count labels as cells too, not only figures
    #[arg(long)]
    count_all_columns: bool,
    /// Close between 22 and 23, Danish time, as the upstream does
    #[arg(long)]
    closed_hour: bool,
    /// Ways in which to differ from what is thought of the upstream, such as byte-order-mark,sloppy-data
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    dialect: Vec<Variant>,
    /// Begin a table so many years earlier, so that it has more rows, such as y36a02=107
    #[arg(long, value_delimiter = ',', value_name = "TABLE=YEARS,…")]
    longer: Vec<Longer>,
    /// The edition to start at: 0 is the newest, -1 the one before
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    edition: i32,
    /// Leave tables as they were last retrieved, instead of adding a period whenever a scheduled update has passed
    #[arg(long)]
    as_retrieved: bool,
    /// Write all figures to standard output instead
    #[arg(long)]
    dump: bool,
    /// With --dump: only these tables
    #[arg(long, value_delimiter = ',')]
    tables: Vec<String>,
    /// With --dump: how much of each table
    #[arg(long, value_enum, default_value_t = Extent::Margins)]
    extent: Extent,
}

/// Options of the command `sync`.
#[derive(Debug, Args)]
pub struct SyncArguments {
    /// Also read the newest figures of these tables' main sets, such as y25i01,y30r21
    #[arg(long, value_delimiter = ',', value_name = "TABLE,…")]
    tables: Vec<String>,
}

/// Options of the command `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Also try the key with one call to the upstream
    #[arg(long)]
    upstream: bool,
}

/// Options of the command `probe`.
#[derive(Debug, Args)]
pub struct ProbeArguments {
    /// Only print what would be asked
    #[arg(long)]
    dry_run: bool,
    /// Root of a simulator that runs already, instead of one of its own
    #[arg(long, value_name = "URL")]
    simulator: Option<String>,
}

/// How much of each table `--dump` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Extent {
    /// Areas at all totals, and members of each dimension for the whole country
    Margins,
    /// Every area by every member of one dimension at a time
    AreasByDimension,
    /// Every combination of everything
    Cube,
}

impl From<Extent> for DumpExtent {
    fn from(extent: Extent) -> Self {
        match extent {
            Extent::Margins => Self::Margins,
            Extent::AreasByDimension => Self::AreasByDimension,
            Extent::Cube => Self::Cube,
        }
    }
}

/// What has to be done before the program does anything else.
pub fn prepare() {
    unix::use_small_pages();
}

/// What `--help` says of the settings.
#[must_use]
pub fn settings_help() -> String {
    described::help()
}

/// Writes to standard error why the program ends.
pub fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "jobindsats-bridge: {message}");
}

fn say(message: &str) {
    let _ = writeln!(io::stdout(), "{message}");
}

/// Runs only the simulator, or writes its figures.
pub async fn simulator(arguments: SimulatorArguments) -> Outcome {
    if arguments.dump {
        let today = (!arguments.as_retrieved).then(|| Clock::default().copenhagen().date_naive());
        let options = DumpOptions { tables: arguments.tables, extent: arguments.extent.into(), today };
        simulator::dump(io::stdout().lock(), &options)?;
        return Ok(());
    }
    log::start("info", LogFormat::Text)?;
    let options = SimulatorOptions {
        listen: arguments.listen,
        token: arguments.token,
        cell_limit: arguments.cell_limit,
        count_all_columns: arguments.count_all_columns,
        closed_hour: arguments.closed_hour,
        follows_clock: !arguments.as_retrieved,
        edition: arguments.edition,
        dialect: arguments.dialect.into_iter().collect(),
        longer: arguments.longer,
        workers: 2,
        ..SimulatorOptions::default()
    };
    let simulator = simulator::start(options).await?;
    tracing::info!(url = simulator.url(), "simulator is up");
    StopSignals::listen()?.received().await;
    simulator.stop().await;
    Ok(())
}

/// Reads all of the upstream's metadata into the catalogue, and the newest figures of the named tables into the store.
pub async fn sync(arguments: SyncArguments) -> Outcome {
    let tables = settings::table_ids(&arguments.tables)
        .ok_or("--tables: expected ids of tables, such as y25i01,y30r21")?;
    let settings = Settings::from_env()?;
    log::start("warn", LogFormat::Text)?;
    let (parts, simulator) = parts(settings).await?;
    let metadata = sync_metadata(&parts).await;
    let is_complete = match &metadata {
        Ok(is_complete) => *is_complete & sync_figures(&parts, &tables).await?,
        Err(_) => false,
    };
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    metadata?;
    if is_complete { Ok(()) } else { Err("not everything could be read".into()) }
}

/// Reads the metadata of all tables; whether it could all be read.
async fn sync_metadata(parts: &service::Parts) -> Result<bool, Box<dyn Error>> {
    let (bar, concurrency) = (progress_bar()?, 2);
    let report = parts
        .state
        .catalogue
        .sync(SyncScope::All, concurrency, |progress| {
            bar.set_length(progress.total as u64);
            bar.set_message(progress.table.to_string());
            bar.set_position(progress.done as u64);
        })
        .await?;
    bar.finish_and_clear();
    // Names are assigned now, so that they do not depend on which table a client asks for first.
    let named = parts.state.feeds.catalogue();
    for (table, error) in &report.failed {
        complain(&format!("{table}: {error}"));
    }
    let (failed, sets) = (report.failed.len(), named.sets.len());
    say(&format!("{} tables read, {failed} failed; {sets} sets named", report.read));
    Ok(report.failed.is_empty())
}

/// Reads the newest figures of tables; whether they could all be read.
async fn sync_figures(parts: &service::Parts, tables: &[String]) -> Result<bool, Box<dyn Error>> {
    if tables.is_empty() {
        return Ok(true);
    }
    let bar = progress_bar()?;
    let report = parts
        .state
        .ahead
        .read_tables(tables, |done, total, table| {
            bar.set_length(total as u64);
            bar.set_message(table.to_owned());
            bar.set_position(done as u64);
        })
        .await;
    bar.finish_and_clear();
    parts.state.store.flush().await;
    for (table, error) in &report.failed {
        complain(&format!("{table}: {error}"));
    }
    let TablesReport { read, stored, failed } = &report;
    say(&format!("figures: {read} requests, {stored} not needed, {} failed", failed.len()));
    Ok(failed.is_empty())
}

fn progress_bar() -> Result<ProgressBar, Box<dyn Error>> {
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?))
}

/// Checks settings, indicators and what is stored.
pub async fn check(arguments: CheckArguments) -> Outcome {
    let settings = Settings::from_env()?;
    log::start("error", LogFormat::Text)?;
    let (upstream, simulator) = choose_upstream(&settings, None).await?;
    let checked = check::check(&command_options(settings, upstream), arguments.upstream).await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    let report = checked?;
    report.found.iter().for_each(|line| say(line));
    report.wrong.iter().for_each(|line| complain(line));
    let (misfits, others) = (report.misfits, report.wrong.len() - report.misfits);
    let unfit = format!("{misfits} indicators do not fit the catalogue");
    match (misfits, others) {
        (0, 0) => Ok(()),
        (_, 0) => Err(unfit.into()),
        (0, _) => Err(format!("not everything is right; see the {others} lines above").into()),
        (_, _) => Err(format!("{unfit}, and {others} other lines above say what is wrong").into()),
    }
}

async fn parts(settings: Settings) -> Result<(service::Parts, Option<Simulator>), Box<dyn Error>> {
    let (upstream, simulator) = choose_upstream(&settings, None).await?;
    Ok((service::assemble(&command_options(settings, upstream))?, simulator))
}

/// The options of commands that serve nobody.
fn command_options(settings: Settings, upstream: UpstreamChoice) -> ServiceOptions {
    let options = ServiceOptions::new(settings.bridge, upstream);
    ServiceOptions { workers: Some(1), background: false, ..options }
}

/// Asks what is uncertain about the upstream, and writes the answers where people and a running service find them.
pub async fn probe(arguments: ProbeArguments) -> Outcome {
    if arguments.dry_run {
        say(&format!("at most {} calls, one at a time:", probe::MOST_CALLS));
        probe::STEPS.iter().for_each(|(step, calls)| say(&format!("{step}: {calls}")));
        return Ok(());
    }
    let settings = Settings::from_env()?;
    log::start("warn", LogFormat::Text)?;
    let (upstream, simulator) = choose_upstream(&settings, arguments.simulator).await?;
    let folder = settings.bridge.data_dir.join(&upstream.folder);
    let bar = progress_bar()?;
    bar.set_length(probe::STEPS.len() as u64);
    let options = CallerOptions {
        base_url: upstream.url,
        key: upstream.key,
        closed_hour: upstream.closed_hour,
        clock: Clock::default(),
        pause: if upstream.origin.is_simulator { Duration::ZERO } else { PROBE_PAUSE },
    };
    let findings = probe::run(options, |number, step| {
        bar.set_message(step.to_owned());
        bar.set_position(number as u64);
    })
    .await?;
    bar.finish_and_clear();
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    let report = findings.write(&folder, &upstream.origin.name)?;
    let seen: Vec<_> = findings.seen().collect();
    say(&format!("{} calls; seen: {}", findings.calls.len(), seen.join(", ")));
    say(&format!("report: {}; a running service takes it into use on SIGHUP", report.display()));
    match findings.ended {
        Some(error) => Err(error.to_string().into()),
        None => Ok(()),
    }
}

/// Asks the service on this machine whether it is ready.
pub async fn healthcheck() -> Outcome {
    let settings = Settings::from_env()?;
    let url = format!("{}/readyz", service::local_url(settings.bridge.listen));
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build()?;
    let answer = client.get(url).send().await?;
    if answer.status().is_success() { Ok(()) } else { Err(format!("not ready: {}", answer.status()).into()) }
}
