//! The service that is shipped on an upstream of canned answers: for what the simulator never says.

use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::feed::origin::Origin;
use jobindsats_bridge::refresh::sync::keeper::SyncScope;
use jobindsats_bridge::service::{self, Service, ServiceOptions, UpstreamChoice};
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::upstream::retry::Retry;
use reqwest::Client;
use tempfile::TempDir;

use super::app::{Answer, morning};
use super::canned::{Canned, CannedServer};

/// A running service whose upstream answers what it is told to.
pub struct CannedApp {
    pub service: Service,
    pub upstream: CannedServer,
    client: Client,
    _folder: TempDir,
}

impl CannedApp {
    /// Starts on these answers, by path, with every listed table read as far as it can be.
    pub async fn start(answers: Vec<(String, Canned)>) -> Self {
        Self::with_key(answers, "canned-0123456789").await
    }

    /// As [`CannedApp::start`], with that key to the upstream.
    pub async fn with_key(answers: Vec<(String, Canned)>, key: &str) -> Self {
        let upstream = CannedServer::start_by_path(answers).await;
        let folder = tempfile::tempdir().unwrap();
        let settings = BridgeSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            data_dir: folder.path().to_owned(),
            ..BridgeSettings::default()
        };
        let upstream_choice = UpstreamChoice {
            origin: Origin { name: "canned".to_owned(), is_simulator: false, description: None },
            folder: "canned".to_owned(),
            url: upstream.url.clone(),
            key: Some(ApiKey::new(key).unwrap()),
            key_file: None,
            closed_hour: false,
            retry: Retry { pauses: Vec::new(), jitter: 0.0 },
        };
        let options = ServiceOptions {
            clock: Clock::fixed(morning()),
            workers: Some(1),
            background: false,
            ..ServiceOptions::new(settings, upstream_choice)
        };
        let service = service::start(options).await.unwrap();
        let _ = service.state.catalogue.sync(SyncScope::All, 1, |_| {}).await;
        let client = Client::builder().no_proxy().build().unwrap();
        Self { service, upstream, client, _folder: folder }
    }

    /// Asks for a path, with blanks and letters as a person would write them.
    pub async fn get(&self, path: &str) -> Answer {
        self.accepting(path, "*/*").await
    }

    /// Asks for a path as a browser does.
    pub async fn page(&self, path: &str) -> Answer {
        self.accepting(path, "text/html").await
    }

    async fn accepting(&self, path: &str, accept: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.service.url())).header("Accept", accept);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }
}
