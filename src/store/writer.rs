//! Work on the disk, done one piece after another on a thread of its own: whoever answers hands it over and never waits.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread;

use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// Hands work over. Cheap to clone; the thread ends when the last clone is gone and all work is done.
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
    /// When the system has no thread to give.
    pub fn start() -> io::Result<Self> {
        let (sender, work) = mpsc::channel::<Work>();
        let run = move || work.into_iter().for_each(|work| work());
        thread::Builder::new().name("disk-writer".to_owned()).spawn(run)?;
        Ok(Self(sender))
    }

    /// Has a piece of work done after all that was handed over before.
    pub fn submit(&self, work: impl FnOnce() + Send + 'static) {
        // The thread outlives every sender: it ends only when the last of them is gone.
        let _ = self.0.send(Box::new(work));
    }

    /// Waits until all that was handed over before is done.
    pub async fn flush(&self) {
        let (done, waits) = oneshot::channel();
        self.submit(move || {
            let _ = done.send(());
        });
        let _ = waits.await;
    }
}
