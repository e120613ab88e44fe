//! Asks the upstream for the cells of a chunk and joins its answer to ids.
//!
//! If an answer or a refusal does not fit the table's metadata, the metadata is read again. If the table has changed, the error is
//! [`FetchError::Moved`] and the caller starts again; if not, a refused form is replaced by another, once. A request for one row
//! decides two more cases: whether a label is the total's, and, when a large request fails, whether it was too large or the
//! upstream is down.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;

use crate::budget::upstream::UpstreamBudgets;
use crate::catalogue::dimension::Dimension;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::error::excerpt;
use crate::fetch::error::FetchError;
use crate::fetch::form::{self, Piece};
use crate::fetch::join::{JoinError, Joined, join};
use crate::fetch::learnt::Learnt;
use crate::fetch::{Updates, request};
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::plan::missing::Limits;
use crate::upstream::caller::Caller;
use crate::upstream::client::Upstream;
use crate::upstream::data::DataTable;
use crate::upstream::error::UpstreamError;
use crate::upstream::request::DataRequest;

/// Sends requests, with what was learnt from earlier answers.
#[derive(Debug)]
pub struct Asker {
    upstream: Arc<dyn Upstream>,
    updates: Arc<dyn Updates>,
    learnt: Learnt,
    budgets: UpstreamBudgets,
    cell_limit: u64,
    /// Unknown headings that the log has already; each is logged once.
    told: Mutex<HashSet<(MeasurementId, String)>>,
}

impl Asker {
    /// Asks that upstream, for at most so many cells at a time.
    #[must_use]
    pub fn new(
        upstream: Arc<dyn Upstream>,
        updates: Arc<dyn Updates>,
        learnt: Learnt,
        budgets: UpstreamBudgets,
        cell_limit: u64,
    ) -> Self {
        Self { upstream, updates, learnt, budgets, cell_limit, told: Mutex::default() }
    }

    /// Whether the upstream has room for a call that nobody waits for.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.upstream.has_room()
    }

    /// What the upstream takes in one request.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { cells: self.cell_limit, forms: self.learnt.forms() }
    }

    /// The requests that bring a chunk.
    #[must_use]
    pub fn pieces(&self, measurement: &Measurement, chunk: &Chunk) -> Vec<Piece> {
        form::pieces(measurement, chunk, &self.limits())
    }

    /// The cells of a piece, in one answer, or in a few if its form was refused.
    ///
    /// # Errors
    /// When the upstream does not give them, its answer is not the answer to the piece, or the table is no longer as it is known.
    pub async fn ask(
        &self,
        measurement: &Measurement,
        piece: &Piece,
        caller: &Caller,
    ) -> Result<Vec<RecordBatch>, FetchError> {
        Asking { asker: self, measurement, caller }.piece(piece).await
    }

    pub fn has_unknown_label(&self, table: &MeasurementId, label: &str) -> bool {
        self.learnt.has_unknown_label(table, label)
    }

    fn report(&self, measurement: &Measurement, joined: &Joined) {
        let table = &measurement.id;
        if let Some(unknown) = joined.unknown.first() {
            tracing::warn!(%table, column = unknown.column, label = excerpt(&unknown.label), "label not in the table's metadata");
            let labels = joined.unknown.iter().map(|unknown| unknown.label.clone());
            self.learnt.add_unknown_labels(table, labels);
            self.updates.outdated(table);
        }
        for (dimension, heading) in &joined.unfamiliar {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.insert((table.clone(), heading.clone())) {
                let heading = excerpt(heading);
                let dimension = &measurement.dimensions[*dimension].label;
                tracing::warn!(%table, heading, dimension, "a column was told by its labels, not by its heading");
            }
        }
    }
}

/// Calls about one table on behalf of somebody.
struct Asking<'a> {
    asker: &'a Asker,
    measurement: &'a Measurement,
    caller: &'a Caller,
}

impl Asking<'_> {
    /// The cells of a piece. If the upstream refuses a form that it is not known to accept, another form is tried, once.
    async fn piece(&self, piece: &Piece) -> Result<Vec<RecordBatch>, FetchError> {
        match self.answer(piece).await {
            Ok(table) => Ok(vec![self.cells(&piece.chunk, &table).await?]),
            Err(error) if error.is_refusal() => self.refused(piece, error).await,
            Err(error) => Err(error),
        }
    }

    /// The answer to a piece. The error says whether the piece was too much for the upstream.
    async fn answer(&self, piece: &Piece) -> Result<DataTable, FetchError> {
        match self.call(&piece.chunk, &piece.request).await {
            Err(FetchError::Upstream(failed))
                if failed.failure.may_be_too_much() && piece.request.is_divisible() =>
            {
                Err(self.too_much_or_down(&piece.chunk, failed).await)
            }
            answer => answer,
        }
    }

    /// After a refusal: the metadata may be out of date; if it is not, the form was refused, and another is tried. If that is refused
    /// too, the form was not the reason, and the first refusal is the error. Any other error of the second try is returned as it is.
    async fn refused(&self, piece: &Piece, error: FetchError) -> Result<Vec<RecordBatch>, FetchError> {
        if self.asker.updates.has_changed(self.measurement).await {
            return Err(FetchError::Moved { table: self.measurement.id.clone() });
        }
        let forms = piece.doubtful_forms(self.measurement);
        let limits = self.asker.limits();
        let limits = Limits { forms: limits.forms.without(&forms), ..limits };
        let others = form::pieces(self.measurement, &piece.chunk, &limits);
        if forms.is_empty() || others.iter().any(|other| other == piece) {
            return Err(error);
        }
        let mut cells = Vec::new();
        for other in others {
            let table = match self.answer(&other).await {
                Err(second) if second.is_refusal() => return Err(error),
                answer => answer?,
            };
            cells.push(self.cells(&other.chunk, &table).await?);
        }
        tracing::warn!(table = %self.measurement.id, ?forms, "the upstream does not understand a form of selection; it is not used any more");
        self.asker.learnt.add_refused(&forms);
        Ok(cells)
    }

    /// A large request failed as any request fails while the upstream is down. A request for one row of it decides which is the
    /// case.
    async fn too_much_or_down(&self, chunk: &Chunk, failed: Arc<UpstreamError>) -> FetchError {
        let small = one_row(self.measurement, chunk, None);
        let Some(request) = request::data_request(self.measurement, &small) else {
            return FetchError::Upstream(failed);
        };
        match self.call(&small, &request).await {
            Ok(_) => FetchError::TooMuch(failed),
            Err(error) => error,
        }
    }

    /// One call, paid for from the budgets of whoever it is made for.
    async fn call(&self, chunk: &Chunk, request: &DataRequest) -> Result<DataTable, FetchError> {
        self.asker.budgets.spend(self.caller.requester, chunk.cell_bound(self.measurement)).await?;
        Ok(self.asker.upstream.data_for(self.caller, request).await?)
    }

    /// The cells of an answer. Labels of totals that are not known yet are learnt first.
    async fn cells(&self, chunk: &Chunk, table: &DataTable) -> Result<RecordBatch, FetchError> {
        let mut joined = self.joined(chunk, table).await?;
        if !joined.needs_root.is_empty() {
            for &position in &joined.needs_root {
                self.ask_for_root(chunk, position).await?;
            }
            joined = self.joined(chunk, table).await?;
        }
        self.asker.learnt.add_roots(&self.measurement.id, &joined.roots);
        self.asker.report(self.measurement, &joined);
        Ok(joined.cells)
    }

    async fn joined(&self, chunk: &Chunk, table: &DataTable) -> Result<Joined, FetchError> {
        let roots = self.asker.learnt.roots(&self.measurement.id);
        match join(self.measurement, chunk, &chunk.periods, table, &roots) {
            Ok(joined) => Ok(joined),
            Err(error) => Err(self.misfit(chunk, error).await),
        }
    }

    async fn misfit(&self, chunk: &Chunk, error: JoinError) -> FetchError {
        if self.asker.updates.has_changed(self.measurement).await {
            return FetchError::Moved { table: self.measurement.id.clone() };
        }
        if let Some(request) = request::data_request(self.measurement, chunk) {
            self.asker.upstream.reject(&request, &error);
        }
        error.into()
    }

    /// Learns the label of a total that the metadata does not list, from the answer to a request for one row.
    async fn ask_for_root(&self, chunk: &Chunk, position: usize) -> Result<(), FetchError> {
        let small = one_row(self.measurement, chunk, Some(position));
        let request = request::data_request(self.measurement, &small).ok_or(FetchError::Interrupted)?;
        let table = self.call(&small, &request).await?;
        let joined = self.joined(&small, &table).await?;
        if joined.roots.is_empty() {
            let dimension = &self.measurement.dimensions[chunk.dimensions[position].dimension];
            let error = JoinError::Total { dimension: dimension.label.clone(), found: Vec::new() };
            return Err(self.misfit(&small, error).await);
        }
        self.asker.learnt.add_roots(&self.measurement.id, &joined.roots);
        Ok(())
    }
}

/// A question for one row of what a chunk asks for: its newest period, every dimension at its total where it has one. The dimension
/// at `root` stays named.
fn one_row(measurement: &Measurement, chunk: &Chunk, root: Option<usize>) -> Chunk {
    let at_total = |(position, part): (usize, &ChunkDimension)| {
        let dimension = &measurement.dimensions[part.dimension];
        let members: Vec<usize> = match dimension.total() {
            Some(total) if root == Some(position) => vec![total],
            // A dimension that is not named is at its total; an area is always named.
            Some(_) if !dimension.is_area() => return None,
            Some(total) if root.is_none() || dimension.lists_total => vec![total],
            // Two totals of unknown labels could not be told apart: the area is one that has a label.
            Some(total) => vec![any_listed(dimension, part).unwrap_or(total)],
            None => part.members.iter().copied().take(1).collect(),
        };
        Some(ChunkDimension { members, with_others: false, ..part.clone() })
    };
    Chunk {
        periods: chunk.periods.iter().copied().take(1).collect(),
        dimensions: chunk.dimensions.iter().enumerate().filter_map(at_total).collect(),
        ..chunk.clone()
    }
}

/// The first member that is no total.
fn any_listed(dimension: &Dimension, part: &ChunkDimension) -> Option<usize> {
    let mut members = dimension.hierarchies[part.hierarchy].nodes.iter().map(|node| node.member);
    members.find(|&member| !dimension.members[member].is_total())
}
