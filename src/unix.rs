//! What the program asks of a unix: signals, processor time, limits, modes of files, reading at a position, and in [`systemd`] the service
//! manager. All of it is here, so that another system needs other files in this place alone; for Windows there are none, so the program
//! is not compiled for it.

pub mod systemd;

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end the program. From the first `listen` on they do so only through this.
#[derive(Debug)]
pub struct StopSignals {
    terminated: Signal,
    interrupted: Signal,
}

impl StopSignals {
    /// # Errors
    /// When the system has no room for it.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}

/// SIGHUP, which asks for the configuration to be read again, and would otherwise end the program.
#[derive(Debug)]
pub struct ReloadSignal(Signal);

impl ReloadSignal {
    /// # Errors
    /// When the system has no room for it.
    pub fn listen() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Waits for it.
    pub async fn received(&mut self) {
        let _ = self.0.recv().await;
    }
}

/// The processor time of this thread.
#[must_use]
pub fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

/// How many files and connections this process may have open at a time, after raising the limit as far as it goes: the one that is
/// set at its start is often a quarter of what it may set itself.
#[must_use]
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            limit.current
        }
    };
    // No limit is no number.
    current.unwrap_or(u64::MAX)
}

/// Has the system give the allocator pages of 4 kB also where it is set to give 2 MB, of which a few bytes in use keep all the others.
pub fn use_small_pages() {
    // Where that cannot be set, the program only needs more memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Has a new file made with that mode, before the process's own mask.
pub fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    options.mode(mode)
}

/// Gives a file that mode.
///
/// # Errors
/// When it belongs to somebody else.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Gives a file the owner, the group and the mode of another.
///
/// # Errors
/// When this process may not give files to that owner.
pub fn make_alike(file: &File, other: &Metadata) -> io::Result<()> {
    fchown(file, Some(other.uid()), Some(other.gid()))?;
    file.set_permissions(other.permissions())
}

/// Fills a buffer from that position of a file on, whoever else reads it.
///
/// # Errors
/// When the file cannot be read, or ends before the buffer is full.
pub fn read_exact_at(file: &File, bytes: &mut [u8], position: u64) -> io::Result<()> {
    file.read_exact_at(bytes, position)
}
