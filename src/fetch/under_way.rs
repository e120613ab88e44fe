//! Requests that are on their way: the figures that each will bring, and who waits for them.
//!
//! Each runs in a task of its own: it goes on when one of those who wait for it leaves, and ends when all have left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use tokio::sync::oneshot;

use crate::budget::upstream::Requester;
use crate::budget::{Exhausted, Share};
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::fetch::error::FetchError;
use crate::plan::chunk::Chunk;
use crate::plan::figure_box::FigureBox;
use crate::plan::missing::figures_of;
use crate::store::StoredFigures;
use crate::store::block::Revision;
use crate::store::key::CellKey;
use crate::upstream::caller::Caller;

type Brought = Result<Vec<StoredFigures>, FetchError>;

/// A request that somebody waits for.
#[derive(Debug, Clone)]
pub(super) struct PendingRequest {
    pub revision: Revision,
    /// What it brings, by ids, because positions change when the catalogue is read again.
    key: CellKey,
    /// The same in the measurement that it was planned for.
    figures: FigureBox,
    measurement: Arc<Measurement>,
    /// Its result, for all who wait for it.
    brought: Shared<BoxFuture<'static, Brought>>,
    caller: Caller,
}

impl PendingRequest {
    /// What it brings, as positions in a measurement.
    pub fn figures(&self, measurement: &Arc<Measurement>) -> FigureBox {
        match Arc::ptr_eq(&self.measurement, measurement) {
            true => self.figures.clone(),
            false => self.key.figures(measurement),
        }
    }
}

/// All requests that somebody waits for. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<HashMap<MeasurementId, Vec<PendingRequest>>>>);

impl UnderWay {
    /// The requests of a table that have not ended.
    pub fn of_table(&self, table: &MeasurementId) -> Vec<PendingRequest> {
        let mut tables = self.tables();
        let Some(pending) = tables.get_mut(table) else { return Vec::new() };
        pending.retain(|request| !request.caller.is_ended());
        pending.clone()
    }

    /// Starts a request. It is listed until its figures are in store, or its task has ended in whatever other way.
    pub fn start(
        &self,
        measurement: &Arc<Measurement>,
        chunk: &Chunk,
        revision: Revision,
        caller: Caller,
        bring: impl Future<Output = Brought> + Send + 'static,
    ) -> Awaited {
        let (told, brought) = oneshot::channel();
        let (table, of_task) = (measurement.id.clone(), caller.clone());
        let ended = move || {
            if of_task.is_superseded() { FetchError::Moved { table } } else { FetchError::Interrupted }
        };
        let brought = async { brought.await.unwrap_or_else(|_| Err(ended())) }.boxed().shared();
        self.tables().entry(measurement.id.clone()).or_default().push(PendingRequest {
            revision,
            key: CellKey::of(measurement, chunk),
            figures: figures_of(measurement, chunk),
            measurement: Arc::clone(measurement),
            brought: brought.clone(),
            caller: caller.clone(),
        });
        let (under_way, table) = (self.clone(), measurement.id.clone());
        let listed = Listed { under_way, table, caller: caller.clone() };
        let task = tokio::spawn(async move {
            let brought = bring.await;
            drop(listed);
            // Those who wait may all have left.
            let _ = told.send(brought);
        });
        caller.set_task(task.abort_handle());
        Awaited { brought, waiter: Waiter { under_way: self.clone(), table: measurement.id.clone(), caller } }
    }

    /// Waits for a request that somebody else started, unless it has ended.
    pub fn join(&self, request: &PendingRequest) -> Option<Awaited> {
        let (table, caller) = (request.measurement.id.clone(), request.caller.clone());
        caller.join().then(|| Awaited {
            brought: request.brought.clone(),
            waiter: Waiter { under_way: self.clone(), table, caller },
        })
    }

    /// Lets the requests of a table run to their end, also if nobody waits for them any more.
    pub fn finish(&self, table: &MeasurementId) {
        for request in self.tables().get(table).into_iter().flatten() {
            // This one never leaves.
            let _ = request.caller.join();
        }
    }

    /// Ends the requests of a table that were planned for another revision and have not been sent: their answers would be dropped. Those who
    /// wait for them are told that the table was updated.
    pub fn end_others(&self, table: &MeasurementId, revision: Revision) {
        let others = |pending: &Vec<PendingRequest>| -> Vec<Caller> {
            let others = pending.iter().filter(|request| request.revision != revision);
            others.map(|request| request.caller.clone()).collect()
        };
        let others = self.tables().get(table).map(others).unwrap_or_default();
        for caller in others.iter().filter(|caller| caller.supersede()) {
            self.remove(table, caller);
        }
    }

    fn remove(&self, table: &MeasurementId, caller: &Caller) {
        let mut tables = self.tables();
        if let Some(pending) = tables.get_mut(table) {
            pending.retain(|request| !request.caller.is(caller));
            if pending.is_empty() {
                tables.remove(table);
            }
        }
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<MeasurementId, Vec<PendingRequest>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request, for one of those who wait for it.
pub(super) struct Awaited {
    brought: Shared<BoxFuture<'static, Brought>>,
    waiter: Waiter,
}

impl Awaited {
    /// What it brought for a requester; nothing where a budget that is not the requester's was exhausted.
    pub async fn result(self, requester: Requester) -> Brought {
        let brought = self.brought.clone().await;
        match brought {
            Err(FetchError::Budget(exhausted)) if self.is_anothers(&exhausted, requester) => Ok(Vec::new()),
            brought => brought,
        }
    }

    /// Whether the budget is one that only others pay from.
    fn is_anothers(&self, exhausted: &Exhausted, requester: Requester) -> bool {
        self.waiter.caller.requester != requester && exhausted.share != Share::Everybody
    }
}

/// The place of a request in the list. Its task owns it, so that it ends with it also if that panics or is aborted.
struct Listed {
    under_way: UnderWay,
    table: MeasurementId,
    caller: Caller,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.under_way.remove(&self.table, &self.caller);
    }
}

/// One who waits for a request, until this is dropped.
struct Waiter {
    under_way: UnderWay,
    table: MeasurementId,
    caller: Caller,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.caller.leave() {
            self.under_way.remove(&self.table, &self.caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::{Duration, Instant};

    use tokio::runtime::Runtime;

    use super::*;
    use crate::catalogue::id::PeriodTypeId;
    use crate::plan::fixture::table;

    /// Starts a request for one figure of the table.
    fn start(
        under_way: &UnderWay,
        table: &Arc<Measurement>,
        bring: impl Future<Output = Brought> + Send + 'static,
    ) -> Awaited {
        let period_type = PeriodTypeId::from("M");
        let chunk = Chunk { period_type, periods: vec![0], dimensions: Vec::new(), measures: vec![0] };
        let revision = Revision { update_latest: None, changed_at: None };
        under_way.start(table, &chunk, revision, Caller::new(Requester::Service, 1), bring)
    }

    #[test]
    fn a_request_whose_task_panics_is_listed_no_longer_and_those_who_wait_are_told() {
        let (runtime, under_way, table) = (Runtime::new().unwrap(), UnderWay::default(), Arc::new(table()));
        runtime.block_on(async {
            let awaited = start(&under_way, &table, async { panic!("a test wants this") });
            let other = start(&under_way, &table, pending());
            assert!(matches!(awaited.result(Requester::Service).await, Err(FetchError::Interrupted)));
            let began = Instant::now();
            while under_way.of_table(&table.id).len() > 1 {
                assert!(began.elapsed() < Duration::from_secs(10), "it is listed still");
                tokio::task::yield_now().await;
            }
            assert!(under_way.of_table(&table.id)[0].caller.is(&other.waiter.caller), "the other goes on");
        });
    }

    #[test]
    fn what_was_planned_for_another_revision_and_not_sent_ends_and_who_waits_is_told() {
        let (runtime, under_way, table) = (Runtime::new().unwrap(), UnderWay::default(), Arc::new(table()));
        let of_day = |day: &str| Revision { update_latest: day.parse().ok(), changed_at: None };
        runtime.block_on(async {
            let [queued, sent] = [(); 2].map(|()| start(&under_way, &table, pending()));
            sent.waiter.caller.start_call().await;
            under_way.end_others(&table.id, Revision { update_latest: None, changed_at: None });
            assert_eq!(under_way.of_table(&table.id).len(), 2, "both are of that revision");
            under_way.end_others(&table.id, of_day("2026-09-15"));
            assert!(matches!(queued.result(Requester::Service).await, Err(FetchError::Moved { .. })));
            let left = under_way.of_table(&table.id);
            assert!(left.len() == 1 && left[0].caller.is(&sent.waiter.caller), "its answer is awaited");
            assert!(sent.waiter.caller.start_call().now_or_never().is_none(), "no other call of it is made");
        });
    }

    #[test]
    fn a_request_whose_task_ends_with_its_runtime_is_listed_no_longer() {
        let (runtime, under_way, table) = (Runtime::new().unwrap(), UnderWay::default(), Arc::new(table()));
        let waits = runtime.block_on(async { start(&under_way, &table, pending()) });
        assert_eq!(under_way.of_table(&table.id).len(), 1);
        let handle = runtime.handle().clone();
        drop(runtime);
        assert!(under_way.of_table(&table.id).is_empty(), "aborted while it ran");
        let _within = handle.enter();
        let late = start(&under_way, &table, pending());
        assert!(under_way.of_table(&table.id).is_empty(), "never begun");
        drop((waits, late));
    }
}
