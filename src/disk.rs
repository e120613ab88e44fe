//! Files that are written whole or not at all, and folders that one process owns. The one home of both rules: whoever keeps
//! something on disk comes here.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

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
    fn a_folder_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let owned = own(folder.path()).unwrap();
        assert!(owned.is_some());
        assert!(own(folder.path()).unwrap().is_none());
        drop(owned);
        assert!(own(folder.path()).unwrap().is_some());
    }
}
