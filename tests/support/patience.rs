//! Waiting for what happens elsewhere, without saying how fast a machine is.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Much longer than anything takes that a test waits for, also on a machine that does other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a condition holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Does something that must take less processor time on this thread, whatever else the machine does meanwhile.
#[track_caller]
pub fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    let used = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
    };
    let began = used();
    let done = work();
    let took = used() - began;
    assert!(took < limit, "{took:?}");
    done
}
