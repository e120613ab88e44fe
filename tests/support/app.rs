//! The service that is shipped, on a simulator of its own, with a clock that stands still until it is moved.

use std::time::Duration;

use chrono::{DateTime, Utc};
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::feed::origin::Origin;
use jobindsats_bridge::refresh::catalogue::keeper::SyncScope;
use jobindsats_bridge::refresh::indicators::Pace;
use jobindsats_bridge::service::{self, Service, ServiceOptions, UpstreamChoice};
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::simulator::{self, Control, Simulator, SimulatorOptions};
use jobindsats_bridge::upstream::retry::Retry;
use reqwest::header::HeaderMap;
use tempfile::TempDir;

/// Where the clock of a test stands at first: a Tuesday morning after the newest retrieval of the published figures.
pub fn morning() -> DateTime<Utc> {
    "2026-09-15T07:00:00Z".parse().unwrap()
}

/// How an app under test starts.
pub struct AppOptions {
    pub settings: BridgeSettings,
    pub simulator: SimulatorOptions,
    pub clock: Clock,
    pub closed_hour: bool,
    pub retry: Retry,
    /// Read every table at the start; otherwise tables are read when they are asked for.
    pub sync: bool,
}

impl Default for AppOptions {
    fn default() -> Self {
        let clock = Clock::fixed(morning());
        let settings = BridgeSettings { listen: "127.0.0.1:0".parse().unwrap(), ..BridgeSettings::default() };
        let simulator =
            SimulatorOptions { closed_hour: false, clock: clock.clone(), ..SimulatorOptions::default() };
        let retry = Retry { pauses: [10, 20].map(Duration::from_millis).to_vec(), jitter: 0.0 };
        Self { settings, simulator, clock, closed_hour: true, retry, sync: false }
    }
}

/// A running service with its upstream.
pub struct App {
    pub service: Service,
    pub simulator: Simulator,
    pub clock: Clock,
    /// The data folder; gone with the app.
    pub folder: TempDir,
    options: ServiceOptions,
    client: reqwest::Client,
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The rows of a collection.
    pub fn rows(&self) -> Vec<serde_json::Value> {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["value"].as_array().unwrap().clone()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of an error answer.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl App {
    /// An app with everything as it is by default.
    pub async fn start() -> Self {
        Self::with(AppOptions::default()).await
    }

    /// An app that starts in its own way.
    pub async fn with(options: AppOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulator = simulator::start(options.simulator).await.unwrap();
        let origin = Origin {
            name: "simulator".to_owned(),
            is_simulator: true,
            description: Some("Prøvetal.".to_owned()),
        };
        let service_options = ServiceOptions {
            settings: BridgeSettings { data_dir: folder.path().to_owned(), ..options.settings },
            upstream: UpstreamChoice {
                origin,
                url: simulator.url(),
                key: Some(ApiKey::new("nøgle".replace('ø', "oe").as_str()).unwrap()),
                closed_hour: options.closed_hour,
                retry: options.retry,
            },
            clock: options.clock.clone(),
            pace: Pace::default(),
            workers: Some(1),
            background: false,
        };
        let service = service::start(service_options.clone()).await.unwrap();
        let catalogue = &service.state.catalogue;
        match options.sync {
            true => assert!(catalogue.sync(SyncScope::All, 2, |_| {}).await.unwrap().failed.is_empty()),
            false => catalogue.refresh_list().await.unwrap(),
        }
        let client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        let (clock, client) = (options.clock, client.unwrap());
        Self { service, simulator, clock, folder, options: service_options, client }
    }

    /// Stops the service and starts it again on the same folder and upstream.
    pub async fn restart(self) -> Self {
        let Self { service, simulator, clock, folder, options, client } = self;
        service.stop().await;
        let service = service::start(options.clone()).await.unwrap();
        Self { service, simulator, clock, folder, options, client }
    }

    /// The simulator's faults, updates and log of requests.
    pub fn upstream(&self) -> Control {
        self.simulator.control()
    }

    /// How many requests for figures the upstream has seen.
    pub fn data_requests(&self) -> u64 {
        self.upstream().requests().data
    }

    /// Asks for a path, with blanks and letters as a person would write them.
    pub async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    /// Asks for a path with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers).await
    }

    /// Sends any request.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.service.url()) };
        let request = self.client.request(method.parse().unwrap(), url);
        Self::answer(request, headers).await
    }

    /// Posts a body.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.service.url())).body(body);
        Self::answer(request, headers).await
    }

    async fn answer(mut request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Answer {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    /// Asks for a path and follows the next links; all rows.
    pub async fn all_rows(&self, path: &str) -> Vec<serde_json::Value> {
        let mut rows = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(link) = next {
            let answer = self.get(&link).await;
            rows.extend(answer.rows());
            next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
        }
        rows
    }
}
