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
    selection.restrict_measures(&needed_measures(wanted, &selection));
    let bands = chunk::bands(of, &selection, cell_limit)?;
    let per_row = if wanted.source.form == CellForm::Long { selection.measures.len() as u64 } else { 1 };
    let row_bound = if selection.is_empty() { 0 } else { selection.row_bound().saturating_mul(per_row) };
    Ok(UpstreamPlan { source: Arc::clone(wanted.source), selection, bands, row_bound })
}

fn needed_measures(wanted: &Wanted<'_>, selection: &Selection) -> BTreeSet<usize> {
    let facts =
        || wanted.needed.iter().filter_map(|&index| wanted.columns.get(index)).map(|column| column.fact);
    if wanted.source.form == CellForm::Long || facts().any(|fact| fact == Fact::Status) {
        return selection.measures.iter().copied().collect();
    }
    facts().filter_map(|fact| if let Fact::Measure(measure) = fact { Some(measure) } else { None }).collect()
}
