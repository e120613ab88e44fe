//! A thread that does disk work in sequence, so that requests never wait for the disk. A panic ends the piece of work that it is in.

use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Sender};
use std::thread;

use tokio::sync::oneshot;

use crate::observe::request::inherited_now;

type Work = Box<dyn FnOnce() + Send>;

/// Submits work to the thread. Cheap to clone; the thread ends when the last clone is dropped and all work is done.
#[derive(Clone)]
pub struct DiskWriter(Sender<Work>);

impl fmt::Debug for DiskWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskWriter")
    }
}

impl DiskWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the operating system refuses a new thread.
    pub fn start() -> io::Result<Self> {
        let (sender, work) = mpsc::channel::<Work>();
        // A piece of work leaves nothing half done that others see: what it shares is behind locks and replaced as a whole.
        let run = move || {
            work.into_iter().for_each(|work| drop(panic::catch_unwind(AssertUnwindSafe(work))));
        };
        thread::Builder::new().name("disk-writer".to_owned()).spawn(run)?;
        Ok(Self(sender))
    }

    /// Queues a piece of work.
    pub fn submit(&self, work: impl FnOnce() + Send + 'static) {
        // Cannot fail: the thread ends only after the last sender is dropped.
        let _ = self.0.send(Box::new(inherited_now(work)));
    }

    /// Waits until all queued work is done.
    pub async fn flush(&self) {
        let (done, waits) = oneshot::channel();
        self.submit(move || {
            let _ = done.send(());
        });
        let _ = waits.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_own_work_alone() {
        let writer = DiskWriter::start().unwrap();
        let (done, waits) = oneshot::channel();
        writer.submit(|| panic::panic_any("a piece of work that fails"));
        writer.submit(move || done.send(()).unwrap());
        waits.await.unwrap();
    }
}
