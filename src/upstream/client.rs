//! The HTTP client for the upstream. Only so many calls run at the same time; the others wait in the `queue`. No call is made while
//! the circuit is open, or if it could run into the closed hour. A failed call is tried again where that can help.
//!
//! Sends calls and decides whether they succeeded. What an answer means is read by `decode` and `read`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, RequestBuilder, Response, Url, redirect};

use crate::budget::upstream::Requester;
use crate::catalogue::id::MeasurementId;
use crate::clock::Clock;
use crate::error::{excerpt, innermost};
use crate::observe::news::Announcements;
use crate::observe::upstream_observer::{CallOutcome, Endpoint, FailedCall, UpstreamCall, UpstreamObserver};
use crate::settings::is_loopback;
use crate::settings::key::{ApiKey, InvalidKey, KeyFileError};
use crate::settings::redact::redact;
use crate::upstream::caller::Caller;
use crate::upstream::circuit::Circuits;
use crate::upstream::data::DataTable;
use crate::upstream::decode::{self, DecodeError};
use crate::upstream::error::{Failure, UpstreamError};
use crate::upstream::key::CurrentKey;
use crate::upstream::opening::{self, Closed};
use crate::upstream::queue::CallQueue;
use crate::upstream::request::{DataRequest, metadata_path};
use crate::upstream::retry::{FailedAttempt, Retry, Urgency};
use crate::upstream::slots::CallSlots;
use crate::upstream::verdict::{self, Refusal};
use crate::upstream::wire::{OneTable, Subjects, Table, Tables};

const USER_AGENT: &str = concat!("jobindsats-bridge/", env!("CARGO_PKG_VERSION"));
/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The databank's four calls.
#[async_trait]
pub trait Upstream: Send + Sync + fmt::Debug {
    /// The menu.
    async fn subjects(&self) -> Result<Subjects, UpstreamError>;
    /// Every table with its dates.
    async fn tables(&self) -> Result<Tables, UpstreamError>;
    /// Every table with its dates, as this or another bridge read it since then; the time is that of a reading of another.
    async fn tables_since(
        &self,
        _since: DateTime<Utc>,
    ) -> Result<(Option<DateTime<Utc>>, Tables), UpstreamError> {
        Ok((None, self.tables().await?))
    }
    /// One table's measures, periods and dimensions.
    async fn table(&self, table: &MeasurementId, urgency: Urgency) -> Result<Table, UpstreamError>;
    /// Figures of one table, for the service itself.
    #[cfg(feature = "insides")]
    async fn data(&self, request: &DataRequest) -> Result<DataTable, UpstreamError> {
        self.data_for(&Caller::new(Requester::Service, 0), request).await
    }
    /// Figures of one table.
    async fn data_for(&self, caller: &Caller, request: &DataRequest) -> Result<DataTable, UpstreamError>;
    /// Whether a background call may be made now: the upstream is open, the circuit closed, and a permit stays free for clients.
    fn has_room(&self) -> bool {
        true
    }
    /// Reports an answer that could be read but does not match its request.
    fn reject(&self, _request: &DataRequest, _problem: &dyn fmt::Display) {}
}

/// How to reach the upstream.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The root, with or without a slash at its end.
    pub base_url: String,
    pub key: Option<ApiKey>,
    /// The file that the key stands in, if it stands in one.
    pub key_file: Option<PathBuf>,
    /// The longest duration of one try, including reading its answer.
    pub timeout: Duration,
    /// The most calls at the same time.
    pub concurrency: usize,
    /// Whether the upstream is closed from 22 to 23. The databank is, a simulator need not be.
    pub closed_hour: bool,
    pub retry: Retry,
    pub clock: Clock,
    pub observer: Arc<dyn UpstreamObserver>,
    /// What other bridges leave of the calls at the same time.
    pub slots: Arc<dyn CallSlots>,
    /// Tells other bridges of calls that are held back.
    pub announcements: Announcements,
}

/// Why a client cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the upstream's address: expected http:// or https:// with a host, found {found:?}")]
    Address { found: String },
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error("the HTTP client cannot be set up: {0}")]
    Setup(#[source] reqwest::Error),
}

/// The upstream over HTTP.
#[derive(Debug)]
pub struct HttpUpstream {
    http: Client,
    root: Url,
    key: CurrentKey,
    timeout: Duration,
    concurrency: usize,
    queue: CallQueue,
    closed_hour: bool,
    retry: Retry,
    circuits: Arc<Circuits>,
    clock: Clock,
    observer: Arc<dyn UpstreamObserver>,
    slots: Arc<dyn CallSlots>,
}

/// One call, which may need several tries.
struct Call<'a> {
    caller: Caller,
    endpoint: Endpoint,
    table: Option<&'a MeasurementId>,
    path_and_query: String,
    urgency: Urgency,
    /// Whether the request can be made smaller.
    is_divisible: bool,
}

/// A successful answer. Its id is for the failure report in case the body cannot be used.
struct Answer {
    body: Bytes,
    request_id: Option<String>,
}

/// A failed try.
struct FailedTry {
    failure: Failure,
    request_id: Option<String>,
}

impl From<Failure> for FailedTry {
    fn from(failure: Failure) -> Self {
        Self { failure, request_id: None }
    }
}

#[async_trait]
impl Upstream for HttpUpstream {
    async fn subjects(&self) -> Result<Subjects, UpstreamError> {
        self.ask(&Call::metadata(Endpoint::Subjects, None), decode::json).await
    }

    async fn tables(&self) -> Result<Tables, UpstreamError> {
        self.ask(&Call::metadata(Endpoint::Tables, None), decode::json).await
    }

    async fn table(&self, table: &MeasurementId, urgency: Urgency) -> Result<Table, UpstreamError> {
        let call = Call { urgency, ..Call::metadata(Endpoint::Table, Some(table)) };
        let OneTable(table) = self.ask(&call, decode::json).await?;
        Ok(table)
    }

    async fn data_for(&self, caller: &Caller, request: &DataRequest) -> Result<DataTable, UpstreamError> {
        let urgency = match caller.requester {
            Requester::Client(_) => Urgency::Awaited,
            Requester::ReadAhead | Requester::Service => Urgency::Background,
        };
        let call = Call { caller: caller.clone(), urgency, ..Call::figures(request) };
        let read = |body: &[u8]| DataTable::parse(body, request.label_count(), request.measure_count);
        self.ask(&call, read).await
    }

    /// One permit stays free for clients. Where there is only one in all, it may be used while no client uses it.
    fn has_room(&self) -> bool {
        let kept_free = if self.concurrency > 1 { 1 } else { 0 };
        self.queue.free() > kept_free && !self.circuits.is_open() && self.is_open().is_ok()
    }

    fn reject(&self, request: &DataRequest, problem: &dyn fmt::Display) {
        self.report(&Call::figures(request), None, problem);
    }
}

impl<'a> Call<'a> {
    fn figures(request: &'a DataRequest) -> Self {
        Self {
            caller: Caller::new(Requester::Service, 0),
            endpoint: Endpoint::Data,
            table: Some(&request.table),
            path_and_query: request.path_and_query(),
            urgency: Urgency::Background,
            is_divisible: request.is_divisible(),
        }
    }

    fn metadata(endpoint: Endpoint, table: Option<&'a MeasurementId>) -> Self {
        let caller = Caller::new(Requester::Service, 0);
        let path_and_query = metadata_path(endpoint.as_str(), table);
        Self { caller, endpoint, table, path_and_query, urgency: Urgency::Background, is_divisible: false }
    }

    /// Whose turn in the queue it takes; nobody's if it is next.
    fn turn_of(&self) -> Option<Requester> {
        let is_next = matches!(
            (self.endpoint, self.urgency),
            (Endpoint::Tables, _) | (Endpoint::Table, Urgency::Awaited)
        );
        (!is_next).then_some(self.caller.requester)
    }

    fn error(&self, failed: FailedTry) -> UpstreamError {
        UpstreamError {
            endpoint: self.endpoint,
            table: self.table.cloned(),
            request_id: failed.request_id,
            failure: failed.failure,
        }
    }
}

impl HttpUpstream {
    /// A client for that upstream. Makes no call yet.
    ///
    /// # Errors
    /// If the URL is invalid, or the key cannot be sent in a header.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let root = root(&options.base_url)?;
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .gzip(true)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(options.timeout))
            .timeout(options.timeout);
        if is_loopback(&root) {
            builder = builder.no_proxy();
        }
        // A key that cannot be sent is reported now, not at the first call.
        options.key.as_ref().map(ApiKey::header).transpose()?;
        Ok(Self {
            http: builder.build().map_err(ClientError::Setup)?,
            root,
            key: CurrentKey::new(options.key, options.key_file, options.clock.clone()),
            timeout: options.timeout,
            concurrency: options.concurrency.max(1),
            queue: CallQueue::new(options.concurrency.max(1)),
            closed_hour: options.closed_hour,
            retry: options.retry,
            circuits: Arc::new(Circuits::new(options.clock.clone(), options.announcements)),
            clock: options.clock,
            observer: options.observer,
            slots: options.slots,
        })
    }

    /// The circuits, for what other bridges tell of theirs.
    #[must_use]
    pub fn circuits(&self) -> Arc<Circuits> {
        Arc::clone(&self.circuits)
    }

    /// Reads the file of the key again.
    ///
    /// # Errors
    /// When the file holds no key; the earlier one stays.
    pub fn reread_key(&self) -> Result<(), KeyFileError> {
        self.key.reread().map(drop)
    }

    async fn ask<T>(
        &self,
        call: &Call<'_>,
        read: impl Fn(&[u8]) -> Result<T, DecodeError> + Send,
    ) -> Result<T, UpstreamError> {
        let answer = self.answer(call).await.map_err(|failed| call.error(failed))?;
        read(&answer.body).map_err(|error| {
            self.report(call, answer.request_id.as_deref(), &error);
            call.error(FailedTry { failure: Failure::Decode(error), request_id: answer.request_id })
        })
    }

    /// Tries until there is an answer or no further try can help.
    async fn answer(&self, call: &Call<'_>) -> Result<Answer, FailedTry> {
        let mut earlier = None;
        let mut may_mend = true;
        for tries in 1_usize.. {
            let started = Instant::now();
            let failed = match self.one_try(call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let is_refused = failed.failure == Failure::Unauthorized;
            if is_refused && std::mem::take(&mut may_mend) && self.key.is_mended() {
                tracing::info!("the key was refused; its file holds another one, which is tried");
                continue;
            }
            // The circuit opened after an earlier try. How that try failed says more than that the circuit is open.
            if let (Failure::CircuitOpen { .. }, Some(earlier)) = (&failed.failure, earlier.take()) {
                return Err(earlier);
            }
            let attempt = FailedAttempt {
                failure: &failed.failure,
                number: tries,
                took: started.elapsed(),
                urgency: call.urgency,
                is_divisible: call.is_divisible,
            };
            let Some(pause) = self.retry.pause(call.endpoint, attempt) else {
                return Err(failed);
            };
            self.log_another_try(call, &failed, pause);
            earlier = Some(failed);
            tokio::time::sleep(pause).await;
        }
        Err(Failure::Connect { detail: "no try was made".to_owned() }.into())
    }

    async fn one_try(&self, call: &Call<'_>) -> Result<Answer, FailedTry> {
        let _permit = self.queue.permit(call.turn_of(), call.caller.remaining_cells).await;
        let _slot = self.slots.slot(self.timeout).await;
        call.caller.start_call().await;
        self.is_open().map_err(|closed| Failure::Closed { opens_at: closed.opens_at })?;
        let permits =
            self.circuits.admit(call.table).map_err(|retry_after| Failure::CircuitOpen { retry_after })?;
        let result = self.observed(call).await;
        match &result {
            // The caller sends a smaller request to find out whether this one was too large or the upstream is down.
            Err(failed) if call.is_divisible && failed.failure.may_be_too_much() => permits.undecided(),
            Err(failed) if failed.failure.is_outage() => permits.failed(failed.failure.concerns_the_whole()),
            _ => permits.succeeded(),
        }
        self.observer.upstream_circuit(self.circuits.is_open());
        result
    }

    /// Whether a try that starts now ends before the upstream closes.
    fn is_open(&self) -> Result<(), Closed> {
        if self.closed_hour { opening::may_start(self.clock.now(), self.timeout) } else { Ok(()) }
    }

    /// Makes one try and reports its outcome to the observer.
    async fn observed(&self, call: &Call<'_>) -> Result<Answer, FailedTry> {
        let _under_way = self.observer.upstream_started();
        let started = Instant::now();
        let (outcome, result) = self.send(call).await;
        let request_id = match &result {
            Ok(answer) => answer.request_id.clone(),
            Err(failed) => failed.request_id.clone(),
        };
        let made = UpstreamCall {
            endpoint: call.endpoint,
            table: call.table.map(|table| Arc::from(table.as_str())),
            address: redact(&self.address(call)).into_owned(),
            outcome,
            duration: started.elapsed(),
            request_id,
        };
        let (code, seconds, address) = (made.outcome.code(), made.duration.as_secs_f64(), &made.address);
        tracing::debug!(%code, seconds, address, "upstream: a call ended");
        self.observer.upstream_call(&made);
        if let Err(failed) = &result {
            self.report(call, failed.request_id.as_deref(), &failed.failure);
        }
        result
    }

    fn report(&self, call: &Call<'_>, request_id: Option<&str>, problem: &dyn fmt::Display) {
        self.observer.upstream_failed(&FailedCall {
            at: self.clock.now(),
            endpoint: call.endpoint,
            address: redact(&self.address(call)).into_owned(),
            request_id: request_id.map(str::to_owned),
            problem: redact(&problem.to_string()).into_owned(),
        });
    }

    fn address(&self, call: &Call<'_>) -> String {
        format!("{}{}", self.root, call.path_and_query)
    }

    fn request(&self, call: &Call<'_>) -> RequestBuilder {
        let request = self.http.get(self.address(call));
        // A key that cannot be sent never becomes the current one.
        match self.key.get().and_then(|key| key.header().ok()) {
            Some(header) => request.header(AUTHORIZATION, header),
            None => request,
        }
    }

    async fn send(&self, call: &Call<'_>) -> (CallOutcome, Result<Answer, FailedTry>) {
        let broken = |failure: Failure| {
            let outcome = match failure {
                Failure::Timeout { .. } => CallOutcome::Timeout,
                Failure::Connect { .. }
                | Failure::Unauthorized
                | Failure::Forbidden
                | Failure::Refused { .. }
                | Failure::Updating { .. }
                | Failure::TooLarge { .. }
                | Failure::RateLimited { .. }
                | Failure::Server { .. }
                | Failure::Gateway { .. }
                | Failure::Decode(_)
                | Failure::Closed { .. }
                | Failure::CircuitOpen { .. } => CallOutcome::Connect,
            };
            (outcome, Err(FailedTry::from(failure)))
        };
        let response = match self.request(call).send().await {
            Ok(response) => response,
            Err(error) => return broken(self.network_failure(error)),
        };
        let status = response.status();
        let (retry_after, request_id) = verdict::headers(response.headers(), self.clock.now());
        let body = match self.body(call.endpoint, response).await {
            Ok(body) => body,
            Err(failure @ Failure::Decode(_)) => {
                return (CallOutcome::Status(status.as_u16()), Err(FailedTry { failure, request_id }));
            }
            Err(failure) => return broken(failure),
        };
        let result = if status.is_success() {
            Ok(Answer { body, request_id })
        } else {
            let refusal = Refusal::new(status, &body, retry_after);
            let request_id = refusal.request_id().map(excerpt).or(request_id);
            Err(FailedTry { failure: refusal.into_failure(call.endpoint), request_id })
        };
        (CallOutcome::Status(status.as_u16()), result)
    }

    async fn body(&self, endpoint: Endpoint, mut response: Response) -> Result<Bytes, Failure> {
        let limit = body_limit(endpoint);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.network_failure(error))? {
            if body.len() + chunk.len() > limit {
                return Err(Failure::Decode(DecodeError::TooLong { limit }));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(body))
    }

    fn network_failure(&self, error: reqwest::Error) -> Failure {
        if error.is_timeout() {
            Failure::Timeout { after: self.timeout }
        } else {
            Failure::Connect { detail: innermost(&error.without_url()) }
        }
    }

    fn log_another_try(&self, call: &Call<'_>, failed: &FailedTry, pause: Duration) {
        tracing::warn!(
            endpoint = %call.endpoint,
            table = call.table.map(MeasurementId::as_str),
            upstream_request_id = failed.request_id,
            pause_seconds = pause.as_secs_f64(),
            "upstream: {}; trying again",
            failed.failure
        );
    }
}

/// The largest answer that is read. Lists and metadata become many times their size in memory, and need a small part of what figures
/// need.
fn body_limit(endpoint: Endpoint) -> usize {
    const MEGABYTE: usize = 1024 * 1024;
    match endpoint {
        Endpoint::Subjects | Endpoint::Tables => 4 * MEGABYTE,
        Endpoint::Table => 16 * MEGABYTE,
        Endpoint::Data => 128 * MEGABYTE,
    }
}

fn root(base_url: &str) -> Result<Url, ClientError> {
    let wrong = || ClientError::Address { found: excerpt(base_url) };
    let url = Url::parse(&format!("{}/", base_url.trim_end_matches('/'))).map_err(|_| wrong())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_web && url.query().is_none() && url.fragment().is_none()).then_some(url).ok_or_else(wrong)
}
