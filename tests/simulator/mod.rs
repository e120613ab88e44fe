//! The simulator over HTTP, as the upstream client uses it.

mod faults;
mod figures;
mod updates;
mod wire;

use jobindsats_bridge::simulator::{Simulator, SimulatorOptions, start};
use serde_json::Value;

/// A running simulator and a client that holds a token.
pub struct Upstream {
    pub simulator: Simulator,
    client: reqwest::Client,
}

/// An answer, read to its end.
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<String>,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn cause(&self) -> String {
        self.json()["cause"].as_str().unwrap().to_owned()
    }

    pub fn columns(&self) -> Vec<String> {
        texts(&self.json()["columns"])
    }

    pub fn rows(&self) -> Vec<Vec<Value>> {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()["rows"].as_array().unwrap().iter().map(|row| row.as_array().unwrap().clone()).collect()
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

impl Upstream {
    /// A simulator that is never closed by the clock.
    pub async fn open() -> Self {
        Self::with(SimulatorOptions { closed_hour: false, ..SimulatorOptions::default() }).await
    }

    pub async fn with(options: SimulatorOptions) -> Self {
        Self { simulator: start(options).await.unwrap(), client: reqwest::Client::new() }
    }

    /// GETs a path below `/v3` with a token.
    pub async fn get(&self, path: &str) -> Reply {
        self.get_as(path, Some("Bearer some-token")).await
    }

    pub async fn get_as(&self, path: &str, authorization: Option<&str>) -> Reply {
        self.try_get(path, authorization).await.unwrap()
    }

    pub async fn try_get(&self, path: &str, authorization: Option<&str>) -> reqwest::Result<Reply> {
        let mut request = self.client.get(format!("{}{path}", self.simulator.url()));
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        read(request.send().await?).await
    }

    /// Asks for figures as JSON.
    pub async fn data(&self, table: &str, selection: &str) -> Reply {
        self.get(&format!("/data/{table}?{selection}&format=json")).await
    }

    /// Calls the control path.
    pub async fn control(&self, method: reqwest::Method, path: &str, body: &str) -> Reply {
        let url = self.simulator.url().replace("/v3", path);
        read(self.client.request(method, url).body(body.to_owned()).send().await.unwrap()).await.unwrap()
    }
}

async fn read(response: reqwest::Response) -> reqwest::Result<Reply> {
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (content_type, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
    let status = response.status().as_u16();
    Ok(Reply { status, content_type, retry_after, body: response.text().await? })
}
