//! On whose behalf the upstream is called, and whether anybody still waits for the answer.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::budget::upstream::Requester;

/// Who calls, for which part of the work. Clones stand for the same calls.
#[derive(Debug, Clone)]
pub struct Caller {
    pub requester: Requester,
    /// Cells that the request of the caller needs from the upstream, in all its calls.
    pub remaining_cells: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// How many wait for the calls.
    waiting: usize,
    is_calling: bool,
    is_ended: bool,
    /// The task that makes the calls.
    task: Option<AbortHandle>,
}

/// A call that is being made, until this is dropped.
#[derive(Debug)]
pub struct RunningCall(Caller);

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0.state().is_calling = false;
    }
}

impl Caller {
    /// A caller that one waits for.
    #[must_use]
    pub fn new(requester: Requester, remaining_cells: u64) -> Self {
        let state = State { waiting: 1, ..State::default() };
        Self { requester, remaining_cells, state: Arc::new(Mutex::new(state)) }
    }

    /// Sets the task that makes the calls.
    pub fn set_task(&self, task: AbortHandle) {
        self.state().task = Some(task);
    }

    /// One more waits, unless the task has been ended; says whether that is so.
    #[must_use]
    pub fn join(&self) -> bool {
        let mut state = self.state();
        state.waiting += usize::from(!state.is_ended);
        !state.is_ended
    }

    /// One fewer waits. After the last, a call that is being made is finished, so that its figures are stored; no other is started. Says
    /// whether the task was ended.
    pub fn leave(&self) -> bool {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(1);
        if state.waiting == 0 && !state.is_calling {
            state.end();
        }
        state.is_ended
    }

    /// Whether the task was ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state().is_ended
    }

    /// Whether both stand for the same calls.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }

    /// Starts a call. If nobody waits for it, the task ends here.
    pub async fn start_call(&self) -> RunningCall {
        let is_ended = {
            let mut state = self.state();
            if state.waiting == 0 {
                state.end();
            }
            state.is_calling = !state.is_ended;
            state.is_ended
        };
        if is_ended {
            pending::<()>().await;
        }
        RunningCall(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&mut self) {
        self.is_ended = true;
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
