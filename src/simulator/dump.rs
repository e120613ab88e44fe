//! All figures of the simulator as one long CSV file.

use std::io;

use super::SimulatorError;
use super::figures::{Edition, View};
use super::render::push_number;
use super::state::Databank;

/// What to write.
#[derive(Clone, Debug, Default)]
pub struct DumpOptions {
    /// The only tables to write; empty: all.
    pub tables: Vec<String>,
    /// Every combination of all dimensions, instead of one dimension at a time.
    pub full_cube: bool,
}

/// The figures cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    #[error("unknown table {0}")]
    UnknownTable(String),
    #[error("the figures cannot be written: {0}")]
    Write(#[from] csv::Error),
    #[error("the figures cannot be written: {0}")]
    Flush(#[from] io::Error),
}

/// Writes figures as `table;period_type;period;area_hierarchy;area;dimensions;measure;value`, one line per figure.
///
/// Each area hierarchy is crossed with each single dimension, the others at their total; with
/// [`DumpOptions::full_cube`], with every combination of all dimensions, which for large tables is very long.
/// `dimensions` names what is not at its total: `_kon=/1/|_akassedp=/4/`. A hidden figure is an empty field.
pub fn dump(writer: impl io::Write, options: &DumpOptions) -> Result<(), DumpError> {
    let databank = Databank::get()?;
    let unknown = options.tables.iter().find(|id| databank.metadata.table(id).is_none());
    if let Some(id) = unknown {
        return Err(DumpError::UnknownTable(id.clone()));
    }
    let mut lines = csv::WriterBuilder::new().delimiter(b';').from_writer(writer);
    lines.write_record([
        "table",
        "period_type",
        "period",
        "area_hierarchy",
        "area",
        "dimensions",
        "measure",
        "value",
    ])?;
    for (index, table) in databank.metadata.tables.iter().enumerate() {
        if options.tables.is_empty() || options.tables.contains(&table.id) {
            let view = databank.view(index, Edition::default())?;
            dump_table(&mut lines, &view, options.full_cube)?;
        }
    }
    lines.flush()?;
    Ok(())
}

fn dump_table(
    lines: &mut csv::Writer<impl io::Write>,
    view: &View<'_>,
    full_cube: bool,
) -> Result<(), DumpError> {
    for area in &view.table.dimensions[0].hierarchies {
        for place in &area.nodes {
            for_each_combination(view, full_cube, &mut |nodes| {
                let labels = [area.id.as_str(), place.id.as_str()];
                dump_cell(lines, view, labels, place.code, nodes)
            })?;
        }
    }
    Ok(())
}

/// Calls with the nodes of the named dimensions, one combination after the other, without holding them all.
fn for_each_combination(
    view: &View<'_>,
    full_cube: bool,
    call: &mut impl FnMut(&[usize]) -> Result<(), DumpError>,
) -> Result<(), DumpError> {
    let sizes: Vec<_> =
        view.table.dimensions.iter().skip(1).map(|dimension| dimension.hierarchies[0].nodes.len()).collect();
    let mut nodes = vec![0; sizes.len()];
    call(&nodes)?;
    if full_cube {
        while advance(&mut nodes, &sizes) {
            call(&nodes)?;
        }
        return Ok(());
    }
    for (dimension, size) in sizes.iter().enumerate() {
        for node in 1..*size {
            nodes[dimension] = node;
            call(&nodes)?;
        }
        nodes[dimension] = 0;
    }
    Ok(())
}

/// The next combination, the last dimension changing fastest; false when all have been.
fn advance(nodes: &mut [usize], sizes: &[usize]) -> bool {
    for (node, size) in nodes.iter_mut().zip(sizes).rev() {
        *node += 1;
        if *node < *size {
            return true;
        }
        *node = 0;
    }
    false
}

fn dump_cell(
    lines: &mut csv::Writer<impl io::Write>,
    view: &View<'_>,
    [hierarchy, area]: [&str; 2],
    place: usize,
    nodes: &[usize],
) -> Result<(), DumpError> {
    let cell = view.cell(place, nodes);
    let named = view.table.dimensions.iter().skip(1).zip(nodes).filter(|(_, node)| **node != 0);
    let named: Vec<_> = named
        .map(|(dimension, node)| format!("{}={}", dimension.id, dimension.hierarchies[0].nodes[*node].id))
        .collect();
    let dimensions = named.join("|");
    for range in &view.table.periods {
        for moment in view.moments(range.kind()) {
            if !view.exists(&cell, &moment) {
                continue;
            }
            let period = moment.period.to_string();
            for (index, measure) in view.table.measures.iter().enumerate() {
                let mut value = String::new();
                if let Some(figure) = view.value(&cell, index, &moment) {
                    push_number(&mut value, figure, measure.decimals, '.');
                }
                let table = view.table.id.as_str();
                lines.write_record([
                    table,
                    range.kind().id(),
                    &period,
                    hierarchy,
                    area,
                    &dimensions,
                    &measure.id,
                    &value,
                ])?;
            }
        }
    }
    Ok(())
}
