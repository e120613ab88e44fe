//! How many files and connections this process may have open. The limit that is set at its start is often a quarter of what it may
//! set itself.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is left for files, calls to the upstream and refusals.
const RESERVED: u64 = 256;

/// Raises the limit as far as it goes, and says how many connections fit under it.
#[must_use]
pub fn raise_limit() -> usize {
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
    let current = current.unwrap_or(u64::MAX);
    usize::try_from(current - RESERVED.min(current / 4)).unwrap_or(usize::MAX)
}
