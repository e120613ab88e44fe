//! The command `serve`: the service from its start to its end, as signals and the service manager have it.

use std::time::Duration;

use clap::Args;
use tokio::time::MissedTickBehavior;

use super::upstream::choose_upstream;
use super::{Outcome, log};
use crate::observe::panics;
use crate::observe::readiness;
use crate::observe::traces::Traces;
use crate::service::{self, Service, ServiceOptions};
use crate::settings::Settings;
use crate::unix::systemd::ServiceManager;
use crate::unix::{ReloadSignal, StopSignals};
use crate::web::readiness::reasons;

/// How often the service manager is told how the service is, at least.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Options of the command `serve`.
#[derive(Debug, Default, Args)]
pub struct ServeArguments {
    /// Root of a simulator that runs already, such as http://127.0.0.1:8081/v3, instead of one of its own
    #[arg(long, value_name = "URL")]
    simulator: Option<String>,
}

/// Runs the service until a signal stops it.
pub async fn serve(arguments: ServeArguments) -> Outcome {
    // Before anything else: without it, a SIGHUP while the service starts would end the program.
    let mut reload_asked = ReloadSignal::listen()?;
    let settings = Settings::from_env()?;
    log::start(&settings.bridge.log, settings.bridge.log_format)?;
    panics::watch(|_| {});
    let traces = settings.collector.as_deref().map_or(Ok(Traces::default()), Traces::to)?;
    let (upstream, simulator) = choose_upstream(&settings, arguments.simulator).await?;
    let origin = upstream.origin.name.clone();
    let options = ServiceOptions { traces, ..ServiceOptions::new(settings.bridge, upstream) };
    let mut service = service::start(options).await?;
    let (address, public) = (service.address, service.public_url());
    tracing::info!(%address, origin, "serving; paste {public}/odata/ into Excel");
    let (mut stop_asked, mut manager) = (StopSignals::listen()?, Reporter::new(&service));
    loop {
        tokio::select! {
            ended = service.until_end() => { ended?; break }
            () = reload_asked.received() => manager.reload(&service),
            () = manager.due() => manager.tell(&service),
            () = stop_asked.received() => { manager.stop(service).await; break }
        }
    }
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// Tells the service manager how the service is.
struct Reporter {
    manager: ServiceManager,
    told: String,
    every: tokio::time::Interval,
}

impl Reporter {
    /// Tells that the service takes requests.
    fn new(service: &Service) -> Self {
        let manager = ServiceManager::from_env();
        let told = readiness::summary(&reasons(&service.state));
        manager.ready(&told);
        let every = manager.alive_every().map_or(TOLD_EVERY, |every| every.min(TOLD_EVERY));
        let mut every = tokio::time::interval(every);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { manager, told, every }
    }

    async fn due(&mut self) {
        self.every.tick().await;
    }

    /// A sign of life, and how the service is if that has changed.
    fn tell(&mut self, service: &Service) {
        if self.manager.alive_every().is_some() {
            self.manager.alive();
        }
        let status = readiness::summary(&reasons(&service.state));
        if status != self.told {
            self.manager.status(&status);
            self.told = status;
        }
    }

    fn reload(&mut self, service: &Service) {
        self.manager.reloading();
        let faults = service.reload();
        if faults.is_empty() {
            tracing::info!("the files of key, users, password, indicators and dialect were read again");
        }
        for fault in faults {
            tracing::error!("{fault}");
        }
        self.told = readiness::summary(&reasons(&service.state));
        self.manager.ready(&self.told);
    }

    async fn stop(&mut self, service: Service) {
        self.manager.stopping();
        service.stop().await;
    }
}
