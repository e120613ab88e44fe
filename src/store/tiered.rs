//! The store in memory and on disk. Every block is written to disk in the background; the most recently used ones are also in memory.
//!
//! Requests never wait for a write. If writing fails, blocks are kept only in memory and are lost at a restart; metrics and `/status`
//! report it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex as AsyncMutex;
use uuid::Uuid;

use crate::catalogue::id::MeasurementId;
use crate::observe::request;
use crate::observe::store_observer::StoreObserver;
use crate::store::block::{CellBlock, Revision, SharedBlock};
use crate::store::disk::{self, CellFolder};
use crate::store::file::FileError;
use crate::store::index::{Entry, EntryId, FileState, Index, SharedIndex};
use crate::store::key::CellKey;
use crate::store::made_files::MadeFiles;
use crate::store::member_sets::MemberSets;
use crate::store::writer::DiskWriter;
use crate::store::{CellStore, NamedFigures, StoreSize, StoredCells, StoredFigures};

/// Stores blocks in memory and on disk.
#[derive(Debug)]
pub struct TieredStore {
    shared: Arc<Shared>,
    writer: DiskWriter,
    /// Locked while a block is read from disk, so that concurrent requests read it once.
    loading: AsyncMutex<()>,
}

#[derive(Debug)]
struct Shared {
    index: SharedIndex,
    folder: CellFolder,
    memory_bytes: usize,
    disk_bytes: u64,
    observer: Arc<dyn StoreObserver>,
    /// Why blocks are not written, if writing fails.
    problem: Mutex<Option<String>>,
}

/// The location of a found block.
enum BlockLocation {
    InMemory(SharedBlock),
    OnDisk(PathBuf),
}

impl TieredStore {
    /// A store with a folder for one origin's cells and budgets for memory and disk. Existing files are listed now and read when they
    /// are needed.
    #[must_use]
    pub fn open(
        folder: PathBuf,
        origin: &str,
        memory_bytes: usize,
        disk_bytes: u64,
        writer: DiskWriter,
        observer: Arc<dyn StoreObserver>,
    ) -> Self {
        let made = std::fs::create_dir_all(&folder);
        let folder = CellFolder::new(folder, origin.to_owned());
        let (stored, damaged) = folder.scan();
        (0..damaged).for_each(|_| observer.damaged_file());
        let index = SharedIndex::default();
        let mut gone = Vec::new();
        for mut block in stored {
            let (table, mut index) = (block.table.clone(), index.lock());
            block.key.members = index.shared_members(&table, block.key.members);
            gone.extend(index.insert(&table, Entry::stored(block)).1);
        }
        let shared = Shared { index, folder, memory_bytes, disk_bytes, observer, problem: Mutex::default() };
        let shared = Arc::new(shared);
        shared.note(made.err().map(|error| error.to_string()).as_ref());
        gone.extend(shared.index().shrink_disk(shared.disk_bytes));
        writer.submit(move || gone.iter().for_each(|path| disk::remove(path)));
        Self { shared, writer, loading: AsyncMutex::default() }
    }

    /// The files that are made of the figures, in a folder of their own. They share the disk's budget with the blocks.
    #[must_use]
    pub fn made_files(&self, folder: PathBuf) -> MadeFiles {
        MadeFiles::open(folder, self.shared.index.clone(), self.shared.disk_bytes)
    }

    /// Reads a block from disk into memory. `None` if the file cannot be used; its entry is removed.
    async fn load(&self, table: &MeasurementId, id: EntryId) -> Option<SharedBlock> {
        let _one_at_a_time = self.loading.lock().await;
        let path = match location(self.shared.index().entry(table, id)?)? {
            BlockLocation::InMemory(block) => return Some(block),
            BlockLocation::OnDisk(path) => path,
        };
        let shared = Arc::clone(&self.shared);
        let read = move || shared.folder.load(&path);
        let loaded = request::spawn_blocking(read).await.ok();
        let mut index = self.shared.index();
        // If the entry was evicted meanwhile, the file is missing and not damaged.
        index.entry(table, id)?;
        let Some(Ok(block)) = loaded else {
            if let Some(Err(error)) = &loaded
                && error.is_missing()
            {
                tracing::warn!(%table, %error, "stored cells are gone and are fetched again");
            }
            index.remove(table, id);
            self.shared.observer.damaged_file();
            return None;
        };
        let block = Arc::new(block);
        index.hold(table, id, &block);
        self.shared.shrink_memory(&mut index);
        Some(block)
    }

    /// The blocks of these entries, without those that are gone.
    async fn blocks(&self, table: &MeasurementId, ids: &[EntryId]) -> Vec<StoredFigures> {
        let mut blocks = Vec::with_capacity(ids.len());
        for &id in ids {
            let entry = |entry: &Entry| (Arc::clone(&entry.key), entry.block.clone());
            let Some((key, block)) = self.shared.index().entry(table, id).map(entry) else { continue };
            let block = match block {
                Some(block) => Some(block),
                None => self.load(table, id).await,
            };
            blocks.extend(block.map(|block| (key, block)));
        }
        blocks
    }

    fn write(
        &self,
        table: &MeasurementId,
        key: Arc<CellKey>,
        id: EntryId,
        path: PathBuf,
        block: &SharedBlock,
    ) {
        let (shared, table, block) = (Arc::clone(&self.shared), table.clone(), Arc::clone(block));
        self.writer.submit(move || shared.write(&table, &key, id, path, &block));
    }

    fn remove(&self, gone: Vec<PathBuf>) {
        if !gone.is_empty() {
            self.writer.submit(move || gone.iter().for_each(|path| disk::remove(path)));
        }
    }
}

#[async_trait]
impl CellStore for TieredStore {
    async fn find(
        &self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
        fresh_at: Option<DateTime<Utc>>,
    ) -> StoredCells {
        loop {
            let (ids, is_complete) = self.shared.index().find(table, revision, key, fresh_at);
            let blocks = self.blocks(table, &ids).await;
            // A file that cannot be used is forgotten: others may hold its figures.
            if blocks.len() == ids.len() {
                return StoredCells { blocks, is_complete };
            }
        }
    }

    async fn keys(
        &self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
        fresh_at: Option<DateTime<Utc>>,
    ) -> Vec<Arc<CellKey>> {
        self.shared.index().keys(table, revision, key, fresh_at)
    }

    async fn overlapping(&self, table: &MeasurementId, key: &CellKey) -> Vec<StoredFigures> {
        let ids = self.shared.index().overlapping(table, key);
        self.blocks(table, &ids).await
    }

    async fn revisions(&self, table: &MeasurementId) -> Vec<Revision> {
        self.shared.index().revisions(table)
    }

    fn insert(&self, table: &MeasurementId, key: CellKey, block: CellBlock) -> StoredFigures {
        self.insert_named(table, Uuid::new_v4().simple().to_string(), key, block)
    }

    fn insert_named(
        &self,
        table: &MeasurementId,
        name: String,
        key: CellKey,
        block: CellBlock,
    ) -> StoredFigures {
        let block = Arc::new(block);
        let path = self.shared.folder.path(table, &name);
        let (key, id, gone) = {
            let mut index = self.shared.index();
            let members = index.shared_members(table, key.members.clone());
            let entry = Entry::fetched(name, CellKey { members, ..key }, &block, path.clone());
            let key = Arc::clone(&entry.key);
            let (id, gone) = index.insert(table, entry);
            self.shared.shrink_memory(&mut index);
            (key, id, gone)
        };
        self.write(table, Arc::clone(&key), id, path, &block);
        self.remove(gone);
        (key, block)
    }

    fn named(&self, table: &MeasurementId) -> Vec<NamedFigures> {
        let named = |entry: &Entry| NamedFigures {
            name: entry.name.clone(),
            key: Arc::clone(&entry.key),
            revision: entry.revision,
            fetched_at: entry.fetched_at,
        };
        self.shared.index().of_table(table).map(named).collect()
    }

    async fn block(&self, table: &MeasurementId, name: &str) -> Option<StoredFigures> {
        let id = self.shared.index().of_table(table).find(|entry| entry.name == name)?.id;
        self.blocks(table, &[id]).await.pop()
    }

    fn encoded(&self, table: &MeasurementId, (key, block): &StoredFigures) -> Result<Vec<u8>, FileError> {
        self.shared.folder.encode(table, key, block)
    }

    fn decoded(&self, table: &MeasurementId, bytes: &[u8]) -> Result<(CellKey, CellBlock), FileError> {
        self.shared.folder.decode(table, bytes)
    }

    fn shared_members(&self, table: &MeasurementId, members: MemberSets) -> MemberSets {
        self.shared.index().shared_members(table, members)
    }

    fn forget(&self, table: &MeasurementId, revision: Revision, key: &CellKey) {
        let gone = self.shared.index().forget(table, revision, key);
        self.remove(gone);
    }

    fn size(&self) -> StoreSize {
        self.shared.index().size()
    }

    fn tables(&self) -> Vec<(MeasurementId, DateTime<Utc>)> {
        self.shared.index().tables()
    }

    fn problem(&self) -> Option<String> {
        self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn flush(&self) {
        self.writer.flush().await;
    }
}

impl Shared {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock()
    }

    fn shrink_memory(&self, index: &mut Index) {
        let evicted = index.shrink_memory(self.memory_bytes);
        self.observer.evicted(evicted);
    }

    /// Writes a block, unless its entry is gone. Runs on the disk thread.
    fn write(&self, table: &MeasurementId, key: &CellKey, id: EntryId, path: PathBuf, block: &SharedBlock) {
        if self.index().entry(table, id).is_none() {
            return;
        }
        let written = self.folder.write(&path, table, key, block).map_err(|error| error.to_string());
        self.note(written.as_ref().err());
        let gone = {
            let mut index = self.index();
            let file = match written {
                Ok(bytes) => FileState::Written { path, bytes },
                Err(_) => FileState::None,
            };
            index.file(table, id, file);
            self.shrink_memory(&mut index);
            index.shrink_disk(self.disk_bytes)
        };
        gone.iter().for_each(|path| disk::remove(path));
    }

    /// Logs once when writing begins to fail, and once when it works again.
    fn note(&self, error: Option<&String>) {
        self.observer.disk_writable(error.is_none());
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*problem, error) {
            (None, Some(error)) => {
                tracing::error!(error, "cells cannot be stored on disk; they are kept in memory alone");
            }
            (Some(_), None) => tracing::info!("cells are stored on disk again"),
            _ => {}
        }
        *problem = error.cloned();
    }
}

fn location(entry: &Entry) -> Option<BlockLocation> {
    match (&entry.block, &entry.file) {
        (Some(block), _) => Some(BlockLocation::InMemory(Arc::clone(block))),
        (None, FileState::Queued(path) | FileState::Written { path, .. }) => {
            Some(BlockLocation::OnDisk(path.clone()))
        }
        (None, FileState::None) => None,
    }
}
