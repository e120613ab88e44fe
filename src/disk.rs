//! Files that are written whole or not at all, values that are kept under a checksum, and folders that one process owns. The one
//! home of these rules: whoever keeps something on disk comes here.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Ending of a file that is being written: what a crash leaves of it means nothing.
pub const UNFINISHED: &str = "new";
/// Ending of a file that was set aside.
pub const DAMAGED: &str = "damaged";

/// Puts bytes in the place of a file: written beside it, forced to disk, then renamed, so that a crash leaves the old file or
/// the new one. The new one is there to stay when this returns.
///
/// # Errors
/// When the folder cannot be made or written; what was there before is still there then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place(path, bytes)?;
    File::open(folder_of(path))?.sync_all()
}

/// As [`replace`], for what can be had again: a power cut may bring back the old file, but never leaves half of the new one.
/// Saves a second wait for the disk.
///
/// # Errors
/// When the folder cannot be made or written; what was there before is still there then.
pub fn place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    let beside = with_ending(path, UNFINISHED);
    let placed = write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // Nothing more can be done about a file that cannot be removed either.
        let _ = fs::remove_file(&beside);
    }
    placed
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why a kept value cannot be used.
#[derive(Debug, Error)]
pub enum SavedFileError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is cut short")]
    CutShort,
    #[error("it has the form {found}, expected {expected}")]
    Version { found: u32, expected: u32 },
    #[error("its value has the checksum {found:08x}, expected {expected:08x}")]
    Checksum { found: u32, expected: u32 },
    #[error("it is not as it was written: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// The first line of a kept value; the value is the rest.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    /// CRC-32 of the rest.
    checksum: u32,
}

/// Keeps a value in a file of its own, as JSON under a checksum.
///
/// # Errors
/// When the disk refuses; what was kept before is still there then.
pub fn keep(path: &Path, version: u32, value: &impl Serialize) -> io::Result<()> {
    let value = serde_json::to_vec(value)?;
    let mut text = serde_json::to_vec(&Head { version, checksum: crc32fast::hash(&value) })?;
    text.push(b'\n');
    text.extend(value);
    replace(path, &text)
}

/// The value that was kept there in that form; `None` if there is none.
///
/// # Errors
/// When there is a file that is not what was written.
pub fn read<T: DeserializeOwned>(path: &Path, version: u32) -> Result<Option<T>, SavedFileError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let end = text.iter().position(|byte| *byte == b'\n').ok_or(SavedFileError::CutShort)?;
    let (head, value) = (&text[..end], &text[end + 1..]);
    let head: Head = serde_json::from_slice(head)?;
    if head.version != version {
        return Err(SavedFileError::Version { found: head.version, expected: version });
    }
    let found = crc32fast::hash(value);
    if head.checksum != found {
        return Err(SavedFileError::Checksum { found, expected: head.checksum });
    }
    Ok(Some(serde_json::from_slice(value)?))
}

/// As [`kept`], for what can be done without: a file that cannot be used is set aside with a line in the log.
#[must_use]
pub fn read_or_set_aside<T: DeserializeOwned>(path: &Path, version: u32) -> Option<T> {
    read(path, version).unwrap_or_else(|error| {
        let aside = set_aside(path).is_ok();
        tracing::warn!(file = %path.display(), set_aside = aside, %error, "a stored file cannot be used; going on without");
        None
    })
}

/// A text from outside as the name of a file or folder: nothing in it leads elsewhere.
#[must_use]
pub fn plain_name(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Moves a file that cannot be used out of the way, so that someone can look at it.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = with_ending(path, DAMAGED);
    fs::rename(path, &aside)?;
    Ok(aside)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Makes a folder this process's own for as long as the returned file is held; `None` if another process has it.
///
/// # Errors
/// When the folder cannot be made or its lock not be opened.
pub fn own(folder: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(folder)?;
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        replace(&path, b"1").unwrap();
        replace(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(replace(&folder.path().join("taken"), b"1").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_kept_value_is_read_as_it_was_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.json");
        assert_eq!(read_or_set_aside::<Vec<u32>>(&path, 3), None);
        keep(&path, 3, &[15, 16]).unwrap();
        assert_eq!(read_or_set_aside(&path, 3), Some(vec![15, 16]));
        let whole = fs::read(&path).unwrap();
        let flipped = |at: usize| [&whole[..at], &[whole[at] ^ 1], &whole[at + 1..]].concat();
        let mut spoilt: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
        spoilt.extend((0..whole.len()).map(flipped));
        for spoilt in spoilt {
            fs::write(&path, &spoilt).unwrap();
            let shown = String::from_utf8_lossy(&spoilt);
            assert_eq!(read_or_set_aside::<Vec<u32>>(&path, 3), None, "{shown}");
            assert!(!path.exists(), "{shown}");
        }
        keep(&path, 4, &[15, 16]).unwrap();
        assert_eq!(read_or_set_aside::<Vec<u32>>(&path, 3), None, "another form");
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let owned = own(folder.path()).unwrap();
        assert!(owned.is_some());
        assert!(own(folder.path()).unwrap().is_none());
        drop(owned);
        assert!(own(folder.path()).unwrap().is_some());
    }
}
