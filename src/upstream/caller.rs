//! On whose behalf the upstream is called, and whether anybody still waits for the answer.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::task::AbortHandle;

use crate::budget::upstream::Requester;

/// Who calls, for which part of the work.
#[derive(Debug, Clone)]
pub struct Caller {
    pub requester: Requester,
    /// Cells that the request of the caller needs from the upstream, in all its calls.
    pub remaining_cells: u64,
    waiting: Arc<Waiting>,
}

/// Whether somebody waits for the calls of a task.
#[derive(Debug, Default)]
struct Waiting {
    is_abandoned: AtomicBool,
    is_calling: AtomicBool,
    task: OnceLock<AbortHandle>,
}

/// A call that is being made, until this is dropped.
#[derive(Debug)]
pub struct RunningCall(Arc<Waiting>);

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0.is_calling.store(false, Ordering::SeqCst);
    }
}

impl Caller {
    #[must_use]
    pub fn new(requester: Requester, remaining_cells: u64) -> Self {
        Self { requester, remaining_cells, waiting: Arc::default() }
    }

    /// Sets the task that makes the calls.
    pub fn set_task(&self, task: AbortHandle) {
        let _ = self.waiting.task.set(task);
    }

    /// Nobody waits any more. A call that is being made is finished, so that its figures are stored; no other is started.
    pub fn abandon(&self) {
        self.waiting.is_abandoned.store(true, Ordering::SeqCst);
        if !self.waiting.is_calling.load(Ordering::SeqCst) {
            self.abort();
        }
    }

    /// Starts a call. If nobody waits for it, the task ends here.
    pub async fn start_call(&self) -> RunningCall {
        self.waiting.is_calling.store(true, Ordering::SeqCst);
        let call = RunningCall(Arc::clone(&self.waiting));
        if self.waiting.is_abandoned.load(Ordering::SeqCst) {
            self.abort();
            pending::<()>().await;
        }
        call
    }

    fn abort(&self) {
        if let Some(task) = self.waiting.task.get() {
            task.abort();
        }
    }
}
