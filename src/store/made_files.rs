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
use crate::observe::request;
use crate::odata::etag;
use crate::settings::MEGABYTE;
use crate::store::disk::{files, remove};
pub use crate::store::index::FileFacts;
use crate::store::index::SharedIndex;

/// Files that are being made may take one part in so many of the disk's budget, in addition to it; and so may the largest one alone.
const BEING_MADE: u64 = 4;

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
    largest_bytes: u64,
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

    /// The most bytes that a file may have.
    #[must_use]
    pub fn largest_bytes(&self) -> u64 {
        self.disk_bytes / BEING_MADE
    }

    /// The file of that name, which counts as used.
    #[must_use]
    pub async fn find(&self, name: &str) -> Option<MadeFile> {
        let (path, facts) = self.index.lock().file_named(name)?;
        let (files, name) = (self.clone(), name.to_owned());
        let open = move || files.open_file(&name, &path, facts);
        request::spawn_blocking(open).await.ok().flatten()
    }

    fn open_file(&self, name: &str, path: &Path, facts: FileFacts) -> Option<MadeFile> {
        let error = match unchanged(path, &facts) {
            Ok(file) => return Some(MadeFile { file, facts }),
            Err(error) => error,
        };
        let mut index = self.index.lock();
        // Otherwise it was evicted meanwhile, and perhaps made again.
        if index.file_named(name).is_some_and(|(listed, _)| listed == path) {
            tracing::warn!(file = %path.display(), %error, "a made file cannot be used and is made again");
            index.remove_file(name);
            drop(index);
            remove(path);
        }
        None
    }

    /// Begins a file of about so many bytes and at most so many, once those that are being made leave room for it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn begin(&self, about_bytes: u64, largest_bytes: u64) -> io::Result<NewFile> {
        let room = Arc::clone(&self.room).acquire_many_owned(megabytes(about_bytes)).await;
        let (files, room) = (self.clone(), room.map_err(io::Error::other)?);
        let create = move || {
            fs::create_dir_all(&files.folder)?;
            let path = files.folder.join(format!("{}.{UNFINISHED}", Uuid::new_v4().simple()));
            let file = File::options().read(true).write(true).create_new(true).open(&path)?;
            let (hash, is_finished) = (Sha256::new(), false);
            Ok(NewFile { files, file, path, bytes: 0, largest_bytes, hash, is_finished, _room: room })
        };
        request::spawn_blocking(create).await.map_err(io::Error::other)?
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
    /// When they cannot be written; `FileTooLarge` when the file would have more than it may.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.largest_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }

    /// Keeps the file under a name. On disk it has one of its own, so that no other of that name is removed in its place. It need not
    /// survive a power cut: it is made again.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn finish(
        mut self,
        name: &str,
        rows: u64,
        fetched_at: Option<DateTime<Utc>>,
    ) -> io::Result<MadeFile> {
        let file = self.file.try_clone()?;
        let written_at = file.metadata()?.modified()?;
        let path = self.path.with_extension("");
        fs::rename(&self.path, &path)?;
        self.is_finished = true;
        let tag = etag::of_hash(self.hash.clone());
        let facts = FileFacts { bytes: self.bytes, tag, rows, fetched_at, written_at };
        let gone: Vec<PathBuf> = {
            let mut index = self.files.index.lock();
            let replaced = index.keep_file(name.to_owned(), path, facts.clone());
            replaced.into_iter().chain(index.shrink_disk(self.files.disk_bytes)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(folder: &Path) -> (MadeFiles, SharedIndex) {
        let index = SharedIndex::default();
        (MadeFiles::open(folder.to_owned(), index.clone(), MEGABYTE), index)
    }

    async fn made(files: &MadeFiles) {
        let mut new = files.begin(4, 4).await.unwrap();
        new.write(b"rows").unwrap();
        new.finish("name", 1, None).unwrap();
    }

    #[tokio::test]
    async fn a_file_is_not_removed_with_an_earlier_one_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, index) = opened(folder.path());
        made(&kept).await;
        let evicted = index.lock().remove_file("name").unwrap();
        made(&kept).await;
        remove(&evicted);
        assert!(kept.find("name").await.is_some());
        made(&kept).await;
        assert_eq!(files(folder.path()).len(), 1, "the one that it replaces is gone");
        assert!(kept.find("name").await.is_some());
    }

    #[tokio::test]
    async fn a_file_has_no_more_bytes_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, _) = opened(folder.path());
        let mut new = kept.begin(4, 4).await.unwrap();
        new.write(b"rows").unwrap();
        assert_eq!(new.write(b"s").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        drop(new);
        assert_eq!(files(folder.path()), [""; 0].map(PathBuf::from));
    }
}
