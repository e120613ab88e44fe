//! The request that is being answered: its id, its spans, and what it has cost so far. It is task-local and is passed on to spawned
//! tasks and threads, so that functions that count or log need no parameter for it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::Either;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::task_local;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::traces::{ServerSpan, Traces};
use super::upstream_observer::{UpstreamCall, UpstreamObserver};
use crate::settings::redact::redact;

task_local! {
    static CURRENT: Arc<RequestRecord>;
}

/// The methods that metrics and traces name; all others are one.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The longest id that is accepted from a proxy.
const LONGEST_ID: usize = 64;

/// The name of a method that metrics and traces tell apart from others.
#[must_use]
pub fn known_method(method: &str) -> Option<&'static str> {
    METHODS.into_iter().find(|known| *known == method)
}

/// What a request is found by in logs, traces and errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// An id that no other request has.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string().into())
    }

    /// An id that a proxy gave; `None` if it is too long, empty, a secret, or could be mistaken for something else in a log.
    #[must_use]
    pub fn given(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_id = (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(is_plain);
        (is_id && redact(text) == text).then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request, for the log, for traces and for errors.
#[derive(Debug)]
pub struct RequestRecord {
    pub id: RequestId,
    /// Its span in a trace, where traces are exported.
    pub trace: Option<ServerSpan>,
    rows: AtomicU64,
    upstream_calls: AtomicU64,
}

impl RequestRecord {
    /// A new request.
    #[must_use]
    pub fn begin(id: RequestId, trace: Option<ServerSpan>) -> Arc<Self> {
        Arc::new(Self { id, trace, rows: AtomicU64::default(), upstream_calls: AtomicU64::default() })
    }

    /// Rows of the answer so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Calls to the upstream that were made for the request so far.
    #[must_use]
    pub fn upstream_calls(&self) -> u64 {
        self.upstream_calls.load(Ordering::Relaxed)
    }

    /// Does work of this request.
    pub fn within<F: Future>(self: &Arc<Self>, work: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(Arc::clone(self), work)
    }

    /// The same for work that does not wait.
    pub fn within_now<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Arc::clone(self), work)
    }
}

/// The current request, if there is one.
#[must_use]
pub fn current() -> Option<Arc<RequestRecord>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Work of the current request on another task.
pub fn inherited<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    match current() {
        Some(record) => Either::Left(CURRENT.scope(record, work.in_current_span())),
        None => Either::Right(work),
    }
}

/// Work of the current request on another thread.
pub fn inherited_now<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let (record, span) = (current(), Span::current());
    move || match record {
        Some(record) => record.within_now(|| span.in_scope(work)),
        None => work(),
    }
}

/// Has a task of its own do work of the current request.
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(inherited(work))
}

/// Has a thread that may block do work of the current request.
pub fn spawn_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(inherited_now(work))
}

/// Has something done that who is dropped leaves to be done. Without a runtime the program ends, and it is not done.
pub fn spawn_if_running(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(inherited(work));
    }
}

/// The id of the current request; a new one where there is none, so that an error always has one.
#[must_use]
pub fn id() -> RequestId {
    CURRENT.try_with(|record| record.id.clone()).unwrap_or_else(|_| RequestId::random())
}

/// Counts rows of the current request's answer.
pub fn count_rows(rows: usize) {
    let _ = CURRENT.try_with(|record| record.rows.fetch_add(rows as u64, Ordering::Relaxed));
}

/// Counts and traces calls to the upstream for the request that they are made for.
#[derive(Debug)]
pub struct RequestCalls(pub Traces);

impl UpstreamObserver for RequestCalls {
    fn upstream_started(&self) -> Box<dyn Send> {
        Box::new(())
    }

    fn upstream_call(&self, call: &UpstreamCall) {
        let request = current();
        if let Some(record) = &request {
            record.upstream_calls.fetch_add(1, Ordering::Relaxed);
        }
        self.0.called(call, request.as_ref().and_then(|record| record.trace.as_ref()));
    }

    fn upstream_circuit(&self, _: bool) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_proxy_is_taken_as_it_is_or_not_at_all() {
        for id in
            ["4bf92f3577b34da6a3ce929d0e0e4736", "6f1c9d3e-8a4b-4c2d-9e5f-0a1b2c3d4e5f", "a", "Root_1.2"]
        {
            assert_eq!(RequestId::given(id).unwrap().to_string(), id);
        }
        let secret = format!("jb_{}", "A".repeat(43));
        for text in ["", "a b", "a\n", "a\"", "æ", "a;b", "<b>", "%0a", &"x".repeat(65), &secret] {
            assert_eq!(RequestId::given(text), None, "{text:?}");
        }
    }

    #[tokio::test]
    async fn work_on_other_tasks_and_threads_belongs_to_the_request() {
        let record = RequestRecord::begin(RequestId::random(), None);
        let ids = async {
            let (task, thread) = (spawn(async { id() }), spawn_blocking(id));
            [task.await.unwrap(), thread.await.unwrap()]
        };
        assert_eq!(record.within(ids).await, [record.id.clone(), record.id.clone()]);
        assert!(current().is_none());
    }
}
