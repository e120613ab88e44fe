//! The index of the store: for each table its blocks, each in memory, on disk or both. Does no input or output itself: it returns the
//! files that are to be removed.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use crate::catalogue::id::MeasurementId;
use crate::plan::figure_box::{FigureBox, first_holding, missing};
use crate::store::block::{Revision, SharedBlock};
use crate::store::freshness::is_believed;
use crate::store::key::CellKey;
use crate::store::member_sets::MemberSets;
use crate::store::numbering::{Numbering, TOTAL};
use crate::store::{StoreSize, disk::StoredBlock};

/// How many revisions of one table are kept.
const KEPT_REVISIONS: usize = 2;

/// When a budget is exceeded, one part in so many of it is freed in addition, so that not every new block evicts another.
const FREED: u64 = 16;

/// The index, for all who use it.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedIndex(Arc<Mutex<Index>>);

impl SharedIndex {
    pub fn lock(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All blocks by table.
#[derive(Debug, Default)]
pub(super) struct Index {
    tables: HashMap<MeasurementId, Table>,
    /// Files that were made of figures, by name.
    files: HashMap<String, KeptFile>,
    uses: u64,
    size: StoreSize,
}

/// What is known of a file that was made of figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    pub bytes: u64,
    /// A hash of the content.
    pub tag: String,
    pub rows: u64,
    /// When the oldest of its figures was fetched; `None` if it has none.
    pub fetched_at: Option<DateTime<Utc>>,
    /// When it was written: a file that was changed since is not sent under this tag.
    pub written_at: SystemTime,
}

impl FileFacts {
    /// Whether its figures need not be fetched again.
    #[must_use]
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.fetched_at.is_none_or(|at| is_believed(at, now))
    }
}

/// Such a file, and where it is.
#[derive(Debug)]
struct KeptFile {
    path: PathBuf,
    facts: FileFacts,
    last_use: u64,
}

/// What is to leave the disk.
enum Leaving {
    Block(MeasurementId, EntryId),
    File(String),
}

/// The blocks of one table.
#[derive(Debug, Default)]
struct Table {
    /// The oldest first.
    entries: BTreeMap<EntryId, Entry>,
    revisions: HashMap<Revision, RevisionBlocks>,
    numbering: Numbering,
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
    pub name: String,
    pub key: Arc<CellKey>,
    /// The same in numbers of the table's own.
    figures: FigureBox,
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
    fn of(name: String, key: CellKey, revision: Revision, fetched_at: DateTime<Utc>) -> Self {
        Self {
            id: EntryId(0),
            name,
            key: Arc::new(key),
            figures: FigureBox::new(Vec::new()),
            revision,
            fetched_at,
            block: None,
            file: FileState::None,
            memory_bytes: 0,
            last_use: 0,
        }
    }

    /// A block that was just fetched, and the file that it will be written to.
    pub fn fetched(name: String, key: CellKey, block: &SharedBlock, path: PathBuf) -> Self {
        let mut entry = Self::of(name, key, block.revision, block.fetched_at);
        entry.hold(block);
        entry.file = FileState::Queued(path);
        entry
    }

    /// A block that is on disk.
    pub fn stored(stored: StoredBlock) -> Self {
        let mut entry = Self::of(stored.name, stored.key, stored.revision, stored.fetched_at);
        entry.file = FileState::Written { path: stored.path, bytes: stored.bytes };
        entry
    }

    /// Whether it is of that revision, and will be believed at a moment if one is named.
    fn is_held(&self, revision: Revision, fresh_at: Option<DateTime<Utc>>) -> bool {
        self.revision == revision && fresh_at.is_none_or(|at| is_believed(self.fetched_at, at))
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
            file_bytes: 0,
        }
    }
}

impl Index {
    /// The same members, where they are known, as the entries of the table share them.
    pub fn shared_members(&self, table: &MeasurementId, members: MemberSets) -> MemberSets {
        self.tables.get(table).and_then(|held| held.numbering.shared(&members)).unwrap_or(members)
    }

    /// Adds an entry. Removes entries of its revision whose figures are all in newer entries, and superseded revisions. Returns the
    /// files to remove.
    pub fn insert(&mut self, table: &MeasurementId, mut entry: Entry) -> (EntryId, Vec<PathBuf>) {
        self.uses += 1;
        (entry.id, entry.last_use) = (EntryId(self.uses), self.uses);
        let id = entry.id;
        self.size.add(entry.size());
        let table_entries = self.tables.entry(table.clone()).or_default();
        table_entries.add(entry);
        let mut leaving = table_entries.replaced_by(id);
        let over: Vec<Revision> = table_entries.revisions().into_iter().skip(KEPT_REVISIONS).collect();
        if !over.is_empty() {
            let of_old = table_entries.entries.values().filter(|entry| over.contains(&entry.revision));
            leaving.extend(of_old.map(|entry| entry.id));
        }
        (id, self.remove_all(table, leaving))
    }

    /// Removes the entries of that revision whose cells the key covers. Returns the files to remove.
    pub fn forget(&mut self, table: &MeasurementId, revision: Revision, key: &CellKey) -> Vec<PathBuf> {
        let leaving = self.tables.get_mut(table).map(|held| held.covered(revision, key)).unwrap_or_default();
        self.remove_all(table, leaving)
    }

    fn remove_all(&mut self, table: &MeasurementId, leaving: Vec<EntryId>) -> Vec<PathBuf> {
        leaving.into_iter().filter_map(|id| self.remove(table, id)?.file.into_path()).collect()
    }

    /// The newest entries of that revision that hold figures of the key together, and whether they hold all. They count as used.
    pub fn find(
        &mut self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
        fresh_at: Option<DateTime<Utc>>,
    ) -> (Vec<EntryId>, bool) {
        self.uses += 1;
        let Some(held) = self.tables.get_mut(table) else { return (Vec::new(), false) };
        let (found, is_complete) = held.find(revision, key, fresh_at);
        for id in &found {
            if let Some(entry) = held.entries.get_mut(id) {
                entry.last_use = self.uses;
            }
        }
        (found, is_complete)
    }

    /// The keys of entries of that revision that share figures with the key. They do not count as used.
    pub fn keys(
        &mut self,
        table: &MeasurementId,
        revision: Revision,
        key: &CellKey,
        fresh_at: Option<DateTime<Utc>>,
    ) -> Vec<Arc<CellKey>> {
        let Some(held) = self.tables.get_mut(table) else { return Vec::new() };
        let figures = held.numbering.known_figures(key);
        held.held(revision, &figures, fresh_at).map(|entry| Arc::clone(&entry.key)).collect()
    }

    /// Entries of any revision that share figures with the key, the newest first.
    pub fn overlapping(&mut self, table: &MeasurementId, key: &CellKey) -> Vec<EntryId> {
        let Some(held) = self.tables.get_mut(table) else { return Vec::new() };
        let figures = held.numbering.known_figures(key);
        held.meeting(&figures).map(|entry| entry.id).collect()
    }

    /// All entries of a table, the oldest first.
    pub fn of_table(&self, table: &MeasurementId) -> impl Iterator<Item = &Entry> {
        self.tables.get(table).into_iter().flat_map(|held| held.entries.values())
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

    /// Adds a file that was made, in place of one of that name. Returns the path of that one.
    pub fn keep_file(&mut self, name: String, path: PathBuf, facts: FileFacts) -> Option<PathBuf> {
        let replaced = self.remove_file(&name);
        self.uses += 1;
        self.size.file_bytes += facts.bytes;
        self.files.insert(name, KeptFile { path, facts, last_use: self.uses });
        replaced
    }

    /// The file of that name, which counts as used.
    pub fn file_named(&mut self, name: &str) -> Option<(PathBuf, FileFacts)> {
        let file = self.files.get_mut(name)?;
        self.uses += 1;
        file.last_use = self.uses;
        Some((file.path.clone(), file.facts.clone()))
    }

    /// Removes a made file. Returns the path that it had.
    pub fn remove_file(&mut self, name: &str) -> Option<PathBuf> {
        let file = self.files.remove(name)?;
        self.size.file_bytes -= file.facts.bytes;
        Some(file.path)
    }

    /// The revisions of the table, the one fetched last first.
    pub fn revisions(&self, table: &MeasurementId) -> Vec<Revision> {
        self.tables.get(table).map(Table::revisions).unwrap_or_default()
    }

    pub fn size(&self) -> StoreSize {
        self.size
    }

    /// The tables that have entries, and when the latest of each were fetched.
    pub fn tables(&self) -> Vec<(MeasurementId, DateTime<Utc>)> {
        let latest = |table: &Table| table.entries.values().map(|entry| entry.fetched_at).max();
        self.tables.iter().filter_map(|(id, table)| Some((id.clone(), latest(table)?))).collect()
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

    /// Evicts blocks from disk, and with it from memory, and made files, if the budget is exceeded: blocks of superseded revisions
    /// first, then what was used least recently. Returns the files to remove.
    pub fn shrink_disk(&mut self, budget_bytes: u64) -> Vec<PathBuf> {
        if self.size.on_disk() <= budget_bytes {
            return Vec::new();
        }
        let mut gone = Vec::new();
        for leaving in self.by_turn() {
            if self.size.on_disk() <= room(budget_bytes) {
                break;
            }
            gone.extend(match leaving {
                Leaving::Block(table, id) => self.remove(&table, id).and_then(|entry| entry.file.into_path()),
                Leaving::File(name) => self.remove_file(&name),
            });
        }
        gone
    }

    /// All that is on disk, in the order in which it is evicted.
    fn by_turn(&self) -> Vec<Leaving> {
        let written = |entry: &&Entry| entry.file.bytes() > 0;
        let turn = |entry: &Entry, newest: Option<Revision>| (Some(entry.revision) == newest, entry.last_use);
        let blocks = self.by_use(written, turn).into_iter();
        let blocks = blocks.map(|(turn, id, table)| (turn, Leaving::Block(table, id)));
        let files = self.files.iter();
        let files = files.map(|(name, file)| ((true, file.last_use), Leaving::File(name.clone())));
        let mut all: Vec<_> = blocks.chain(files).collect();
        all.sort_by_key(|(turn, _)| *turn);
        all.into_iter().map(|(_, leaving)| leaving).collect()
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
    fn add(&mut self, mut entry: Entry) {
        for _ in 0..self.numbering.learn(&entry.key) {
            self.entries.values_mut().for_each(|entry| entry.figures.add_axis(TOTAL));
        }
        entry.figures = self.numbering.known_figures(&entry.key);
        let none = RevisionBlocks { blocks: 0, newest: entry.id };
        let held = self.revisions.entry(entry.revision).or_insert(none);
        *held = RevisionBlocks { blocks: held.blocks + 1, newest: held.newest.max(entry.id) };
        self.entries.insert(entry.id, entry);
    }

    fn remove(&mut self, id: EntryId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        if let Some(held) = self.revisions.get_mut(&entry.revision) {
            held.blocks -= 1;
        }
        self.revisions.retain(|_, held| held.blocks > 0);
        Some(entry)
    }

    /// Entries of that revision that hold no more than these cells.
    fn covered(&mut self, revision: Revision, key: &CellKey) -> Vec<EntryId> {
        let figures = self.numbering.known_figures(key);
        let of_revision = self.held(revision, &figures, None);
        of_revision.filter(|entry| figures.covers(&entry.figures)).map(|entry| entry.id).collect()
    }

    /// Entries of the same revision whose figures are all in newer ones, now that this one is there.
    fn replaced_by(&self, id: EntryId) -> Vec<EntryId> {
        let Some(newest) = self.entries.get(&id) else { return Vec::new() };
        let older = self.held(newest.revision, &newest.figures, None).filter(|old| old.id < id);
        let is_replaced = |old: &&Entry| {
            let newer = self.held(old.revision, &old.figures, None).filter(|newer| newer.id > old.id);
            newest.figures.covers(&old.figures)
                || missing(&old.figures, newer.map(|newer| &newer.figures)).is_empty()
        };
        older.filter(is_replaced).map(|old| old.id).collect()
    }

    /// The newest entries that hold figures of the key, none of which a newer one holds as well; and whether they hold all.
    fn find(
        &mut self,
        revision: Revision,
        key: &CellKey,
        fresh_at: Option<DateTime<Utc>>,
    ) -> (Vec<EntryId>, bool) {
        let (wanted, all_known) = match self.numbering.figures(key) {
            Some(wanted) => (wanted, true),
            None => (self.numbering.known_figures(key), false),
        };
        let held: Vec<&Entry> = self.held(revision, &wanted, fresh_at).collect();
        let (found, left) = first_holding(&wanted, held.iter().map(|entry| &entry.figures));
        (found.into_iter().map(|at| held[at].id).collect(), all_known && left.is_empty())
    }

    /// Entries that share figures with the box, the newest first.
    fn meeting(&self, figures: &FigureBox) -> impl Iterator<Item = &Entry> {
        self.entries.values().rev().filter(|entry| entry.figures.meets(figures))
    }

    /// Those of one revision; only those that will be believed at a moment, if one is named.
    fn held(
        &self,
        revision: Revision,
        figures: &FigureBox,
        fresh_at: Option<DateTime<Utc>>,
    ) -> impl Iterator<Item = &Entry> {
        self.meeting(figures).filter(move |entry| entry.is_held(revision, fresh_at))
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
