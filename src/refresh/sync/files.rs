//! The upstream's metadata on disk, in the form of the upstream's answers.
//!
//! One file per answer. A damaged file is set aside and counts as never read. The caller chooses the folder, one for each origin.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::catalogue::id::MeasurementId;
use crate::disk;
use crate::upstream::wire::{Subjects, Table, Tables};

const SUBJECTS: &str = "subjects.json";
const TABLES: &str = "tables.json";
const TABLE_FOLDER: &str = "table";
/// The version of the files' format; a file of another version is not read.
pub const VERSION: u32 = 1;

/// A folder of answers.
#[derive(Debug, Clone)]
pub struct CatalogueFiles {
    folder: PathBuf,
    is_read_only: bool,
}

/// An answer and when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAnswer<T> {
    pub read_at: DateTime<Utc>,
    /// For an answer about one table: its update date in the list when the answer was read.
    #[serde(default)]
    pub update_latest: Option<NaiveDate>,
    pub answer: T,
}

impl CatalogueFiles {
    /// Files in that folder, which is created when something is first saved.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), is_read_only: false }
    }

    /// The same files, of which none is written or set aside.
    #[must_use]
    pub fn read_only(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), is_read_only: true }
    }

    /// The menu, if it was saved.
    #[must_use]
    pub fn subjects(&self) -> Option<SavedAnswer<Subjects>> {
        self.read(&self.folder.join(SUBJECTS))
    }

    /// The list of tables, if it was saved.
    #[must_use]
    pub fn tables(&self) -> Option<SavedAnswer<Tables>> {
        self.read(&self.folder.join(TABLES))
    }

    /// One table's parts, if they were saved.
    #[must_use]
    pub fn table(&self, id: &MeasurementId) -> Option<SavedAnswer<Table>> {
        self.read(&self.table_path(id))
    }

    /// Saves the menu.
    ///
    /// # Errors
    /// If the file cannot be written; the old file is unchanged then.
    pub fn save_subjects(&self, subjects: &SavedAnswer<Subjects>) -> io::Result<()> {
        self.keep(&self.folder.join(SUBJECTS), subjects)
    }

    /// Saves the list of tables.
    ///
    /// # Errors
    /// If the file cannot be written; the old file is unchanged then.
    pub fn save_tables(&self, tables: &SavedAnswer<Tables>) -> io::Result<()> {
        self.keep(&self.folder.join(TABLES), tables)
    }

    /// Saves one table's parts.
    ///
    /// # Errors
    /// If the file cannot be written; the old file is unchanged then.
    pub fn save_table(&self, id: &MeasurementId, table: &SavedAnswer<Table>) -> io::Result<()> {
        self.keep(&self.table_path(id), table)
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        match self.is_read_only {
            true => disk::read(path, VERSION).ok().flatten(),
            false => disk::read_or_set_aside(path, VERSION),
        }
    }

    fn keep(&self, path: &Path, value: &impl Serialize) -> io::Result<()> {
        if self.is_read_only { Ok(()) } else { disk::keep(path, VERSION, value) }
    }

    /// Ids come from outside, so they are made safe as file names.
    fn table_path(&self, id: &MeasurementId) -> PathBuf {
        let name = disk::plain_name(id.as_str());
        self.folder.join(TABLE_FOLDER).join(format!("{name}.json"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::upstream::wire::Text;

    fn kept(name: &str) -> SavedAnswer<Table> {
        SavedAnswer {
            read_at: "2026-09-01T08:00:00Z".parse().unwrap(),
            update_latest: NaiveDate::from_ymd_opt(2026, 8, 14),
            answer: Table {
                table_id: Text("y1".to_owned()),
                table_name: Text(name.to_owned()),
                ..Table::default()
            },
        }
    }

    #[test]
    fn the_last_one_saved_is_loaded_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let store = CatalogueFiles::new(folder.path().join("simulator/catalogue"));
        let id = MeasurementId::from("y1");
        assert_eq!(store.table(&id), None);
        for name in ["første", "anden"] {
            store.save_table(&id, &kept(name)).unwrap();
            assert_eq!(store.table(&id), Some(kept(name)));
        }
        assert_eq!(fs::read_dir(folder.path().join("simulator/catalogue/table")).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_is_set_aside_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = CatalogueFiles::new(folder.path());
        let id = MeasurementId::from("y1");
        store.save_table(&id, &kept("hel")).unwrap();
        let path = folder.path().join("table/y1.json");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(store.table(&id), None);
        assert!(!path.exists());
        assert!(folder.path().join("table/y1.json.damaged").exists());
    }

    #[test]
    fn an_id_never_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let store = CatalogueFiles::new(folder.path().join("inner"));
        for id in ["../../out", "/etc/x", "..", "a\0b", "ø"] {
            let id = MeasurementId::from(id);
            store.save_table(&id, &kept("x")).unwrap();
            assert_eq!(store.table(&id), Some(kept("x")));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(folder.path().join("inner/table")).unwrap().count(), 5);
    }

    #[test]
    fn a_save_that_fails_says_so_and_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("table"), "a file in the folder's place").unwrap();
        let store = CatalogueFiles::new(folder.path());
        assert!(store.save_table(&MeasurementId::from("y1"), &kept("x")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
