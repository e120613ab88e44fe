//! Files that are made whole on disk: each once, for all who ask for it.
//!
//! A file is made by a task of its own, which ends when nobody waits for it any more; whoever was told to come back has it made to the
//! end.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, Shared, WeakShared};
use tokio::task::JoinSet;

use crate::answer::error::BridgeError;
use crate::fetch::error::FetchError;
use crate::observe::request::{self, inherited};
use crate::settings::MEGABYTE;
use crate::store::made_files::{MadeFile, MadeFiles};

/// How many refused names are remembered.
const REMEMBERED: usize = 1000;

/// What becomes of a file.
pub(super) type Made = Result<Arc<MadeFile>, MakingError>;
type MadeFuture = BoxFuture<'static, Made>;

/// A file that somebody waits for.
pub(super) type Making = Shared<MadeFuture>;

/// Why a file was not made.
#[derive(Debug, Clone)]
pub(super) enum MakingError {
    /// It cannot be kept; its rows may be had all the same.
    Disk,
    /// It became larger than was expected, and than a file may be.
    TooLarge,
    Rows(Arc<BridgeError>),
}

impl<E: Into<BridgeError>> From<E> for MakingError {
    fn from(error: E) -> Self {
        Self::Rows(Arc::new(error.into()))
    }
}

/// The files that are made, and those that are being made.
#[derive(Debug)]
pub struct WholeFiles {
    pub made: MadeFiles,
    under_way: Mutex<HashMap<String, WeakShared<MadeFuture>>>,
    /// Names of files that became too large.
    too_large: Mutex<HashSet<String>>,
    /// How large a file may be that is made whole before it is sent, where there is so much room on disk, and an answer over HTTP/1.0.
    pub largest_bytes: u64,
}

impl WholeFiles {
    /// Files of at most so many bytes.
    #[must_use]
    pub fn new(made: MadeFiles, largest_bytes: u64) -> Self {
        Self { made, under_way: Mutex::default(), too_large: Mutex::default(), largest_bytes }
    }

    /// The most bytes of a file that is made whole.
    pub(super) fn most_bytes(&self) -> u64 {
        self.largest_bytes.min(self.made.largest_bytes())
    }

    /// Whether a file of that name and about so many bytes is made whole.
    pub(super) fn takes(&self, name: &str, bytes: u64) -> bool {
        let too_large = self.too_large.lock().unwrap_or_else(PoisonError::into_inner);
        bytes <= self.most_bytes() && !too_large.contains(name)
    }

    /// Remembers that a file became too large, so that it is not made in vain again.
    pub(super) fn refuse(&self, name: String) {
        let mut too_large = self.too_large.lock().unwrap_or_else(PoisonError::into_inner);
        if too_large.len() >= REMEMBERED {
            too_large.clear();
        }
        too_large.insert(name);
    }

    /// The refusal of an answer over HTTP/1.0 whose length cannot be found out, because it is too large.
    #[must_use]
    pub fn too_large_for_http10(&self) -> BridgeError {
        BridgeError::TooLargeForHttp10 { megabytes: self.largest_bytes / MEGABYTE }
    }

    /// The making of the file of that name; begins it if nobody else has.
    pub(super) fn join_or_make(
        &self,
        name: String,
        make: impl Future<Output = Made> + Send + 'static,
    ) -> Making {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let joined = under_way.get(&name).and_then(WeakShared::upgrade);
        if let Some(making) = joined.filter(|making| making.peek().is_none()) {
            return making;
        }
        let mut task = JoinSet::new();
        task.spawn(inherited(make));
        // The task ends with this, which ends with the last who waits for it.
        let making = async move {
            let made = task.join_next().await.and_then(Result::ok);
            made.unwrap_or_else(|| Err(FetchError::Interrupted.into()))
        };
        let making = making.boxed().shared();
        under_way.retain(|_, other| other.upgrade().is_some());
        under_way.extend(making.downgrade().map(|making| (name, making)));
        making
    }
}

/// Lets a file be made to its end, also if nobody waits for it any more.
pub(super) fn finish(making: Making) {
    request::spawn(making);
}
