//! The limit of open files of the process that the tests run in.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit, unless it is that high already.
pub fn allow_open_files(needed: u64) {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    assert!(allowed >= needed, "{needed} open files are needed, {allowed} allowed: raise ulimit -Hn");
    let current = limit.current.unwrap_or(u64::MAX).max(needed);
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit }).unwrap();
}
