//! The index of the store: for each table its blocks, each in memory, on disk or both. Does no input or output itself: it returns the
//! files that are to be removed.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::catalogue::id::{MeasurementId, PeriodId};
use crate::store::block::{Revision, SharedBlock};
use crate::store::key::CellKey;
use crate::store::{StoreSize, disk::StoredBlock};

/// How many revisions of one table are kept.
const KEPT_REVISIONS: usize = 2;

/// When a budget is exceeded, one part in so many of it is freed in addition, so that not every new block evicts another.
const FREED: u64 = 16;

/// All blocks by table.
#[derive(Debug, Default)]
pub(super) struct Index {
    tables: HashMap<MeasurementId, Table>,
    uses: u64,
    size: StoreSize,
}

/// The blocks of one table, indexed by period because there may be thousands.
#[derive(Debug, Default)]
struct Table {
    entries: HashMap<EntryId, Entry>,
    by_period: HashMap<PeriodId, BTreeSet<EntryId>>,
    revisions: HashMap<Revision, RevisionBlocks>,
}

/// The blocks of one revision of a table.
#[derive(Debug, Clone, Copy)]
struct RevisionBlocks {
    blocks: usize,
    newest: EntryId,
}

/// A block and its location.
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

/// Identifies an entry; grows with each new one. Newer entries are recognised by it, because the clock may have been set back
/// between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct EntryId(u64);

/// The state of a block's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileState {
    /// Only in memory.
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

    /// A block that was just fetched, and the file that it will be written to.
    pub fn fetched(key: CellKey, block: &SharedBlock, path: PathBuf) -> Self {
        let mut entry = Self::of(key, block.revision, block.fetched_at);
        entry.hold(block);
        entry.file = FileState::Queued(path);
        entry
    }

    /// A block that is on disk.
    pub fn stored(stored: StoredBlock) -> Self {
        let mut entry = Self::of(stored.key, stored.revision, stored.fetched_at);
        entry.file = FileState::Written { path: stored.path, bytes: stored.bytes };
        entry
    }

    fn hold(&mut self, block: &SharedBlock) {
        self.memory_bytes = block.size_bytes();
        self.block = Some(Arc::clone(block));
    }

    fn size(&self) -> StoreSize {
        let (held, bytes) = (self.block.is_some(), self.file.bytes());
        StoreSize {
            blocks: held.into(),
            bytes: if held { self.memory_bytes } else { 0 },
            disk_blocks: (bytes > 0).into(),
            disk_bytes: bytes,
        }
    }
}

impl Index {
    /// Adds an entry, removing those of its revision whose cells it covers, and old revisions. Returns the files to remove.
    pub fn insert(&mut self, table: &MeasurementId, mut entry: Entry) -> (EntryId, Vec<PathBuf>) {
        self.uses += 1;
        (entry.id, entry.last_use) = (EntryId(self.uses), self.uses);
        let (id, revision) = (entry.id, entry.revision);
        let held = self.tables.entry(table.clone()).or_default();
        let mut leaving = held.covered(revision, &entry.key);
        self.size.add(entry.size());
        held.add(entry);
        let over: Vec<Revision> = held.revisions().into_iter().skip(KEPT_REVISIONS).collect();
        if !over.is_empty() {
            let of_old = held.entries.values().filter(|entry| over.contains(&entry.revision));
            leaving.extend(of_old.map(|entry| entry.id));
        }
        (id, self.remove_all(table, leaving))
    }

    /// Removes the entries of that revision whose cells the key covers. Returns the files to remove.
    pub fn forget(&mut self, table: &MeasurementId, revision: Revision, key: &CellKey) -> Vec<PathBuf> {
        let leaving = self.tables.get(table).map(|held| held.covered(revision, key)).unwrap_or_default();
        self.remove_all(table, leaving)
    }

    fn remove_all(&mut self, table: &MeasurementId, leaving: Vec<EntryId>) -> Vec<PathBuf> {
        leaving.into_iter().filter_map(|id| self.remove(table, id)?.file.into_path()).collect()
    }

    /// The newest entry of that revision that has all cells of the key. Counts as a use.
    pub fn find(&mut self, table: &MeasurementId, revision: Revision, key: &CellKey) -> Option<&Entry> {
        self.uses += 1;
        let held = self.tables.get_mut(table)?;
        let id = held.find(revision, key)?.id;
        let entry = held.entries.get_mut(&id)?;
        entry.last_use = self.uses;
        Some(entry)
    }

    /// When the entry was fetched that [`Index::find`] would find. Does not count as a use.
    pub fn fetched_at(
        &self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
    ) -> Option<DateTime<Utc>> {
        Some(self.tables.get(table)?.find(revision, key)?.fetched_at)
    }

    /// Entries of any revision that share cells with the key, the newest first.
    pub fn overlapping(&self, table: &MeasurementId, key: &CellKey) -> Vec<EntryId> {
        let sharing = self.tables.get(table).into_iter().flat_map(|held| held.sharing_periods(key));
        let mut sharing: Vec<&Entry> = sharing.filter(|entry| entry.key.overlaps(key)).collect();
        sharing.sort_by_key(|entry| Reverse(entry.id));
        sharing.dedup_by_key(|entry| entry.id);
        sharing.into_iter().map(|entry| entry.id).collect()
    }

    pub fn entry(&self, table: &MeasurementId, id: EntryId) -> Option<&Entry> {
        self.tables.get(table)?.entries.get(&id)
    }

    /// Puts a block into memory, unless its entry is gone.
    pub fn hold(&mut self, table: &MeasurementId, id: EntryId, block: &SharedBlock) {
        self.change(table, id, |entry| entry.hold(block));
    }

    /// Sets the state of a block's file, unless its entry is gone.
    pub fn file(&mut self, table: &MeasurementId, id: EntryId, file: FileState) {
        self.change(table, id, |entry| entry.file = file);
    }

    fn change(&mut self, table: &MeasurementId, id: EntryId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.tables.get_mut(table).and_then(|held| held.entries.get_mut(&id)) {
            self.size.subtract(entry.size());
            change(entry);
            self.size.add(entry.size());
        }
    }

    /// Removes an entry.
    pub fn remove(&mut self, table: &MeasurementId, id: EntryId) -> Option<Entry> {
        let entry = self.tables.get_mut(table)?.remove(id)?;
        self.size.subtract(entry.size());
        Some(entry)
    }

    /// The revisions of the table, the one fetched last first.
    pub fn revisions(&self, table: &MeasurementId) -> Vec<Revision> {
        self.tables.get(table).map(Table::revisions).unwrap_or_default()
    }

    pub fn size(&self) -> StoreSize {
        self.size
    }

    /// Evicts the least recently used blocks from memory if the budget is exceeded; returns how many. The block used last stays,
    /// whatever its size, and so do blocks that are not written yet.
    pub fn shrink_memory(&mut self, budget_bytes: usize) -> usize {
        if self.size.bytes <= budget_bytes {
            return 0;
        }
        let uses = self.uses;
        let idle = |entry: &&Entry| {
            entry.block.is_some() && entry.last_use < uses && !matches!(entry.file, FileState::Queued(_))
        };
        let mut evicted = 0;
        for (_, id, table) in self.by_use(idle, |entry, _| entry.last_use) {
            if self.size.bytes as u64 <= room(budget_bytes as u64) {
                break;
            }
            evicted += 1;
            self.change(&table, id, |entry| entry.block = None);
            if self.entry(&table, id).is_some_and(|entry| entry.file == FileState::None) {
                self.remove(&table, id);
            }
        }
        evicted
    }

    /// Evicts blocks from disk, and with it from memory, if the budget is exceeded: those of superseded revisions first, then the
    /// least recently used. Returns the files to remove.
    pub fn shrink_disk(&mut self, budget_bytes: u64) -> Vec<PathBuf> {
        if self.size.disk_bytes <= budget_bytes {
            return Vec::new();
        }
        let written = |entry: &&Entry| entry.file.bytes() > 0;
        let turn = |entry: &Entry, newest: Option<Revision>| (Some(entry.revision) == newest, entry.last_use);
        let mut gone = Vec::new();
        for (_, id, table) in self.by_use(written, turn) {
            if self.size.disk_bytes <= room(budget_bytes) {
                break;
            }
            gone.extend(self.remove(&table, id).and_then(|entry| entry.file.into_path()));
        }
        gone
    }

    /// Entries in the order in which they are evicted.
    fn by_use<T: Ord>(
        &self,
        wanted: impl Fn(&&Entry) -> bool,
        turn: impl Fn(&Entry, Option<Revision>) -> T,
    ) -> Vec<(T, EntryId, MeasurementId)> {
        let mut entries = Vec::new();
        for (table, held) in &self.tables {
            let newest = held.revisions().first().copied();
            let wanted = held.entries.values().filter(&wanted);
            entries.extend(wanted.map(|entry| (turn(entry, newest), entry.id, table.clone())));
        }
        entries.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        entries
    }
}

impl Table {
    fn add(&mut self, entry: Entry) {
        for period in &entry.key.periods {
            self.by_period.entry(period.clone()).or_default().insert(entry.id);
        }
        let none = RevisionBlocks { blocks: 0, newest: entry.id };
        let held = self.revisions.entry(entry.revision).or_insert(none);
        *held = RevisionBlocks { blocks: held.blocks + 1, newest: held.newest.max(entry.id) };
        self.entries.insert(entry.id, entry);
    }

    fn remove(&mut self, id: EntryId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        for period in &entry.key.periods {
            if let Some(of_period) = self.by_period.get_mut(period) {
                of_period.remove(&id);
            }
        }
        if let Some(held) = self.revisions.get_mut(&entry.revision) {
            held.blocks -= 1;
        }
        self.revisions.retain(|_, held| held.blocks > 0);
        Some(entry)
    }

    /// Entries of that revision whose cells the key covers; an entry may occur more than once.
    fn covered(&self, revision: Revision, key: &CellKey) -> Vec<EntryId> {
        let covered = |entry: &&Entry| entry.revision == revision && key.covers(&entry.key);
        self.sharing_periods(key).filter(covered).map(|entry| entry.id).collect()
    }

    fn find(&self, revision: Revision, key: &CellKey) -> Option<&Entry> {
        let fits = |entry: &&Entry| entry.revision == revision && entry.key.covers(key);
        self.of_period(key.periods.first()?).filter(fits).max_by_key(|entry| entry.id)
    }

    /// Entries that have a period of the key; an entry may occur more than once.
    fn sharing_periods(&self, key: &CellKey) -> impl Iterator<Item = &Entry> {
        key.periods.iter().flat_map(|period| self.of_period(period))
    }

    fn of_period(&self, period: &PeriodId) -> impl Iterator<Item = &Entry> {
        self.by_period.get(period).into_iter().flatten().filter_map(|id| self.entries.get(id))
    }

    /// The revision fetched last comes first: it is the newest even if the upstream's update date went backwards.
    fn revisions(&self) -> Vec<Revision> {
        let mut revisions: Vec<(EntryId, Revision)> =
            self.revisions.iter().map(|(revision, held)| (held.newest, *revision)).collect();
        revisions.sort_unstable_by(|a, b| b.cmp(a));
        revisions.into_iter().map(|(_, revision)| revision).collect()
    }
}

impl StoreSize {
    fn add(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.bytes += other.bytes;
        self.disk_blocks += other.disk_blocks;
        self.disk_bytes += other.disk_bytes;
    }

    fn subtract(&mut self, other: Self) {
        self.blocks -= other.blocks;
        self.bytes -= other.bytes;
        self.disk_blocks -= other.disk_blocks;
        self.disk_bytes -= other.disk_bytes;
    }
}

/// The size down to which blocks are evicted once the budget is exceeded.
fn room(budget_bytes: u64) -> u64 {
    budget_bytes - budget_bytes / FREED
}
