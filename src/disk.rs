//! Safe files: written atomically, values saved with a checksum, folders locked by one process. All other modules use these
//! functions to write to disk.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::unix;

/// File extension while a file is being written. One that a crash left behind can be deleted.
pub const UNFINISHED: &str = "new";
/// The mode of a file that everybody may read, before the process's own mask.
const MODE: u32 = 0o666;
/// The part of a mode that is its owner's.
const PRIVATE: u32 = 0o700;
/// File extension of a damaged file that was set aside.
pub const DAMAGED: &str = "damaged";

/// Replaces a file: the bytes are written to a temporary file, flushed to disk and renamed, so that a crash leaves either the old
/// file or the new one. When this returns, the new one survives a power cut.
///
/// # Errors
/// When the folder cannot be created or written; the old file is unchanged then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place(path, bytes)?;
    File::open(folder_of(path))?.sync_all()
}

/// As [`replace`], for a file that not everybody may read: the new one has the owner, the group and the mode of the old one, and that mode
/// if there is none. Who may not read the file never can.
///
/// # Errors
/// When the folder cannot be created or written, or the new file cannot be given to the old one's owner; the old file is unchanged then.
pub fn replace_alike(path: &Path, bytes: &[u8], mode_of_new: u32) -> io::Result<()> {
    let old = match fs::metadata(path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    place_with(path, bytes, mode_of_new & PRIVATE, |file| match &old {
        Some(old) => unix::make_alike(file, old),
        None => unix::set_mode(file, mode_of_new),
    })?;
    File::open(folder_of(path))?.sync_all()
}

/// As [`replace`], for data that can be fetched again: after a power cut the old file may be back, but never half of the new
/// one. Saves the second flush to disk.
///
/// # Errors
/// When the folder cannot be created or written; the old file is unchanged then.
pub fn place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place_with(path, bytes, MODE, |_| Ok(()))
}

/// Writes a file in place of another. `prepare` is given the new one before it has anything in it.
fn place_with(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    let beside = with_ending(path, UNFINISHED);
    let placed = write(&beside, bytes, mode, prepare).and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // If the temporary file cannot be removed either, it is left; the first error is the one that is returned.
        let _ = fs::remove_file(&beside);
    }
    placed
}

fn write(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    // What is left of a file that was not finished may have another mode, or be a link.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = unix::with_mode(File::options().write(true).create_new(true), mode).open(path)?;
    prepare(&file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why a saved value cannot be used.
#[derive(Debug, Error)]
pub enum SavedFileError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is cut short")]
    CutShort,
    #[error("it has the form {found}, expected {expected}: {} version of the program wrote it", if found > expected { "a newer" } else { "an older" })]
    Version { found: u32, expected: u32 },
    #[error("its value has the checksum {found:08x}, expected {expected:08x}")]
    Checksum { found: u32, expected: u32 },
    #[error("it is not as it was written: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// The first line of a saved file; the value follows.
#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    /// CRC-32 of the rest.
    checksum: u32,
}

/// Saves a value in a file of its own, as JSON with a checksum.
///
/// # Errors
/// When the file cannot be written; the old file is unchanged then.
pub fn keep(path: &Path, version: u32, value: &impl Serialize) -> io::Result<()> {
    let value = serde_json::to_vec(value)?;
    let mut text = serde_json::to_vec(&Head { version, checksum: crc32fast::hash(&value) })?;
    text.push(b'\n');
    text.extend(value);
    replace(path, &text)
}

/// The value that [`keep`] saved with that version number; `None` if there is no file.
///
/// # Errors
/// When the file cannot be read, is damaged, or has another version.
pub fn read<T: DeserializeOwned>(path: &Path, version: u32) -> Result<Option<T>, SavedFileError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(serde_json::from_slice(of_version(&text, version)?)?))
}

/// The value of a saved file whose checksum and version are right.
fn of_version(text: &[u8], version: u32) -> Result<&[u8], SavedFileError> {
    let end = text.iter().position(|byte| *byte == b'\n').ok_or(SavedFileError::CutShort)?;
    let (head, value) = (&text[..end], &text[end + 1..]);
    let head: Head = serde_json::from_slice(head)?;
    let found = crc32fast::hash(value);
    if head.checksum != found {
        return Err(SavedFileError::Checksum { found, expected: head.checksum });
    }
    if head.version != version {
        return Err(SavedFileError::Version { found: head.version, expected: version });
    }
    Ok(value)
}

/// Whether [`read`] can use a file with that version number: it is as it was written.
///
/// # Errors
/// When it cannot be read, is damaged, or has another version.
pub fn verify(path: &Path, version: u32) -> Result<(), SavedFileError> {
    of_version(&fs::read(path)?, version).map(|_| ())
}

/// As [`read`], for data that can be fetched again: a file that cannot be used is set aside with a line in the log.
#[must_use]
pub fn read_or_set_aside<T: DeserializeOwned>(path: &Path, version: u32) -> Option<T> {
    read(path, version).unwrap_or_else(|error| {
        let aside = set_aside(path).is_ok();
        tracing::warn!(file = %path.display(), set_aside = aside, %error, "a stored file cannot be used; going on without");
        None
    })
}

/// A text from outside as a safe name of a file or folder: it cannot contain `/`, `..` or other path syntax.
#[must_use]
pub fn plain_name(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Renames a file that cannot be used, so that the service starts without it and an operator can inspect it.
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

/// Locks a folder for this process while the returned file is open; `None` if another process has it locked.
///
/// # Errors
/// When the folder cannot be created or the lock file cannot be opened.
pub fn own(folder: &Path) -> io::Result<Option<File>> {
    fs::create_dir_all(folder)?;
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Waits until no other process or thread that asks for it changes a file of this path's folder; that lasts while the returned file is
/// open. The folder itself is locked, so that nothing is left behind.
///
/// # Errors
/// When the folder cannot be created or locked.
pub fn alone_at(path: &Path) -> io::Result<File> {
    fs::create_dir_all(folder_of(path))?;
    let folder = File::open(folder_of(path))?;
    folder.lock()?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

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
    fn a_replaced_file_keeps_its_mode_and_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let owned = || {
            let facts = fs::metadata(&path).unwrap();
            (facts.mode() & 0o7777, facts.uid(), facts.gid())
        };
        replace_alike(&path, b"1", 0o600).unwrap();
        let (_, mine, group) = owned();
        assert_eq!(owned(), (0o600, mine, group));
        // Only root gives files away.
        let owner = if mine == 0 { (1234, 4321) } else { (mine, group) };
        for mode in [0o640, 0o666, 0o400] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            std::os::unix::fs::chown(&path, Some(owner.0), Some(owner.1)).unwrap();
            replace_alike(&path, format!("{mode}").as_bytes(), 0o600).unwrap();
            assert_eq!(owned(), (mode, owner.0, owner.1));
            assert_eq!(fs::read(&path).unwrap(), format!("{mode}").into_bytes());
        }
    }

    #[test]
    fn what_is_done_alone_is_done_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        replace(&path, b"0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _alone = alone_at(&path).unwrap();
                    let number: u32 = fs::read_to_string(&path).unwrap().parse().unwrap();
                    replace(&path, (number + 1).to_string().as_bytes()).unwrap();
                });
            }
        });
        assert_eq!(fs::read(&path).unwrap(), b"8");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_put_in_place_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(replace(&folder.path().join("taken"), b"1").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_saved_value_is_read_as_it_was_or_not_at_all() {
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
