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
    has_called: bool,
    /// Whether answers would be of no use any more.
    is_superseded: bool,
    is_ended: bool,
    /// The task that makes the calls.
    task: Option<AbortHandle>,
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

    /// One fewer waits. Where none is left, a task that has made no call ends. One that has made a call ends when it starts another, so
    /// that the figures of its answer are stored. Says whether the task was ended.
    pub fn leave(&self) -> bool {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(1);
        if state.waiting == 0 && !state.has_called {
            state.end();
        }
        state.is_ended
    }

    /// No answer is of use any more: a task that has made no call ends, and one that has, when it starts another. Says whether it was ended.
    pub fn supersede(&self) -> bool {
        let mut state = self.state();
        state.is_superseded = true;
        if !state.has_called {
            state.end();
        }
        state.is_ended
    }

    /// Whether no answer is of use any more.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.state().is_superseded
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

    /// Starts a call. If nobody waits for it, or it would be of no use, the task ends here.
    pub async fn start_call(&self) {
        let is_ended = {
            let mut state = self.state();
            if state.waiting == 0 || state.is_superseded {
                state.end();
            }
            state.has_called = true;
            state.is_ended
        };
        if is_ended {
            pending::<()>().await;
        }
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

#[cfg(test)]
mod tests {
    use futures_util::future::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_kept_though_all_have_left_and_no_other_call_is_made() {
        let caller = Caller::new(Requester::Service, 1);
        let task = tokio::spawn(pending::<()>());
        caller.set_task(task.abort_handle());
        assert!(caller.start_call().now_or_never().is_some());
        assert!(!caller.leave(), "its answer is not stored yet");
        assert!(caller.join(), "who comes now waits for it");
        assert!(!caller.leave());
        assert!(caller.start_call().now_or_never().is_none(), "nobody waits for another");
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(!caller.join());
    }

    #[tokio::test]
    async fn what_was_not_called_for_ends_with_the_last_who_waits() {
        let caller = Caller::new(Requester::Service, 1);
        let task = tokio::spawn(pending::<()>());
        caller.set_task(task.abort_handle());
        assert!(caller.join());
        assert!(!caller.leave(), "one waits still");
        assert!(caller.leave());
        assert!(task.await.unwrap_err().is_cancelled());
    }
}
