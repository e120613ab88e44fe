//! Blocks as files, one each, under `<folder>/<table>/`. A file is written once, read as a whole and never changed.
//!
//! A file that cannot be used is set aside with a line in the log and counts as never stored. Budgets and the choice of blocks are
//! the index's.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::catalogue::id::MeasurementId;
use crate::disk;
use crate::store::block::{CellBlock, Revision};
use crate::store::file::{self, FileError, Head};
use crate::store::key::CellKey;

const ENDING: &str = "cells";

/// The folder of one origin's blocks.
#[derive(Debug, Clone)]
pub(super) struct CellFolder {
    folder: PathBuf,
    origin: String,
}

/// A block on disk, as the head of its file describes it.
#[derive(Debug)]
pub(super) struct StoredBlock {
    pub table: MeasurementId,
    pub name: String,
    pub key: CellKey,
    pub revision: Revision,
    pub fetched_at: DateTime<Utc>,
    pub path: PathBuf,
    pub bytes: u64,
}

impl CellFolder {
    pub fn new(folder: PathBuf, origin: String) -> Self {
        Self { folder, origin }
    }

    /// All blocks, the oldest first, and how many files were set aside. Reads only the heads; unfinished files of a crash are removed.
    pub fn scan(&self) -> (Vec<StoredBlock>, usize) {
        let (mut found, mut damaged) = (Vec::new(), 0);
        for path in files(&self.folder).into_iter().flat_map(|table| files(&table)) {
            let ending = path.extension().and_then(|ending| ending.to_str());
            match ending {
                Some(disk::DAMAGED) => {}
                Some(disk::UNFINISHED) => remove(&path),
                _ => match self.stored(&path) {
                    Ok(stored) => found.push(stored),
                    Err(error) => {
                        damaged += 1;
                        set_aside(&path, &error);
                    }
                },
            }
        }
        found.sort_by_key(|stored| (stored.fetched_at, stored.revision));
        (found, damaged)
    }

    /// Reads every file whole and changes none; why those that are not as they were written cannot be used. A file that is replaced
    /// meanwhile is none of them.
    pub fn verify(&self) -> Vec<(PathBuf, Result<(), FileError>)> {
        let paths = files(&self.folder).into_iter().flat_map(|table| files(&table));
        let cells = paths.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
        let checked = cells.map(|path| (self.read(&path).map(drop), path)).map(|(read, path)| (path, read));
        checked.filter(|(_, read)| !read.as_ref().is_err_and(FileError::is_missing)).collect()
    }

    /// The file of the block of that name.
    pub fn path(&self, table: &MeasurementId, name: &str) -> PathBuf {
        self.table_folder(table).join(format!("{}.{ENDING}", disk::plain_name(name)))
    }

    /// A block as the bytes of its file.
    pub fn encode(
        &self,
        table: &MeasurementId,
        key: &CellKey,
        block: &CellBlock,
    ) -> Result<Vec<u8>, FileError> {
        file::encode(&self.origin, table, key, block)
    }

    /// Reads such bytes, which must be of that table.
    pub fn decode(&self, table: &MeasurementId, bytes: &[u8]) -> Result<(CellKey, CellBlock), FileError> {
        let (head, block) = file::decode(bytes)?;
        if head.origin == self.origin && head.table() == *table {
            return Ok((head.key(), block));
        }
        let found = format!("cells of table {} from {}", head.table(), head.origin);
        Err(FileError::Misplaced { found, expected: format!("table {table} from {}", self.origin) })
    }

    /// Writes a block; returns the file's size.
    pub fn write(
        &self,
        path: &Path,
        table: &MeasurementId,
        key: &CellKey,
        block: &CellBlock,
    ) -> Result<u64, FileError> {
        let bytes = self.encode(table, key, block)?;
        disk::place(path, &bytes)?;
        Ok(bytes.len() as u64)
    }

    /// Reads a block. A file that cannot be used is set aside; a missing file is only an error.
    pub fn load(&self, path: &Path) -> Result<CellBlock, FileError> {
        self.read(path).inspect_err(|error| {
            if !error.is_missing() {
                set_aside(path, error);
            }
        })
    }

    fn read(&self, path: &Path) -> Result<CellBlock, FileError> {
        let (head, block) = file::decode(&fs::read(path)?)?;
        self.check_place(&head, path)?;
        Ok(block)
    }

    fn stored(&self, path: &Path) -> Result<StoredBlock, FileError> {
        let open = File::open(path)?;
        let bytes = open.metadata()?.len();
        let head = file::read_head(BufReader::new(open), bytes)?;
        self.check_place(&head, path)?;
        Ok(StoredBlock {
            table: head.table(),
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            key: head.key(),
            revision: head.revision(),
            fetched_at: head.fetched_at(),
            path: path.to_owned(),
            bytes,
        })
    }

    /// Refuses a file of another table or origin that was moved here.
    fn check_place(&self, head: &Head, path: &Path) -> Result<(), FileError> {
        if head.origin == self.origin && path.parent() == Some(&self.table_folder(&head.table())) {
            return Ok(());
        }
        let found = format!("cells of table {} from {}", head.table(), head.origin);
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        Err(FileError::Misplaced { found, expected: format!("table {folder} from {}", self.origin) })
    }

    fn table_folder(&self, table: &MeasurementId) -> PathBuf {
        self.folder.join(disk::plain_name(table.as_str()))
    }
}

/// Removes a file. Errors are ignored: a missing file needs no removal, and one that stays is found at the next start.
pub(super) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "a stored file cannot be removed");
        }
        _ => {}
    }
}

fn set_aside(path: &Path, error: &FileError) {
    let moved = disk::set_aside(path).is_ok();
    tracing::warn!(file = %path.display(), set_aside = moved, %error, "stored cells cannot be used and are fetched again");
}

/// The files of a folder; none if it cannot be listed.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}
