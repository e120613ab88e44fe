//! Reads the command line and hands over to the command in [`run`].

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jobindsats_bridge::run;

/// Gives memory back to the system soon after many answers were under way: docs/reliability.md compares allocators.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Denmark's labour-market figures from Jobindsats.dk as OData feeds and Prometheus gauges.
#[derive(Debug, Parser)]
#[command(version = run::version(), after_help = run::settings_help())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The service (also without a command)
    Serve(run::serve::ServeArguments),
    /// Only the simulator of the upstream, for tests and training
    Simulator(run::SimulatorArguments),
    /// Reads the upstream's metadata into the catalogue, and the newest figures of chosen tables
    Sync(run::SyncArguments),
    /// Adds, lists and removes the users who may read (BRIDGE_USERS_FILE)
    #[command(subcommand)]
    User(run::user::UserCommand),
    /// Validates settings, indicators and stored data
    Check(run::CheckArguments),
    /// Asks the upstream at most 60 small questions that show what is uncertain about it
    Probe(run::ProbeArguments),
    /// Asks /readyz on loopback, for containers
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    run::prepare();
    let outcome =
        match Arguments::parse().command.unwrap_or(Command::Serve(run::serve::ServeArguments::default())) {
            Command::Serve(arguments) => run::serve::serve(arguments).await,
            Command::Simulator(arguments) => run::simulator(arguments).await,
            Command::Sync(arguments) => run::sync(arguments).await,
            Command::User(command) => run::user::user(command),
            Command::Check(arguments) => run::check(arguments).await,
            Command::Probe(arguments) => run::probe(arguments).await,
            Command::Healthcheck => run::healthcheck().await,
        };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            run::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
