//! Panics. Each is a defect of this program: it is logged, with the request that it happened in, and counted. What it ends is decided
//! where work begins: one request (`web/request_metrics.rs`, `budget/work.rs`), one piece of disk work (`store/writer.rs`), or a task of
//! the background, which is started again (`refresh/tasks.rs`).

use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// From now on counts and logs every panic of this process, and then does what else is given.
pub fn watch(also: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) {
    panic::set_hook(Box::new(move |panic| {
        note(panic);
        also(panic);
    }));
}

/// How many panics there were.
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

fn note(panic: &PanicHookInfo<'_>) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let message = panic.payload_as_str().unwrap_or("without a message");
    let place = panic.location().map(ToString::to_string);
    let thread = std::thread::current().name().map(str::to_owned);
    tracing::error!(
        place,
        thread,
        "a defect of this program ended a part of its work; please report it: {message:?}"
    );
}

/// Work that a test can have panic; without the feature `insides` nobody can. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Breakage(#[cfg(feature = "insides")] std::sync::Arc<tokio::sync::Notify>);

impl Breakage {
    /// Has the work that waits, or else the next, panic.
    #[cfg(feature = "insides")]
    pub fn ask(&self) {
        self.0.notify_one();
    }

    /// Does work, unless a test asks for a panic.
    #[cfg_attr(feature = "insides", expect(clippy::panic, reason = "only tests can ask for it"))]
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> T {
        #[cfg(feature = "insides")]
        tokio::select! {
            biased;
            () = self.0.notified() => panic::panic_any("a test asked for this"),
            done = work => done,
        }
        #[cfg(not(feature = "insides"))]
        work.await
    }
}
