//! The rows of a data request: which there are, in which order, with which figures.
//!
//! Knows the cell limit; knows neither JSON nor CSV.

use super::chance;
use super::dialect::{Dialect, Variant};
use super::figures::{Cell, Moment, View};
use super::request::{Refusal, Selection};
use super::tables::RowOrder;

/// What a gateway shows whose upstream takes too long.
const GATEWAY_PAGE: &str = "<html><head><title>Gateway</title></head><body><h1>The server did not answer in time.</h1></body></html>";

/// How many cells one request may ask for, and what counts as a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellLimit {
    pub cells: u64,
    /// Whether labels count as well as measures.
    pub count_all_columns: bool,
}

impl CellLimit {
    /// The cells that a request asks for, where they are too many.
    fn passed_by(self, selection: &Selection) -> Option<u64> {
        Some(self.count(selection)).filter(|cells| *cells > self.cells)
    }

    /// How many cells a request asks for.
    fn count(self, selection: &Selection) -> u64 {
        let labels = 1 + selection.divisions.len() as u64;
        let columns = selection.measures.len() as u64 + if self.count_all_columns { labels } else { 0 };
        let members = selection.divisions.iter().map(|division| division.nodes.len() as u64);
        members.fold((selection.moments.len() as u64).saturating_mul(columns), u64::saturating_mul)
    }

    fn check(self, selection: &Selection, dialect: &Dialect) -> Result<(), Refusal> {
        let Some(cells) = self.passed_by(selection) else { return Ok(()) };
        let limit = self.cells;
        let cause = match dialect.has(Variant::LimitInDanish) {
            true => format!("Udtrækket er på {cells} celler; der kan højst hentes {limit}."),
            false => format!("Requested {cells} cells, but at most {limit} cells are allowed."),
        };
        let status = match (dialect.has(Variant::LimitIs400), dialect.has(Variant::LimitIs413)) {
            (true, _) => 400,
            (_, true) => 413,
            _ => 422,
        };
        Err(Refusal::new(status, cause))
    }
}

/// One row of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Position among the moments of the selection.
    pub moment: usize,
    /// For each division of the selection its node.
    pub nodes: Vec<usize>,
    pub figures: Vec<Option<i64>>,
}

/// All rows of a selection, in the order in which the table delivers them.
pub fn rows(
    view: &View<'_>,
    selection: &Selection,
    limit: CellLimit,
    dialect: &Dialect,
) -> Result<Vec<Row>, Refusal> {
    limit.check(selection, dialect)?;
    if let Some(status) = dialect.gateway()
        && limit.count(selection) > dialect.gateway_cells
    {
        return Err(Refusal::new(status, GATEWAY_PAGE));
    }
    let mut rows = Vec::new();
    for nodes in combinations(selection) {
        let cell = cell(view, selection, &nodes);
        for (index, moment) in selection.moments.iter().enumerate() {
            if view.exists(&cell, moment) {
                rows.push(Row {
                    moment: index,
                    nodes: nodes.clone(),
                    figures: figures(view, selection, &cell, moment),
                });
            }
        }
    }
    match view.table.order {
        RowOrder::ByPeriod => rows.sort_by_key(|row| row.moment),
        RowOrder::ByDimension => shuffle_blocks(view, selection, &mut rows),
    }
    Ok(rows)
}

fn figures(view: &View<'_>, selection: &Selection, cell: &Cell, moment: &Moment) -> Vec<Option<i64>> {
    selection.measures.iter().map(|measure| view.value(cell, *measure, moment)).collect()
}

/// Every combination of the nodes asked for, the last dimension changing fastest.
fn combinations(selection: &Selection) -> Vec<Vec<usize>> {
    selection.divisions.iter().fold(vec![vec![]], |combinations, division| {
        let longer = |nodes: &Vec<usize>| {
            let nodes = nodes.clone();
            division.nodes.iter().map(move |node| nodes.iter().copied().chain([*node]).collect())
        };
        combinations.iter().flat_map(longer).collect()
    })
}

fn cell(view: &View<'_>, selection: &Selection, nodes: &[usize]) -> Cell {
    let mut place = 0;
    let mut named = vec![0; view.table.dimensions.len() - 1];
    for (division, node) in selection.divisions.iter().zip(nodes) {
        let hierarchy = &view.table.dimensions[division.dimension].hierarchies[division.hierarchy];
        match division.dimension {
            0 => place = hierarchy.nodes[*node].code,
            dimension => named[dimension - 1] = *node,
        }
    }
    view.cell(place, &named)
}

/// Keeps the rows dimension by dimension, with the periods in blocks of a year whose order means nothing.
fn shuffle_blocks(view: &View<'_>, selection: &Selection, rows: &mut [Row]) {
    let seed = chance::seed(&view.table.id);
    rows.sort_by_key(|row| {
        let period = selection.moments[row.moment].period;
        (row.nodes.clone(), chance::mix(seed, u64::from(period.year)) % 7, row.moment)
    });
}
