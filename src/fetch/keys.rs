//! The keys of the chunks that one request reads. Chunks with the same members share their ids.

use foldhash::HashMap;

use crate::catalogue::measurement::Measurement;
use crate::fetch::Fetcher;
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::store::key::{self, CellKey};
use crate::store::member_sets::MemberSets;

/// The members of so many chunks are kept.
const MOST: usize = 64;

/// Makes the keys of a table's chunks.
#[derive(Debug)]
pub struct ChunkKeys<'a> {
    fetcher: Fetcher,
    measurement: &'a Measurement,
    /// The members of earlier chunks.
    known: HashMap<Vec<ChunkDimension>, MemberSets>,
}

impl<'a> ChunkKeys<'a> {
    #[must_use]
    pub(super) fn new(fetcher: Fetcher, measurement: &'a Measurement) -> Self {
        Self { fetcher, measurement, known: HashMap::default() }
    }

    /// The key of a chunk's cells.
    pub fn of(&mut self, chunk: &Chunk) -> CellKey {
        CellKey::with_members(self.measurement, chunk, self.members(chunk))
    }

    fn members(&mut self, chunk: &Chunk) -> MemberSets {
        if let Some(members) = self.known.get(&chunk.dimensions) {
            return members.clone();
        }
        let members = key::members(self.measurement, &chunk.dimensions);
        let members = self.fetcher.inner.store.shared_members(&self.measurement.id, members);
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(chunk.dimensions.clone(), members.clone());
        members
    }
}
