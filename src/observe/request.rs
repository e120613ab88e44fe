//! The request that is being answered: its id and what it has cost so far. It is task-local and is passed on to spawned tasks, so
//! that functions that count need no parameter for it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::Either;
use tokio::task_local;
use uuid::Uuid;

use super::upstream_observer::{UpstreamCall, UpstreamObserver};

task_local! {
    static CURRENT: Arc<RequestRecord>;
}

/// A request, for the log and for errors.
#[derive(Debug)]
pub struct RequestRecord {
    pub id: Uuid,
    rows: AtomicU64,
    upstream_calls: AtomicU64,
}

impl RequestRecord {
    /// A new request.
    #[must_use]
    pub fn begin() -> Arc<Self> {
        Arc::new(Self {
            id: Uuid::new_v4(),
            rows: AtomicU64::default(),
            upstream_calls: AtomicU64::default(),
        })
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

/// Work of the current request on another task.
pub fn inherited<F: Future>(work: F) -> impl Future<Output = F::Output> + use<F> {
    match CURRENT.try_with(Arc::clone) {
        Ok(record) => Either::Left(CURRENT.scope(record, work)),
        Err(_) => Either::Right(work),
    }
}

/// The id of the current request; a new one where there is none, so that an error always has one.
#[must_use]
pub fn id() -> Uuid {
    CURRENT.try_with(|record| record.id).unwrap_or_else(|_| Uuid::new_v4())
}

/// Counts rows of the current request's answer.
pub fn count_rows(rows: usize) {
    let _ = CURRENT.try_with(|record| record.rows.fetch_add(rows as u64, Ordering::Relaxed));
}

/// Counts calls to the upstream for the request that they are made for.
#[derive(Debug)]
pub struct CallCounter;

impl UpstreamObserver for CallCounter {
    fn upstream_started(&self) -> Box<dyn Send> {
        Box::new(())
    }

    fn upstream_call(&self, _: &UpstreamCall) {
        let _ = CURRENT.try_with(|record| record.upstream_calls.fetch_add(1, Ordering::Relaxed));
    }

    fn upstream_circuit(&self, _: bool) {}
}
