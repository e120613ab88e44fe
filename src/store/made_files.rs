//! Files that were made of stored figures, on disk beside the blocks: whoever asks for the same gets the same file. They count in the
//! disk's budget with the blocks, and what was used least recently goes first, whichever it is.
//!
//! What a file is made of besides figures, names and descriptions, is known to this process only. So the files of an earlier one are
//! removed at the start, whole or not. The tag of a file is a hash of its content: a file that is made again has the same.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::disk::UNFINISHED;
use crate::store::disk::{files, remove};
pub use crate::store::index::FileFacts;
use crate::store::index::SharedIndex;

const MEGABYTE: u64 = 1024 * 1024;
/// Files that are being made may take one part in so many of the disk's budget, in addition to it; and so may the largest one alone.
const BEING_MADE: u64 = 4;
/// Twelve bytes of a hash: enough to distinguish the states of one file.
const TAG_BYTES: usize = 12;

/// The made files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MadeFiles {
    folder: PathBuf,
    index: SharedIndex,
    disk_bytes: u64,
    /// Megabytes of files that may be begun.
    room: Arc<Semaphore>,
}

/// A whole file, open for reading. It stays readable when it is evicted meanwhile.
#[derive(Debug)]
pub struct MadeFile {
    pub file: File,
    pub facts: FileFacts,
}

/// A file that is being made. It is removed when it is dropped before it is finished.
#[derive(Debug)]
pub struct NewFile {
    files: MadeFiles,
    file: File,
    path: PathBuf,
    bytes: u64,
    hash: Sha256,
    is_finished: bool,
    _room: OwnedSemaphorePermit,
}

impl MadeFiles {
    pub(super) fn open(folder: PathBuf, index: SharedIndex, disk_bytes: u64) -> Self {
        files(&folder).iter().for_each(|left| remove(left));
        let room = megabytes(disk_bytes / BEING_MADE) as usize;
        let room = Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS)));
        Self { folder, index, disk_bytes, room }
    }

    /// Whether a file of about so many bytes can be made.
    #[must_use]
    pub fn has_place_for(&self, bytes: u64) -> bool {
        bytes <= self.disk_bytes / BEING_MADE
    }

    /// The file of that name, which counts as used.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<MadeFile> {
        let mut index = self.index.lock();
        let (path, facts) = index.file_named(name)?;
        // Opened while it is listed: nobody removes it before.
        match unchanged(&path, &facts) {
            Ok(file) => Some(MadeFile { file, facts }),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "a made file cannot be used and is made again");
                index.remove_file(name);
                None
            }
        }
    }

    /// Begins a file of about so many bytes, once those that are being made leave room for it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn begin(&self, about_bytes: u64) -> io::Result<NewFile> {
        let room = Arc::clone(&self.room).acquire_many_owned(megabytes(about_bytes)).await;
        let (files, room) = (self.clone(), room.map_err(io::Error::other)?);
        let create = move || {
            fs::create_dir_all(&files.folder)?;
            let path = files.folder.join(format!("{}.{UNFINISHED}", Uuid::new_v4().simple()));
            let file = File::options().read(true).write(true).create_new(true).open(&path)?;
            let hash = Sha256::new();
            Ok(NewFile { files, file, path, bytes: 0, hash, is_finished: false, _room: room })
        };
        tokio::task::spawn_blocking(create).await.map_err(io::Error::other)?
    }
}

/// A file as it was written.
fn unchanged(path: &Path, facts: &FileFacts) -> io::Result<File> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    let is_unchanged = found.len() == facts.bytes && found.modified()? == facts.written_at;
    if is_unchanged { Ok(file) } else { Err(io::Error::other("it was changed after it was written")) }
}

/// As megabytes, at least one.
fn megabytes(bytes: u64) -> u32 {
    u32::try_from(bytes / MEGABYTE).unwrap_or(u32::MAX).max(1)
}

impl NewFile {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Keeps the file under a name. It need not survive a power cut: it is made again.
    ///
    /// # Errors
    /// When it cannot be given its name.
    pub fn finish(
        mut self,
        name: &str,
        rows: u64,
        fetched_at: Option<DateTime<Utc>>,
    ) -> io::Result<MadeFile> {
        let file = self.file.try_clone()?;
        let path = self.files.folder.join(name);
        fs::rename(&self.path, &path)?;
        self.is_finished = true;
        let tag =
            self.hash.finalize_reset().iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let written_at = file.metadata()?.modified()?;
        let facts = FileFacts { bytes: self.bytes, tag, rows, fetched_at, written_at };
        let gone = {
            let mut index = self.files.index.lock();
            index.keep_file(name.to_owned(), path, facts.clone());
            index.shrink_disk(self.files.disk_bytes)
        };
        gone.iter().for_each(|path| remove(path));
        Ok(MadeFile { file, facts })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_finished {
            remove(&self.path);
        }
    }
}
