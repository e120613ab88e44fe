//! Which cells a query needs, and the requests that bring them. Pure: it counts and splits, and sends nothing.

pub mod chunk;
pub mod pushdown;
pub mod selection;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::feed::column::{Column, Fact};
use crate::feed::{CellForm, CellSource};
use crate::plan::chunk::{Band, ChunkError};
use crate::plan::selection::Selection;
use crate::query::BoundExpr;
use crate::query::reach::Scope;

/// The requests that a query over cells needs, in the order of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamPlan {
    pub source: Arc<CellSource>,
    pub selection: Selection,
    pub bands: Vec<Band>,
    /// The most rows that the answer can have.
    pub row_bound: u64,
}

/// What of a set is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub source: &'a Arc<CellSource>,
    pub columns: &'a [Column],
    /// Indexes of the columns that the answer, its filter or its order use.
    pub needed: &'a BTreeSet<usize>,
    pub filter: Option<&'a BoundExpr>,
}

/// Plans the requests for what is wanted.
///
/// # Errors
/// When the cell limit is below a single row.
pub fn plan(wanted: &Wanted<'_>, cell_limit: u64) -> Result<UpstreamPlan, ChunkError> {
    let of = &wanted.source.measurement;
    let mut selection = Selection::of_set(wanted.source);
    if let Some(filter) = wanted.filter {
        let scope = Scope { measurement: of, columns: wanted.columns };
        pushdown::restrict(&mut selection, filter, &scope);
    }
    if wanted.source.form == CellForm::Wide {
        selection.restrict_measures(&needed_measures(wanted));
    }
    selection.rest_at_totals(of);
    let bands = chunk::bands(of, &selection, cell_limit)?;
    let per_row = if wanted.source.form == CellForm::Long { selection.measures.len() as u64 } else { 1 };
    let row_bound = if selection.is_empty() { 0 } else { selection.row_bound().saturating_mul(per_row) };
    Ok(UpstreamPlan { source: Arc::clone(wanted.source), selection, bands, row_bound })
}

/// The measures that the answer shows or depends on; one where there is none, for the upstream tells rows only together with
/// figures.
fn needed_measures(wanted: &Wanted<'_>) -> BTreeSet<usize> {
    let columns = wanted.needed.iter().filter_map(|&index| wanted.columns.get(index));
    let mut needed = BTreeSet::new();
    for column in columns {
        match column.fact {
            Fact::Measure(measure) => needed.extend([measure]),
            Fact::Status => needed.extend(0..wanted.source.measurement.measures.len()),
            _ => {}
        }
    }
    if needed.is_empty() { BTreeSet::from([0]) } else { needed }
}
