//! How a file is made whole, and what it is known by.

use std::io;
use std::sync::Arc;

use actix_web::web;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::try_join;

use super::address::Kind;
use super::source::FileSource;
use super::stream::FileStream;
use super::whole_files::{Made, Making, MakingError, WholeFiles};
use crate::answer::error::BridgeError;
use crate::budget::answers::WRITING_BYTES;
use crate::budget::work;
use crate::clock::Clock;
use crate::feed::FeedId;
use crate::fetch::error::FetchError;
use crate::store::block::Revision;
use crate::store::freshness::is_believed;
use crate::web::body::digest;
use crate::web::compress::Coding;

/// The part of the longest wait after which rows come from stored cells: who waits for the file gets it then.
const HASTE: f32 = 0.8;

/// What a file is known by: what is asked for, however it was spelled.
#[derive(Debug, Clone)]
pub(super) struct FileKey {
    pub feed: FeedId,
    pub identity: String,
    pub kind: Kind,
    pub now: DateTime<Utc>,
}

impl FileKey {
    /// The name of the file with the figures of a revision.
    pub fn name(&self, revision: Option<Revision>) -> String {
        let Self { feed, identity, kind, now } = self;
        // What calls `now()` is another file in the next minute. Identities are percent-encoded.
        let now = identity.to_ascii_lowercase().contains("now%28").then_some(now);
        digest(format!("{feed:?} {identity} {kind:?} {now:?} {revision:?}").as_bytes())
    }
}

/// A file that is to be made.
pub(super) struct NewMaking {
    /// The name that it has if the table is not updated meanwhile.
    pub name: String,
    pub key: FileKey,
    pub source: FileSource,
    pub about_bytes: u64,
    pub clock: Clock,
}

impl NewMaking {
    /// Makes the file, unless somebody else does.
    pub fn begin(self, files: &Arc<WholeFiles>) -> Making {
        let (name, whole_files) = (self.name.clone(), Arc::clone(files));
        let made = async move {
            let name = self.name.clone();
            let made = self.made(&whole_files).await;
            if let Err(MakingError::TooLarge) = made {
                whole_files.refuse(name);
            }
            made
        };
        files.join_or_make(name, made)
    }

    async fn made(self, files: &WholeFiles) -> Made {
        let Self { key, source, about_bytes, clock, .. } = self;
        let source = source.waiting(HASTE);
        let mut new = files.made.begin(about_bytes, files.most_bytes()).await.map_err(unkept)?;
        let (writing, first) = source.page(None, |_| Ok(work::hold(WRITING_BYTES)?)).await?;
        let name = key.name(first.provenance.revision);
        // The rows are stored ones that cannot be fetched again now. A file of that revision has the same.
        if first.provenance.fetched_at.is_some_and(|at| !is_believed(at, clock.now()))
            && let Some(made) = files.made.find(&name).await
        {
            return Ok(Arc::new(made));
        }
        let mut file = FileStream::begin(key.kind, Coding::Identity, source, writing, &first.query)?;
        file.take(first)?;
        let (mut rows, mut fetched_at) = (file.rows, file.fetched_at);
        let mut piece = next_piece(file).await?;
        while let Some((bytes, rest)) = piece {
            (rows, fetched_at) = (rest.rows, rest.fetched_at);
            // The disk takes a piece while the next one is made.
            let write = blocking(move || new.write(&bytes).map(|()| new));
            (new, piece) = try_join(write, next_piece(rest)).await?;
        }
        Ok(Arc::new(blocking(move || new.finish(&name, rows, fetched_at)).await?))
    }
}

async fn next_piece(file: FileStream) -> Result<Option<(Bytes, FileStream)>, MakingError> {
    Ok(file.piece().await.map_err(begun_anew)?)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, MakingError> {
    web::block(work).await.map_err(|_| FetchError::Interrupted)?.map_err(unkept)
}

fn unkept(error: io::Error) -> MakingError {
    if error.kind() == io::ErrorKind::FileTooLarge {
        tracing::info!("a file became larger than a made one may be; its rows are sent as they come");
        return MakingError::TooLarge;
    }
    tracing::warn!(%error, "a file cannot be made on disk; its rows are sent as they come");
    MakingError::Disk
}

/// Nothing of the file has been sent: where a revision is gone, it begins anew in the next.
fn begun_anew(error: BridgeError) -> BridgeError {
    match error {
        BridgeError::Fetch(FetchError::Gone { table }) => FetchError::Moved { table }.into(),
        other => other,
    }
}
