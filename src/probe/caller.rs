//! Calls of a probe: one at a time, few, never near the closed hour, and remembered as they were made.

use std::time::{Duration, Instant};

use reqwest::Client;
use reqwest::header::AUTHORIZATION;

use crate::clock::Clock;
use crate::error::excerpt;
use crate::settings::key::ApiKey;
use crate::upstream::opening;

/// The most calls of a run.
pub const MOST_CALLS: usize = 60;
/// The longest that one call may take.
const LONGEST: Duration = Duration::from_secs(120);
/// How much of an answer is read.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Why a run ends before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("the upstream is closed or soon will be; run the probe again after {0}")]
    Closed(String),
    #[error("{MOST_CALLS} calls were made, which is the most")]
    Spent,
    #[error("the upstream cannot be reached: {0}")]
    Connect(String),
    #[error("the upstream refuses the key (401)")]
    Unauthorized,
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(String),
}

/// Which upstream is asked, and how.
#[derive(Debug, Clone)]
pub struct CallerOptions {
    pub base_url: String,
    pub key: Option<ApiKey>,
    pub closed_hour: bool,
    pub clock: Clock,
    /// Between two calls.
    pub pause: Duration,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A call that was made.
#[derive(Debug, Clone)]
pub struct MadeCall {
    pub path: String,
    pub status: u16,
    pub seconds: f64,
}

/// Makes calls.
#[derive(Debug)]
pub struct Caller {
    http: Client,
    options: CallerOptions,
    pub made: Vec<MadeCall>,
}

impl Caller {
    /// A caller that has asked nothing yet.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(options: CallerOptions) -> Result<Self, CallError> {
        let mut builder = Client::builder().timeout(LONGEST).redirect(reqwest::redirect::Policy::none());
        if options.base_url.contains("//127.0.0.1") || options.base_url.contains("//localhost") {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| CallError::Setup(error.to_string()))?;
        Ok(Self { http, options, made: Vec::new() })
    }

    /// Asks for a path below the upstream's root.
    ///
    /// # Errors
    /// When the call may not be made, or brings no answer.
    pub async fn get(&mut self, path: &str) -> Result<Response, CallError> {
        self.call(path, true).await
    }

    /// The same without the key.
    ///
    /// # Errors
    /// When the call may not be made, or brings no answer.
    pub async fn get_without_key(&mut self, path: &str) -> Result<Response, CallError> {
        self.call(path, false).await
    }

    async fn call(&mut self, path: &str, with_key: bool) -> Result<Response, CallError> {
        if self.made.len() >= MOST_CALLS {
            return Err(CallError::Spent);
        }
        if self.options.closed_hour {
            let open = opening::may_start(self.options.clock.now(), LONGEST);
            open.map_err(|closed| CallError::Closed(closed.opens_at.to_rfc3339()))?;
        }
        if !self.made.is_empty() {
            tokio::time::sleep(self.options.pause).await;
        }
        let url = format!("{}/{path}", self.options.base_url.trim_end_matches('/'));
        let mut request = self.http.get(url);
        if let Some(key) = self.options.key.as_ref().filter(|_| with_key) {
            let header = key.header().map_err(|error| CallError::Setup(error.to_string()))?;
            request = request.header(AUTHORIZATION, header);
        }
        let began = Instant::now();
        let answer =
            request.send().await.map_err(|error| CallError::Connect(error.without_url().to_string()))?;
        let response = self.read(answer).await?;
        let seconds = began.elapsed().as_secs_f64();
        self.made.push(MadeCall { path: path.to_owned(), status: response.status, seconds });
        if response.status == 401 && with_key {
            return Err(CallError::Unauthorized);
        }
        Ok(response)
    }

    /// The beginning of the body is enough: a large answer is not read to its end.
    async fn read(&self, mut answer: reqwest::Response) -> Result<Response, CallError> {
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let mut body = Vec::new();
        while body.len() < BODY_LIMIT
            && let Some(chunk) =
                answer.chunk().await.map_err(|error| CallError::Connect(error.without_url().to_string()))?
        {
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status, headers, body })
    }
}

impl Response {
    /// Whether the call succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the body begins with a byte-order mark.
    #[must_use]
    pub fn has_mark(&self) -> bool {
        self.body.starts_with("\u{feff}".as_bytes())
    }

    /// The body as text, without a byte-order mark.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim_start_matches('\u{feff}').to_owned()
    }

    /// The body as JSON; `null` where it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).unwrap_or_default()
    }

    /// Whether the body is a page.
    #[must_use]
    pub fn is_page(&self) -> bool {
        self.text().trim_start().starts_with('<')
    }

    /// What an error says, short enough for a report.
    #[must_use]
    pub fn cause(&self) -> String {
        let json = self.json();
        excerpt(json["cause"].as_str().unwrap_or(&self.text()))
    }
}
