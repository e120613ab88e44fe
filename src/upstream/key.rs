//! The key that calls are made with. A key in a file can be corrected while the program runs: the file is read again on SIGHUP and
//! after a refusal, then at most once a minute.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock::{Clock, is_within};
use crate::settings::key::{ApiKey, KeyFileError};

/// Between two readings of the file after refusals.
const PAUSE: Duration = Duration::from_secs(60);

/// A key that may be exchanged.
#[derive(Debug)]
pub struct CurrentKey {
    key: RwLock<Option<ApiKey>>,
    file: Option<PathBuf>,
    clock: Clock,
    /// When the file was last read after a refusal.
    read_at: Mutex<Option<DateTime<Utc>>>,
}

impl CurrentKey {
    /// Begins with a key; `file` is where it stands, if it stands in one.
    #[must_use]
    pub fn new(key: Option<ApiKey>, file: Option<PathBuf>, clock: Clock) -> Self {
        Self { key: RwLock::new(key), file, clock, read_at: Mutex::default() }
    }

    /// The key as it is now.
    #[must_use]
    pub fn get(&self) -> Option<ApiKey> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again; says whether it holds another key than before. Without a file there is none.
    ///
    /// # Errors
    /// When the file holds no key; the earlier one stays.
    pub fn reread(&self) -> Result<bool, KeyFileError> {
        let Some(file) = &self.file else { return Ok(false) };
        let found = ApiKey::read_file(file)?;
        let mut key = self.key.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = !key.as_ref().is_some_and(|key| key.is_same(&found));
        *key = Some(found);
        Ok(is_other)
    }

    /// Whether a refused call should be made again: the file holds another key now.
    pub fn is_mended(&self) -> bool {
        let now = self.clock.now();
        {
            let mut read_at = self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
            if self.file.is_none() || read_at.is_some_and(|at| is_within(PAUSE, at, now)) {
                return false;
            }
            *read_at = Some(now);
        }
        self.reread().unwrap_or_else(|error| {
            tracing::error!(%error, "the key was refused, and its file holds none; the earlier key stays");
            false
        })
    }
}
