//! Blocks in memory, within a budget of bytes. The least recently used go first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::catalogue::id::MeasurementId;
use crate::store::block::{CellBlock, Revision, SharedBlock};
use crate::store::key::CellKey;
use crate::store::{CellStore, StoreSize};

/// Revisions of one table that are kept.
const KEPT_REVISIONS: usize = 2;

/// A store in this process's memory.
#[derive(Debug)]
pub struct MemoryStore {
    budget_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    entries: HashMap<MeasurementId, Vec<Entry>>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    key: CellKey,
    block: SharedBlock,
    bytes: usize,
    last_use: u64,
}

impl MemoryStore {
    /// A store that holds at most that many bytes; a single block may be larger.
    #[must_use]
    pub fn new(budget_bytes: usize) -> Self {
        Self { budget_bytes, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CellStore for MemoryStore {
    fn find(&self, table: &MeasurementId, revision: Revision, key: &CellKey) -> Option<SharedBlock> {
        let mut held = self.held();
        held.uses += 1;
        let now = held.uses;
        let entries = held.entries.get_mut(table)?;
        let fits = |entry: &&mut Entry| entry.block.revision == revision && entry.key.covers(key);
        let newest = entries.iter_mut().filter(fits).max_by_key(|entry| entry.block.fetched_at)?;
        newest.last_use = now;
        Some(Arc::clone(&newest.block))
    }

    fn revisions(&self, table: &MeasurementId) -> Vec<Revision> {
        self.held().entries.get(table).map(|entries| revisions(entries)).unwrap_or_default()
    }

    fn insert(&self, table: &MeasurementId, key: CellKey, block: CellBlock) -> SharedBlock {
        let block = Arc::new(block);
        let mut held = self.held();
        held.uses += 1;
        let entry = Entry { bytes: block.size_bytes(), block: Arc::clone(&block), last_use: held.uses, key };
        held.replace(table, entry);
        held.shrink(self.budget_bytes);
        block
    }

    fn size(&self) -> StoreSize {
        let held = self.held();
        StoreSize { blocks: held.entries.values().map(Vec::len).sum(), bytes: held.bytes }
    }
}

impl Held {
    /// Adds an entry in place of those of its revision that hold nothing more, and lets old revisions go.
    fn replace(&mut self, table: &MeasurementId, entry: Entry) {
        let entries = self.entries.entry(table.clone()).or_default();
        entries.retain(|old| old.block.revision != entry.block.revision || !entry.key.covers(&old.key));
        entries.push(entry);
        let kept: Vec<Revision> = revisions(entries).into_iter().take(KEPT_REVISIONS).collect();
        entries.retain(|entry| kept.contains(&entry.block.revision));
        self.bytes = self.entries.values().flatten().map(|entry| entry.bytes).sum();
    }

    fn shrink(&mut self, budget_bytes: usize) {
        while self.bytes > budget_bytes && self.entries.values().map(Vec::len).sum::<usize>() > 1 {
            let oldest = |entries: &[Entry]| entries.iter().map(|entry| entry.last_use).min();
            let least = self
                .entries
                .iter()
                .filter_map(|(table, entries)| Some((oldest(entries)?, table.clone())))
                .min();
            let Some((last_use, table)) = least else { return };
            if let Some(entries) = self.entries.get_mut(&table)
                && let Some(position) = entries.iter().position(|entry| entry.last_use == last_use)
            {
                self.bytes -= entries.swap_remove(position).bytes;
            }
        }
    }
}

fn revisions(entries: &[Entry]) -> Vec<Revision> {
    let mut revisions: Vec<Revision> = entries.iter().map(|entry| entry.block.revision).collect();
    revisions.sort_unstable_by(|a, b| b.cmp(a));
    revisions.dedup();
    revisions
}
