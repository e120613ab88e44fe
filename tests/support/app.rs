//! The whole service on its own simulator, with a fixed clock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jobindsats_bridge::budget::work::PROCESSOR_TIME;
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::feed::origin::Origin;
use jobindsats_bridge::observe::traces::Traces;
use jobindsats_bridge::refresh::indicators::Pace;
use jobindsats_bridge::refresh::read_ahead::{self, Budget};
use jobindsats_bridge::refresh::sync::keeper::SyncScope;
use jobindsats_bridge::service::{self, Service, ServiceOptions, UpstreamChoice};
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::simulator::{self, Control, Simulator, SimulatorOptions};
use jobindsats_bridge::upstream::retry::Retry;
use jobindsats_bridge::web::connections::Timeouts;
use reqwest::header::HeaderMap;
use tempfile::{NamedTempFile, TempDir};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where the clock of a test stands at first: a Tuesday morning after the newest retrieval of the published figures.
pub fn morning() -> DateTime<Utc> {
    "2026-09-15T07:00:00Z".parse().unwrap()
}

/// How far the clock moves at a time.
const STEP: Duration = Duration::from_secs(15 * 60);

/// A file with one indicator of few cells, in place of the built-in ones.
pub fn one_indicator() -> NamedTempFile {
    let indicator = serde_json::json!({
        "id": SMALL_INDICATOR, "title": "Fuldtidsledige, sæsonkorrigeret", "table": "y25i03",
        "measure": "Antal fuldtidsledige (sæsonkorrigeret)", "period_type": "M",
        "quantity": "full_time_persons", "levels": ["country"]
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::json!({ "indicators": [indicator] }).to_string()).unwrap();
    file
}

/// The indicator of [`one_indicator`].
pub const SMALL_INDICATOR: &str = "ledige_saesonkorrigeret";

/// Loops of the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    None,
    /// Only what is read ahead.
    ReadAhead,
    /// As the program runs: the catalogue, the indicators and what is read ahead.
    All,
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
    /// Which loops of the background run. They sleep by the clock.
    pub background: Background,
    /// What these may read ahead on one day.
    pub ahead: Budget,
    /// How long clients are waited for.
    pub timeouts: Timeouts,
    /// The processor time of one request.
    pub processor_time: Duration,
    /// Where traces go.
    pub traces: Traces,
}

impl Default for AppOptions {
    fn default() -> Self {
        let clock = Clock::fixed(morning());
        let settings = BridgeSettings { listen: "127.0.0.1:0".parse().unwrap(), ..BridgeSettings::default() };
        let simulator =
            SimulatorOptions { closed_hour: false, clock: clock.clone(), ..SimulatorOptions::default() };
        let retry = Retry { pauses: [10, 20].map(Duration::from_millis).to_vec(), jitter: 0.0 };
        Self {
            settings,
            simulator,
            clock,
            closed_hour: true,
            retry,
            sync: false,
            background: Background::None,
            ahead: Budget::default(),
            timeouts: Timeouts::default(),
            processor_time: PROCESSOR_TIME,
            traces: Traces::default(),
        }
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
    background: Background,
    stop: Option<Stop>,
}

/// Ends a loop, and is over when it has ended.
type Stop = (watch::Sender<bool>, JoinHandle<()>);

/// Starts the loop that reads ahead, where it is to run alone.
fn read_ahead(service: &Service, background: Background) -> Option<Stop> {
    let run = |stop: watch::Sender<bool>| {
        let ahead = read_ahead::run(Arc::clone(&service.state.ahead), stop.subscribe());
        (stop, tokio::spawn(ahead))
    };
    (background == Background::ReadAhead).then(|| run(watch::Sender::new(false)))
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
                folder: "simulator".to_owned(),
                url: simulator.url(),
                key: Some(ApiKey::new("noegle-0123456789").unwrap()),
                key_file: None,
                closed_hour: options.closed_hour,
                retry: options.retry,
            },
            clock: options.clock.clone(),
            pace: Pace::default(),
            ahead: options.ahead,
            processor_time: options.processor_time,
            workers: Some(1),
            timeouts: options.timeouts,
            traces: options.traces,
            background: options.background == Background::All,
        };
        let service = service::start(service_options.clone()).await.unwrap();
        let catalogue = &service.state.catalogue;
        match options.sync {
            true => assert!(catalogue.sync(SyncScope::All, 2, |_| {}).await.unwrap().failed.is_empty()),
            false => catalogue.refresh_list().await.unwrap(),
        }
        let client =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        let (clock, client, background) = (options.clock, client.unwrap(), options.background);
        let stop = read_ahead(&service, background);
        Self { service, simulator, clock, folder, options: service_options, client, background, stop }
    }

    /// Stops the service and starts it again on the same folder and upstream.
    pub async fn restart(self) -> Self {
        self.stopped(|_| {}).await
    }

    /// As [`App::restart`], with something done to the data folder while the service is down.
    pub async fn stopped(self, change: impl FnOnce(&Path)) -> Self {
        let Self { service, simulator, clock, folder, options, client, background, stop } = self;
        if let Some((stop, stopped)) = stop {
            stop.send(true).unwrap();
            stopped.await.unwrap();
        }
        service.stop().await;
        change(folder.path());
        let service = service::start(options.clone()).await.unwrap();
        let stop = read_ahead(&service, background);
        Self { service, simulator, clock, folder, options, client, background, stop }
    }

    /// Moves the clock on in small steps, each once all loops of the background are at rest.
    pub async fn pass(&self, duration: Duration) {
        let end = self.clock.now() + duration;
        self.rest().await;
        while self.clock.now() < end {
            self.step(STEP.min((end - self.clock.now()).to_std().unwrap())).await;
        }
    }

    /// Moves the clock on at once, and waits for the loops of the background to come to rest.
    pub async fn step(&self, duration: Duration) {
        self.clock.advance(duration);
        self.rest().await;
    }

    /// As [`App::pass`], until it is that time.
    pub async fn pass_until(&self, end: &str) {
        let end: DateTime<Utc> = end.parse().unwrap();
        self.pass((end - self.clock.now()).to_std().unwrap()).await;
    }

    /// Waits until every loop of the background sleeps.
    async fn rest(&self) {
        let patience = std::time::Instant::now() + Duration::from_secs(60);
        let loops = match self.background {
            Background::None => 0,
            Background::ReadAhead => 1,
            Background::All => 3,
        };
        while self.clock.sleepers() < loops {
            assert!(std::time::Instant::now() < patience, "{} loops sleep", self.clock.sleepers());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
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
