//! Takes over figures that other bridges read, and tells them of what was read here.
//!
//! What was read later wins, figure by figure: where figures of two bridges of one day differ and neither bridge had known of the other's, the
//! bridge that read later begins a new revision with them.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use super::{Fetcher, Inner, RevisionState};
use crate::catalogue::id::MeasurementId;
use crate::fetch::others::{Others, Position};
use crate::observe::request::spawn_if_running;
use crate::store::StoredFigures;
use crate::store::block::{CellBlock, Revision};
use crate::store::change::Changes;
use crate::store::key::CellKey;

/// Tells the other bridges of what a request has brought, also when it was broken off.
pub(super) struct Announced(Option<Telling>);

struct Telling {
    inner: Arc<Inner>,
    others: Arc<dyn Others>,
    table: MeasurementId,
    /// The request, if others know of it.
    claim: Option<String>,
    /// How far this bridge knew others' figures when it began.
    known: Position,
}

impl Announced {
    /// For a request of that table; nothing is told where there are no others.
    pub fn new(inner: &Arc<Inner>, table: &MeasurementId, claim: Option<String>) -> Self {
        let telling = inner.others.clone().map(|others| Telling {
            inner: Arc::clone(inner),
            known: others.known(),
            others,
            table: table.clone(),
            claim,
        });
        Self(telling)
    }

    /// Tells them now, also if nobody waits for that any more.
    pub async fn now(mut self) {
        if let Some(telling) = self.0.take() {
            let _ = tokio::spawn(telling.tell()).await;
        }
    }
}

impl Telling {
    async fn tell(self) {
        let told = self.others.publish(&self.table, self.known, self.claim.as_deref()).await;
        self.inner.note_told(&self.table, &told);
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        let Some(telling) = self.0.take() else { return };
        spawn_if_running(telling.tell());
    }
}

impl Fetcher {
    /// Takes over a block that another bridge read, unless it is of a superseded revision.
    pub fn adopt(&self, table: &MeasurementId, name: &str, (key, block): StoredFigures, told_at: Position) {
        let (key, block) = (CellKey::clone(&key), CellBlock::clone(&block));
        let newest = self.inner.newest_stored(table, block.revision.update_latest);
        let mut tables = self.inner.states();
        let begun = RevisionState::of(block.revision.max(newest.unwrap_or(block.revision)));
        let state = tables.entry(table.clone()).or_insert(begun);
        if state.revision.update_latest == block.revision.update_latest {
            if block.revision < state.revision.max(newest.unwrap_or(block.revision)) {
                return;
            }
            state.revision = block.revision;
        } else if block.revision.update_latest < state.revision.update_latest {
            return;
        }
        let revision = state.revision;
        state.note(block.revision, key.clone(), Some(told_at));
        self.inner.store.insert_named(table, name.to_owned(), key, block);
        drop(tables);
        self.inner.under_way.end_others(table, revision);
    }

    /// Whether figures of two blocks of one day differ.
    #[must_use]
    pub fn differ(one: &StoredFigures, other: &StoredFigures) -> bool {
        let is_one_day = one.1.revision.update_latest == other.1.revision.update_latest;
        let changes = || Changes::between(&one.1, &one.0, std::slice::from_ref(other));
        is_one_day && changes().is_ok_and(|changes| changes.count() > 0)
    }

    /// Begins a revision with the later of two blocks that differ. It is the same whichever bridge does that.
    pub fn renew(&self, table: &MeasurementId, later: &StoredFigures, earlier: &StoredFigures) {
        let newest = later.1.revision.max(earlier.1.revision);
        let stored = self.inner.newest_stored(table, newest.update_latest);
        let newest = newest.max(stored.unwrap_or(newest));
        let mut tables = self.inner.states();
        let state = tables.entry(table.clone()).or_insert(RevisionState::of(newest));
        if state.revision.update_latest != newest.update_latest {
            return;
        }
        let revision = state.revision.max(newest.next(self.inner.common_time(later.1.fetched_at)));
        state.revision = revision;
        let (key, mut block) = (CellKey::clone(&later.0), CellBlock::clone(&later.1));
        block.revision = revision;
        state.note(revision, key.clone(), None);
        self.inner.store.insert(table, key, block);
        drop(tables);
        self.inner.under_way.end_others(table, revision);
    }

    /// Notes where the others were told of blocks.
    pub fn note_told(&self, table: &MeasurementId, told: &[(Arc<CellKey>, Position)]) {
        self.inner.note_told(table, told);
    }

    /// Another bridge began to read the list of tables when it knew that far, and the list is known here now: blocks of tables that have the
    /// same date in it are confirmed.
    pub fn list_was_read(
        &self,
        position: Position,
        update_latest: impl Fn(&MeasurementId) -> Option<NaiveDate>,
    ) {
        for (table, state) in self.inner.states().iter_mut() {
            let listed = update_latest(table);
            state.unconfirmed.retain(|block| {
                block.told_at.is_none_or(|at| at > position) || block.revision.update_latest != listed
            });
        }
    }
}

impl Inner {
    /// The newest revision of that date that is stored.
    fn newest_stored(&self, table: &MeasurementId, update_latest: Option<NaiveDate>) -> Option<Revision> {
        let revisions = self.store.named(table).into_iter().map(|stored| stored.revision);
        revisions.filter(|revision| revision.update_latest == update_latest).max()
    }

    /// Notes where the others were told of blocks, so that the list of tables that one of them reads after that confirms them.
    fn note_told(&self, table: &MeasurementId, told: &[(Arc<CellKey>, Position)]) {
        let mut tables = self.states();
        let Some(state) = tables.get_mut(table) else { return };
        for (key, position) in told {
            let same = state.unconfirmed.iter_mut().filter(|block| block.key == **key);
            same.for_each(|block| block.told_at = block.told_at.or(Some(*position)));
        }
    }

    /// An instant of one's own clock by the clock that all bridges have in common.
    pub(super) fn common_time(&self, instant: DateTime<Utc>) -> DateTime<Utc> {
        self.others.as_ref().map_or(instant, |others| instant + (others.now() - self.clock.now()))
    }
}
