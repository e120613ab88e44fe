//! All figures of the simulator as one long CSV file.

use std::io;

use chrono::NaiveDate;

use super::SimulatorError;
use super::figures::{Edition, View};
use super::render::push_number;
use super::state::Databank;

/// How much of each table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DumpExtent {
    /// Every area with all dimensions at their totals, and every member of every dimension for the whole country.
    #[default]
    Margins,
    /// Every area by every member of one dimension at a time, the others at their totals. Some hundred times longer.
    AreasByDimension,
    /// Every combination of everything. For large tables longer than any disk.
    Cube,
}

/// What to write.
#[derive(Clone, Debug, Default)]
pub struct DumpOptions {
    /// The only tables to write; empty: all.
    pub tables: Vec<String>,
    pub extent: DumpExtent,
    /// The day up to which tables were updated by the calendar; none: as they were last retrieved.
    pub today: Option<NaiveDate>,
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
/// `dimensions` names what is not at its total: `_kon=/1/|_akassedp=/4/`. A hidden figure is an empty field; a
/// combination that does not exist has no line.
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
            let months = options.today.map_or(0, |today| table.update.months_until(today));
            let view = databank.view(index, Edition { months, ..Edition::default() })?;
            dump_table(&mut lines, &view, options.extent)?;
        }
    }
    lines.flush()?;
    Ok(())
}

fn dump_table(
    lines: &mut csv::Writer<impl io::Write>,
    view: &View<'_>,
    extent: DumpExtent,
) -> Result<(), DumpError> {
    for area in &view.table.dimensions[0].hierarchies {
        for (index, place) in area.nodes.iter().enumerate() {
            let labels = [area.id.as_str(), place.id.as_str()];
            let mut write = |nodes: &[usize]| dump_cell(lines, view, labels, place.code, nodes);
            match extent {
                DumpExtent::Margins if index > 0 => write(&vec![0; view.table.dimensions.len() - 1])?,
                DumpExtent::Cube => for_each_combination(view, &mut write)?,
                DumpExtent::Margins | DumpExtent::AreasByDimension => for_each_member(view, &mut write)?,
            }
        }
    }
    Ok(())
}

/// The number of nodes of each named dimension.
fn sizes(view: &View<'_>) -> Vec<usize> {
    view.table.dimensions.iter().skip(1).map(|dimension| dimension.hierarchies[0].nodes.len()).collect()
}

/// Calls with the nodes of the named dimensions: all at their totals, then each member of each by itself.
fn for_each_member(
    view: &View<'_>,
    call: &mut impl FnMut(&[usize]) -> Result<(), DumpError>,
) -> Result<(), DumpError> {
    let sizes = sizes(view);
    let mut nodes = vec![0; sizes.len()];
    call(&nodes)?;
    for (dimension, size) in sizes.iter().enumerate() {
        for node in 1..*size {
            nodes[dimension] = node;
            call(&nodes)?;
        }
        nodes[dimension] = 0;
    }
    Ok(())
}

/// Calls with every combination, one after the other, without holding them all.
fn for_each_combination(
    view: &View<'_>,
    call: &mut impl FnMut(&[usize]) -> Result<(), DumpError>,
) -> Result<(), DumpError> {
    let sizes = sizes(view);
    let mut nodes = vec![0; sizes.len()];
    call(&nodes)?;
    while advance(&mut nodes, &sizes) {
        call(&nodes)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(table: &str, extent: DumpExtent) -> Vec<String> {
        let mut bytes = Vec::new();
        dump(&mut bytes, &DumpOptions { tables: vec![table.into()], extent, today: None }).unwrap();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn margins_hold_published_figures_by_area_and_by_dimension() {
        let lines = dumped("y25i03", DumpExtent::Margins);
        assert_eq!(lines[0], "table;period_type;period;area_hierarchy;area;dimensions;measure;value");
        assert!(lines.contains(&"y25i03;M;2026M07;_hele_landet;/;;measi03_2;3.1".to_owned()));
        assert!(lines.iter().any(|line| line.contains(";_ygrpi09=/2/;")));
        assert!(!lines.iter().any(|line| line.contains('|')));
        let lines = dumped("y28a15", DumpExtent::Margins);
        assert!(lines.iter().any(|line| line.contains(";_region;/1/;;")));
        assert!(!lines.iter().any(|line| line.contains(";_region;/1/;_")));
    }

    #[test]
    fn larger_extents_cross_dimensions_with_areas_and_with_each_other() {
        let lines = dumped("y28a15", DumpExtent::AreasByDimension);
        assert!(lines.iter().any(|line| line.contains(";_region;/1/;_kon=/1/;")));
        assert!(!lines.iter().any(|line| line.contains('|')));
        let lines = dumped("y25i03", DumpExtent::Cube);
        assert!(lines.iter().any(|line| line.contains("_ygrpi09=/2/|_kon=/1/")));
    }

    #[test]
    fn a_table_that_does_not_exist_cannot_be_dumped() {
        let options = DumpOptions { tables: vec!["y99".into()], ..DumpOptions::default() };
        assert_eq!(dump(io::sink(), &options).unwrap_err().to_string(), "unknown table y99");
    }
}
