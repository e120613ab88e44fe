//! What the store holds and where: per table the blocks, each in memory, on disk or both. Pure: it reads and writes no file, and
//! says which files are to go.

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::catalogue::id::MeasurementId;
use crate::store::block::{Revision, SharedBlock};
use crate::store::key::CellKey;
use crate::store::{StoreSize, disk::StoredBlock};

/// Revisions of one table that are kept.
const KEPT_REVISIONS: usize = 2;

/// All blocks by table.
#[derive(Debug, Default)]
pub(super) struct Index {
    tables: HashMap<MeasurementId, Vec<Entry>>,
    uses: u64,
}

/// A block and where it is.
#[derive(Debug)]
pub(super) struct Entry {
    pub id: EntryId,
    pub key: CellKey,
    pub revision: Revision,
    pub fetched_at: DateTime<Utc>,
    pub block: Option<SharedBlock>,
    pub file: FileState,
    memory_bytes: usize,
    last_use: u64,
}

/// Tells entries apart, also those of the same cells one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryId(u64);

/// Where a block's file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileState {
    /// In memory alone.
    None,
    /// To be written there.
    Queued(PathBuf),
    Written {
        path: PathBuf,
        bytes: u64,
    },
}

impl FileState {
    fn into_path(self) -> Option<PathBuf> {
        match self {
            Self::None => None,
            Self::Queued(path) | Self::Written { path, .. } => Some(path),
        }
    }

    fn bytes(&self) -> u64 {
        if let Self::Written { bytes, .. } = self { *bytes } else { 0 }
    }
}

impl Entry {
    fn of(key: CellKey, revision: Revision, fetched_at: DateTime<Utc>) -> Self {
        Self {
            id: EntryId(0),
            key,
            revision,
            fetched_at,
            block: None,
            file: FileState::None,
            memory_bytes: 0,
            last_use: 0,
        }
    }

    /// A block that was just fetched, and its file to be.
    pub fn fetched(key: CellKey, block: &SharedBlock, path: Option<PathBuf>) -> Self {
        let mut entry = Self::of(key, block.revision, block.fetched_at);
        entry.hold(block);
        entry.file = path.map_or(FileState::None, FileState::Queued);
        entry
    }

    /// A block that is on disk.
    pub fn stored(stored: StoredBlock) -> Self {
        let mut entry = Self::of(stored.key, stored.revision, stored.fetched_at);
        entry.file = FileState::Written { path: stored.path, bytes: stored.bytes };
        entry
    }

    /// Takes the block into memory.
    pub fn hold(&mut self, block: &SharedBlock) {
        self.memory_bytes = block.size_bytes();
        self.block = Some(std::sync::Arc::clone(block));
    }
}

impl Index {
    /// Adds an entry in place of those of its revision that hold nothing more, and lets old revisions go. The files that are to
    /// go too are returned.
    pub fn insert(&mut self, table: &MeasurementId, mut entry: Entry) -> (EntryId, Vec<PathBuf>) {
        self.uses += 1;
        (entry.id, entry.last_use) = (EntryId(self.uses), self.uses);
        let id = entry.id;
        let entries = self.tables.entry(table.clone()).or_default();
        let mut gone = Vec::new();
        let (revision, key) = (entry.revision, entry.key.clone());
        entries.push(entry);
        remove_where(entries, &mut gone, |old| {
            old.id != id && old.revision == revision && key.covers(&old.key)
        });
        let kept: Vec<Revision> = revisions(entries).into_iter().take(KEPT_REVISIONS).collect();
        remove_where(entries, &mut gone, |entry| !kept.contains(&entry.revision));
        (id, gone)
    }

    /// The newest entry of that revision that holds all the cells of the key. It counts as used.
    pub fn find(&mut self, table: &MeasurementId, revision: Revision, key: &CellKey) -> Option<&mut Entry> {
        self.uses += 1;
        let uses = self.uses;
        let fits = |entry: &&mut Entry| entry.revision == revision && entry.key.covers(key);
        let entry = self.tables.get_mut(table)?.iter_mut().filter(fits).max_by_key(|it| it.fetched_at)?;
        entry.last_use = uses;
        Some(entry)
    }

    /// Entries of any revision that share cells with the key, the newest first.
    pub fn overlapping(&self, table: &MeasurementId, key: &CellKey) -> Vec<EntryId> {
        let entries = self.tables.get(table).into_iter().flatten();
        let mut sharing: Vec<&Entry> = entries.filter(|entry| entry.key.overlaps(key)).collect();
        sharing.sort_by_key(|entry| std::cmp::Reverse((entry.fetched_at, entry.revision)));
        sharing.into_iter().map(|entry| entry.id).collect()
    }

    pub fn entry(&mut self, table: &MeasurementId, id: EntryId) -> Option<&mut Entry> {
        self.tables.get_mut(table)?.iter_mut().find(|entry| entry.id == id)
    }

    /// Forgets an entry whose file is not to be had.
    pub fn remove(&mut self, table: &MeasurementId, id: EntryId) {
        if let Some(entries) = self.tables.get_mut(table) {
            entries.retain(|entry| entry.id != id);
        }
    }

    /// The revisions of the table, the one that was last fetched first.
    pub fn revisions(&self, table: &MeasurementId) -> Vec<Revision> {
        self.tables.get(table).map(|entries| revisions(entries)).unwrap_or_default()
    }

    pub fn size(&self) -> StoreSize {
        let entries = || self.tables.values().flatten();
        StoreSize {
            blocks: entries().filter(|entry| entry.block.is_some()).count(),
            bytes: entries().filter(|entry| entry.block.is_some()).map(|entry| entry.memory_bytes).sum(),
            disk_blocks: entries().filter(|entry| entry.file.bytes() > 0).count(),
            disk_bytes: entries().map(|entry| entry.file.bytes()).sum(),
        }
    }

    /// Lets the least recently used blocks go from memory until it is within the budget; says how many. The one last used
    /// stays, whatever its size, and so does what is yet to be written.
    pub fn shrink_memory(&mut self, budget_bytes: usize) -> usize {
        let mut held = self.size().bytes;
        let uses = self.uses;
        let idle = |entry: &&mut Entry| {
            entry.block.is_some() && entry.last_use < uses && !matches!(entry.file, FileState::Queued(_))
        };
        if held <= budget_bytes {
            return 0;
        }
        let mut idle: Vec<&mut Entry> = self.tables.values_mut().flatten().filter(idle).collect();
        idle.sort_by_key(|entry| entry.last_use);
        let mut evicted = 0;
        for entry in idle.into_iter().take_while(|entry| {
            let over = held > budget_bytes;
            held = held.saturating_sub(entry.memory_bytes);
            over
        }) {
            entry.block = None;
            evicted += 1;
        }
        for entries in self.tables.values_mut() {
            entries.retain(|entry| entry.block.is_some() || entry.file != FileState::None);
        }
        evicted
    }

    /// Lets blocks go from disk, and from memory with it, until it is within the budget: those of superseded revisions first,
    /// then the least recently used. The files that are to go are returned.
    pub fn shrink_disk(&mut self, budget_bytes: u64) -> Vec<PathBuf> {
        let mut held = self.size().disk_bytes;
        if held <= budget_bytes {
            return Vec::new();
        }
        let mut written = Vec::new();
        for (table, entries) in &self.tables {
            let newest = revisions(entries).first().copied();
            let of_table = entries.iter().filter(|entry| entry.file.bytes() > 0);
            written.extend(of_table.map(|entry| {
                (Some(entry.revision) == newest, entry.last_use, entry.id, entry.file.bytes(), table.clone())
            }));
        }
        written.sort_by_key(|(is_newest, last_use, ..)| (*is_newest, *last_use));
        let mut gone = Vec::new();
        for (_, _, id, bytes, table) in written {
            if held <= budget_bytes {
                break;
            }
            held -= bytes;
            if let Some(entries) = self.tables.get_mut(&table) {
                remove_where(entries, &mut gone, |entry| entry.id == id);
            }
        }
        gone
    }
}

fn remove_where(entries: &mut Vec<Entry>, gone: &mut Vec<PathBuf>, leaves: impl Fn(&Entry) -> bool) {
    let left = entries.extract_if(.., |entry| leaves(entry));
    gone.extend(left.filter_map(|entry| entry.file.into_path()));
}

/// The last fetched first: that is the newest also where the upstream takes a date back.
fn revisions(entries: &[Entry]) -> Vec<Revision> {
    let mut latest: HashMap<Revision, DateTime<Utc>> = HashMap::new();
    for entry in entries {
        let at = latest.entry(entry.revision).or_insert(entry.fetched_at);
        *at = entry.fetched_at.max(*at);
    }
    let mut revisions: Vec<_> = latest.into_iter().map(|(revision, at)| (at, revision)).collect();
    revisions.sort_unstable_by(|a, b| b.cmp(a));
    revisions.into_iter().map(|(_, revision)| revision).collect()
}
