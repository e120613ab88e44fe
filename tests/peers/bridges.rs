//! Bridges on one simulator, with a fixed clock in common.

use std::time::{Duration, Instant};

use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::feed::origin::Origin;
use jobindsats_bridge::peers::link::Standing;
use jobindsats_bridge::refresh::sync::keeper::SyncScope;
use jobindsats_bridge::service::{self, Service, ServiceOptions, UpstreamChoice};
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::settings::redis::RedisUrl;
use jobindsats_bridge::simulator::{self, Control, Simulator, SimulatorOptions};
use jobindsats_bridge::upstream::retry::Retry;
use serde_json::Value;
use tempfile::TempDir;

/// Much longer than anything takes that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Rows of a table that are few requests.
pub const ROWS: &str = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode ge '2026M01'&$select=Område,Periode,Antal_ledige_personer";

/// Waits until a condition holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An upstream.
pub struct World {
    pub simulator: Simulator,
    pub clock: Clock,
}

/// One bridge.
pub struct Bridge {
    pub service: Service,
    options: ServiceOptions,
    folder: TempDir,
    client: reqwest::Client,
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The rows, without what names the bridge.
    pub fn rows(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        let mut rows = self.json()["value"].as_array().unwrap().clone();
        rows.iter_mut().for_each(|row| row.as_object_mut().unwrap().retain(|name, _| !name.starts_with('@')));
        rows
    }
}

impl World {
    pub async fn start() -> Self {
        let clock = Clock::fixed("2026-09-15T07:00:00Z".parse().unwrap());
        let options =
            SimulatorOptions { closed_hour: false, clock: clock.clone(), ..SimulatorOptions::default() };
        Self { simulator: simulator::start(options).await.unwrap(), clock }
    }

    pub fn upstream(&self) -> Control {
        self.simulator.control()
    }

    /// Requests for figures that the upstream has seen.
    pub fn data_requests(&self) -> u64 {
        self.upstream().requests().data
    }

    /// A bridge that shares what is at that address.
    pub async fn bridge(&self, redis: &str) -> Bridge {
        self.bridge_with(Some(redis), |_| {}).await
    }

    /// A bridge with other settings.
    pub async fn bridge_with(&self, redis: Option<&str>, change: impl FnOnce(&mut ServiceOptions)) -> Bridge {
        self.bridge_of(redis, tempfile::tempdir().unwrap(), change).await
    }

    /// A bridge with what another one left.
    pub async fn bridge_in(&self, redis: Option<&str>, folder: TempDir) -> Bridge {
        self.bridge_of(redis, folder, |_| {}).await
    }

    async fn bridge_of(
        &self,
        redis: Option<&str>,
        folder: TempDir,
        change: impl FnOnce(&mut ServiceOptions),
    ) -> Bridge {
        let settings = BridgeSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            data_dir: folder.path().to_owned(),
            redis_url: redis.map(|redis| RedisUrl::parse(redis).unwrap()),
            ..BridgeSettings::default()
        };
        let origin = Origin {
            name: "simulator".to_owned(),
            is_simulator: true,
            description: Some("Prøvetal.".to_owned()),
        };
        let upstream = UpstreamChoice {
            origin,
            folder: "simulator".to_owned(),
            url: self.simulator.url(),
            key: Some(ApiKey::new("noegle-0123456789").unwrap()),
            key_file: None,
            closed_hour: true,
            retry: Retry { pauses: [10, 20].map(Duration::from_millis).to_vec(), jitter: 0.0 },
        };
        let mut options = ServiceOptions {
            clock: self.clock.clone(),
            workers: Some(1),
            background: false,
            ..ServiceOptions::new(settings, upstream)
        };
        change(&mut options);
        Bridge::start(options, folder).await
    }
}

impl Bridge {
    async fn start(options: ServiceOptions, folder: TempDir) -> Self {
        let service = service::start(options.clone()).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let bridge = Self { service, options, folder, client };
        if !options_of(&bridge).background {
            bridge.service.state.catalogue.refresh_list().await.unwrap();
        }
        bridge
    }

    /// Ends without saying goodbye, and starts again on the same folder.
    pub async fn restart(self) -> Self {
        let Self { service, options, folder, .. } = self;
        service.stop().await;
        Self::start(options, folder).await
    }

    /// Stops; what it leaves.
    pub async fn keep(self) -> TempDir {
        self.service.stop().await;
        self.folder
    }

    pub async fn stop(self) {
        self.service.stop().await;
    }

    pub fn standing(&self) -> Standing {
        self.service.state.peers.as_ref().unwrap().standing()
    }

    /// Waits until it stands so to the others.
    pub async fn is(&self, standing: Standing) {
        until(&format!("{standing:?}"), async || self.standing() == standing).await;
    }

    /// Reads every table's metadata.
    pub async fn sync(&self) {
        let catalogue = &self.service.state.catalogue;
        assert!(catalogue.sync(SyncScope::All, 2, |_| {}).await.unwrap().failed.is_empty());
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.page(path, 50_000).await
    }

    /// A page of so many rows at most.
    pub async fn page(&self, path: &str, rows: u64) -> Answer {
        let url = format!("{}{path}", self.service.url());
        let preference = format!("odata.maxpagesize={rows}");
        let response = self.client.get(url).header("Prefer", preference).send().await.unwrap();
        Answer { status: response.status().as_u16(), body: response.text().await.unwrap() }
    }
}

fn options_of(bridge: &Bridge) -> &ServiceOptions {
    &bridge.options
}
