//! Reads the rows of a scan in one revision, from the upstream or from stored cells.

use std::pin::pin;

use arrow_array::RecordBatch;
use futures_util::future::{BoxFuture, FutureExt};

use super::Answerer;
use super::rows::RowReader;
use super::scan::{PlannedRows, Provenance, RowSink, Scan};
use super::stages::{Stage, Stages};
use crate::answer::error::BridgeError;
use crate::fetch::RevisionMode;
use crate::frame::Frame;
use crate::plan::UpstreamPlan;
use crate::store::block::Revision;

impl Answerer {
    /// Reads the rows of a scan into a copy of the sink, all in one revision: that of earlier pages, if there are any. When the
    /// upstream fails or takes too long, the rows are read from stored cells.
    ///
    /// # Errors
    /// When cells are not available, or an expression has no value for a row.
    pub(super) async fn scan<S: RowSink>(
        &self,
        stages: &Stages,
        scan: &Scan<'_>,
        begun: Option<Revision>,
        sink: &S,
    ) -> Result<(S, Provenance), BridgeError> {
        let plan = match &scan.rows {
            PlannedRows::List(batch) => {
                let sink = stages.time(Stage::Assemble, || listed(batch, scan, sink.clone()))?;
                return Ok((sink, Provenance::default()));
            }
            PlannedRows::Cells(plan) => plan,
        };
        if plan.chunks.count() == 0 {
            return Ok((sink.clone(), Provenance { revision: begun, fetched_at: None }));
        }
        let read = |mode| {
            let rows = RowReader::new(self, stages, scan, plan, mode);
            read_rows(rows, sink.clone(), mode).boxed()
        };
        self.with_stored_fallback(plan, begun, read).await
    }

    async fn with_stored_fallback<'r, T>(
        &self,
        plan: &UpstreamPlan,
        begun: Option<Revision>,
        read: impl Fn(RevisionMode) -> BoxFuture<'r, Result<T, BridgeError>>,
    ) -> Result<T, BridgeError> {
        let table = &plan.source.measurement.id;
        let mut answer = pin!(self.fetcher.in_one_revision(table, begun, &read));
        let error = match tokio::time::timeout(self.limits.wait, &mut answer).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(BridgeError::Fetch(error))) if error.allows_stored() => error.into(),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                // The client is told to ask again, and should find the cells in store then.
                self.fetcher.finish_under_way(table);
                BridgeError::TooSlow { seconds: self.limits.wait.as_secs() }
            }
        };
        let stored = self.fetcher.stored_revisions(table).await.into_iter();
        for mode in stored.filter(|mode| begun.is_none_or(|begun| begun == mode.revision())) {
            if let Ok(found) = read(mode).await {
                self.fetcher.stored_served();
                return Ok(found);
            }
        }
        Err(error)
    }
}

fn listed<S: RowSink>(batch: &RecordBatch, scan: &Scan<'_>, mut sink: S) -> Result<S, BridgeError> {
    let rows = scan.filter.iter().try_fold(Frame::of_list(batch)?, Frame::filter)?;
    match sink.wanted() {
        Some(_) => sink.take(rows)?,
        None => sink.count(rows.row_count() as u64),
    }
    Ok(sink)
}

async fn read_rows<S: RowSink>(
    mut rows: RowReader<'_>,
    mut sink: S,
    mode: RevisionMode,
) -> Result<(S, Provenance), BridgeError> {
    while let Some(wanted) = sink.wanted()
        && let Some(frame) = rows.next(wanted).await?
    {
        sink.take(frame)?;
    }
    sink.count(rows.left_out());
    if sink.counts() {
        sink.count(rows.count().await?);
    }
    Ok((sink, Provenance { revision: Some(mode.revision()), fetched_at: rows.fetched_at() }))
}
