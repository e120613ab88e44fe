//! Which column of an answer is which dimension and which measure.
//!
//! Answers carry no ids, and neither the order of their columns nor the spelling of their headings is certain. A column is found by
//! its heading; the position decides only among equal headings. A dimension that no heading names is found by its hierarchy's name,
//! else by the labels in the column. Nothing is guessed: whatever is left over is an error.

use std::collections::HashMap;

use crate::catalogue::dimension::Dimension;
use crate::catalogue::label::{cleaned, comparable};
use crate::catalogue::measure::Measure;
use crate::catalogue::measurement::Measurement;
use crate::fetch::join_error::JoinError;
use crate::fetch::labels::Labels;
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::upstream::data::DataTable;

/// Headings that the area column carries instead of its own label, in some tables.
const AREA_HEADINGS: [&str; 2] = ["Område", "Area"];

/// Where the parts of a chunk stand in its answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Columns {
    /// For each dimension of the chunk its column of labels.
    pub dimensions: Vec<usize>,
    /// For each measure of the chunk its column of figures, counted from the first such column.
    pub measures: Vec<usize>,
    /// Dimensions whose heading the metadata does not have, and that heading.
    pub unfamiliar: Vec<(usize, String)>,
}

/// Finds the column of every dimension and measure of a chunk.
///
/// # Errors
/// When a column cannot be identified, or the answer has too many or too few.
pub fn columns(measurement: &Measurement, chunk: &Chunk, table: &DataTable) -> Result<Columns, JoinError> {
    check_counts(chunk, table)?;
    let (labels, figures) = table.headings.split_at(1 + chunk.dimensions.len());
    let (dimensions, unfamiliar) = dimension_columns(measurement, chunk, table, labels)?;
    let measures = measure_columns(measurement, chunk, figures)?;
    Ok(Columns { dimensions, measures, unfamiliar })
}

fn check_counts(chunk: &Chunk, table: &DataTable) -> Result<(), JoinError> {
    let (expected, measures) = (1 + chunk.dimensions.len(), chunk.measures.len());
    let (found, figures) = (table.labels.len(), table.figures.len());
    if found == expected && figures == measures && table.headings.len() == expected + measures {
        return Ok(());
    }
    Err(JoinError::ColumnCount { found, figures, expected, measures })
}

type DimensionColumns = (Vec<usize>, Vec<(usize, String)>);

fn dimension_columns(
    measurement: &Measurement,
    chunk: &Chunk,
    table: &DataTable,
    headings: &[String],
) -> Result<DimensionColumns, JoinError> {
    let parts: Vec<(&Dimension, &ChunkDimension)> =
        chunk.dimensions.iter().map(|part| (&measurement.dimensions[part.dimension], part)).collect();
    // The first column is the period's.
    let mut matches = Matches::new(parts.len(), &headings[1..]);
    matches.by_name(cleaned, |part| Some(parts[part].0.label.clone()));
    matches.by_name(comparable, |part| Some(parts[part].0.label.clone()));
    for heading in AREA_HEADINGS {
        matches.by_name(comparable, |part| parts[part].0.is_area().then(|| heading.to_owned()));
    }
    let hierarchy = |part: usize| &parts[part].0.hierarchies[parts[part].1.hierarchy];
    matches.by_name(comparable, |part| Some(hierarchy(part).label.clone()));
    let by_labels = matches.open_parts();
    matches.by_labels(|part, column| {
        let (dimension, part) = parts[part];
        Labels::of(dimension, part, None).are_in(&table.labels[1 + column])
    });
    let found = matches.found().map_err(|part| JoinError::Heading {
        expected: parts[part].0.label.clone(),
        found: headings.to_vec(),
    })?;
    let heading_of = |part: usize| (chunk.dimensions[part].dimension, headings[1 + found[part]].clone());
    let unfamiliar = by_labels.into_iter().map(heading_of).collect();
    Ok((found.into_iter().map(|column| 1 + column).collect(), unfamiliar))
}

fn measure_columns(
    measurement: &Measurement,
    chunk: &Chunk,
    headings: &[String],
) -> Result<Vec<usize>, JoinError> {
    let measure = |part: usize| -> &Measure { &measurement.measures[chunk.measures[part]] };
    let mut matches = Matches::new(chunk.measures.len(), headings);
    matches.by_name(cleaned, |part| Some(measure(part).heading.clone()));
    matches.by_name(comparable, |part| Some(measure(part).heading.clone()));
    matches.by_name(comparable, |part| Some(measure(part).full_heading()));
    matches.by_name(comparable, |part| Some(measure(part).label.clone()));
    matches.by_name(comparable, |part| Some(measure(part).group_label.clone()));
    matches.found().map_err(|part| JoinError::Measure {
        expected: measure(part).heading.clone(),
        found: headings.to_vec(),
    })
}

/// Columns that parts of a request are matched with, one to each.
struct Matches<'a> {
    headings: &'a [String],
    column_of: Vec<Option<usize>>,
    is_taken: Vec<bool>,
}

impl<'a> Matches<'a> {
    fn new(parts: usize, headings: &'a [String]) -> Self {
        Self { headings, column_of: vec![None; parts], is_taken: vec![false; headings.len()] }
    }

    fn open_parts(&self) -> Vec<usize> {
        (0..self.column_of.len()).filter(|&part| self.column_of[part].is_none()).collect()
    }

    fn open_columns(&self) -> Vec<usize> {
        (0..self.headings.len()).filter(|&column| !self.is_taken[column]).collect()
    }

    fn take(&mut self, part: usize, column: usize) {
        self.column_of[part] = Some(column);
        self.is_taken[column] = true;
    }

    /// Matches parts and headings of one name, in their order if there are as many of both. If not, the name is not used.
    fn by_name(&mut self, spelling: fn(&str) -> String, name: impl Fn(usize) -> Option<String>) {
        let mut columns: HashMap<String, Vec<usize>> = HashMap::new();
        for column in self.open_columns() {
            columns.entry(spelling(&self.headings[column])).or_default().push(column);
        }
        let mut parts: HashMap<String, Vec<usize>> = HashMap::new();
        for part in self.open_parts() {
            if let Some(name) = name(part) {
                parts.entry(spelling(&name)).or_default().push(part);
            }
        }
        for (name, parts) in parts {
            match columns.get(&name) {
                Some(columns) if columns.len() == parts.len() => {
                    parts.into_iter().zip(columns).for_each(|(part, &column)| self.take(part, column));
                }
                _ => {}
            }
        }
    }

    /// Matches columns whose labels belong to exactly one part that is left, each part with one column; again with what is left then.
    fn by_labels(&mut self, belongs: impl Fn(usize, usize) -> bool) {
        loop {
            let parts = self.open_parts();
            let only = |column: usize| {
                let mut fitting = parts.iter().copied().filter(|&part| belongs(part, column));
                fitting.next().filter(|_| fitting.next().is_none())
            };
            let found: Vec<_> =
                self.open_columns().into_iter().filter_map(|column| Some((only(column)?, column))).collect();
            for &(part, column) in &found {
                if found.iter().filter(|(other, _)| *other == part).count() == 1 {
                    self.take(part, column);
                }
            }
            if self.open_parts().len() == parts.len() {
                return;
            }
        }
    }

    /// The column of every part, or the first part that has none.
    fn found(&self) -> Result<Vec<usize>, usize> {
        let of = |(part, column): (usize, &Option<usize>)| column.ok_or(part);
        self.column_of.iter().enumerate().map(of).collect()
    }
}
