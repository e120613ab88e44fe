//! The tasks of the background: each runs until the service stops, and is started again a while after a panic has ended it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::{Clock, is_within};
use crate::observe::panics::Breakage;

/// From a panic until its task is started again.
pub const PAUSE: Duration = Duration::from_secs(60);
/// How long a panic is told of.
const TOLD_FOR: Duration = Duration::from_secs(3600);

/// The tasks, and which of them have panicked.
#[derive(Debug)]
pub struct Tasks {
    clock: Clock,
    stop: watch::Sender<bool>,
    running: Mutex<Vec<JoinHandle<()>>>,
    panicked: Mutex<BTreeMap<&'static str, DateTime<Utc>>>,
    /// A panic in one of them.
    pub breakage: Breakage,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            stop: watch::Sender::new(false),
            running: Mutex::default(),
            panicked: Mutex::default(),
            breakage: Breakage::default(),
        }
    }

    /// Starts a task. Its work ends by itself once what it is given becomes true.
    pub fn start<W: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        name: &'static str,
        work: impl Fn(watch::Receiver<bool>) -> W + Send + 'static,
    ) {
        let tasks = Arc::clone(self);
        let task = tokio::spawn(async move {
            while !tasks.has_ended(name, work(tasks.stop.subscribe())).await {
                let mut stop = tasks.stop.subscribe();
                tokio::select! {
                    () = tasks.clock.sleep(PAUSE) => {}
                    _ = stop.wait_for(|stopped| *stopped) => return,
                }
            }
        });
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// Does a task's work; whether it ended by itself.
    async fn has_ended(&self, name: &'static str, work: impl Future<Output = ()>) -> bool {
        // What a task shares with others is behind locks and replaced as a whole.
        let ended = AssertUnwindSafe(self.breakage.within(work)).catch_unwind().await.is_ok();
        if !ended {
            tracing::error!(
                task = name,
                pause_seconds = PAUSE.as_secs(),
                "the task of the background is started again"
            );
            self.panics().insert(name, self.clock.now());
        }
        ended
    }

    /// The tasks that have panicked lately.
    #[must_use]
    pub fn panicked(&self) -> Vec<&'static str> {
        let now = self.clock.now();
        let panics = self.panics();
        panics.iter().filter(|(_, at)| is_within(TOLD_FOR, **at, now)).map(|(name, _)| *name).collect()
    }

    /// Asks all to end.
    pub fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether they were asked to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until all have ended.
    pub async fn ended(&self) {
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for task in running {
            let _ = task.await;
        }
    }

    fn panics(&self) -> MutexGuard<'_, BTreeMap<&'static str, DateTime<Utc>>> {
        self.panicked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_after_a_pause_and_told_of_for_an_hour() {
        let clock = Clock::fixed("2026-09-15T07:00:00Z".parse().unwrap());
        let (tasks, begun) = (Arc::new(Tasks::new(clock.clone())), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&begun);
        tasks.start("round", move |mut stop| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                if number == 0 {
                    std::panic::panic_any("the first time");
                }
                let _ = stop.wait_for(|stopped| *stopped).await;
            }
        });
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((tasks.panicked(), begun.load(Ordering::Relaxed)), (vec!["round"], 1));
        clock.advance(PAUSE);
        while begun.load(Ordering::Relaxed) == 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(tasks.panicked(), ["round"], "it may happen again");
        clock.advance(TOLD_FOR);
        assert_eq!(tasks.panicked(), [""; 0]);
        tasks.begin_stop();
        tasks.ended().await;
        assert!(tasks.is_stopping());
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }
}
