//! Labels become ids: the answer to a chunk is joined to the members that were asked for.
//!
//! Answers carry no ids. Columns are found by their heading, with the position as the second witness; rows whose label stands
//! for a parent and its only child are given to both; a label that the table's metadata does not know is kept under an id of its
//! own. Anything else that does not fit is an error, and nothing of the answer is used.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use thiserror::Error;

use crate::catalogue::dimension::{Dimension, is_unknown};
use crate::catalogue::measurement::Measurement;
use crate::feed::arrays;
use crate::plan::chunk::{Chunk, ChunkDimension};
use crate::store::block::PERIOD_COLUMN;
use crate::upstream::data::{DataTable, LabelColumn};

/// Headings that the area column carries instead of its own label, in some tables.
const AREA_HEADINGS: [&str; 2] = ["Område", "Area"];
/// An answer joined to ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    pub cells: RecordBatch,
    /// Labels that the metadata does not know: the table has to be read again.
    pub unknown: Vec<UnknownLabel>,
}

/// A label that no member has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLabel {
    pub column: String,
    pub label: String,
}

/// Why an answer is not the answer to its chunk.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoinError {
    #[error(
        "the answer has {found} label columns and {figures} figure columns, expected {expected} and {measures}"
    )]
    ColumnCount { found: usize, figures: usize, expected: usize, measures: usize },
    #[error("no column of the answer is headed '{expected}'; its headings are {found:?}")]
    Heading { expected: String, found: Vec<String> },
    #[error("column {position} of the answer is headed '{found}', expected the measure '{expected}'")]
    Measure { position: usize, found: String, expected: String },
    #[error("the answer holds period '{0}', which was not asked for")]
    Period(String),
    #[error("the answer holds two different rows for {0}")]
    Contradiction(String),
    #[error("the answer could not be held as columns: {0}")]
    Columns(String),
}

/// Joins an answer to the ids of its chunk.
///
/// # Errors
/// When the answer does not fit the chunk.
pub fn join(measurement: &Measurement, chunk: &Chunk, table: &DataTable) -> Result<Joined, JoinError> {
    check_counts(chunk, table)?;
    check_measures(measurement, chunk, table)?;
    let mut unknown = Vec::new();
    let mut codes = vec![PlaceCodes::of_periods(measurement, chunk, &table.labels[0])?];
    for (position, part) in chunk.dimensions.iter().enumerate() {
        let column = label_column(measurement, chunk, table, position)?;
        let dimension = &measurement.dimensions[part.dimension];
        let codes_of = PlaceCodes::of_members(dimension, part, &table.labels[column]);
        unknown.extend(codes_of.unknown(dimension));
        codes.push(codes_of);
    }
    let rows = rows(&codes, table)?;
    let cells = columns(measurement, chunk, table, &codes, &rows)?;
    Ok(Joined { cells, unknown })
}

fn check_counts(chunk: &Chunk, table: &DataTable) -> Result<(), JoinError> {
    let (expected, measures) = (1 + chunk.dimensions.len(), chunk.measures.len());
    let (found, figures) = (table.labels.len(), table.figures.len());
    if found == expected && figures == measures && table.headings.len() == expected + measures {
        return Ok(());
    }
    Err(JoinError::ColumnCount { found, figures, expected, measures })
}

/// Measures stand where they were asked for. A heading may be the group's and measure's label or either alone; equal headings are
/// told apart by their place.
fn check_measures(measurement: &Measurement, chunk: &Chunk, table: &DataTable) -> Result<(), JoinError> {
    for (offset, &measure) in chunk.measures.iter().enumerate() {
        let position = 1 + chunk.dimensions.len() + offset;
        let (found, measure) = (&table.headings[position], &measurement.measures[measure]);
        if ![&measure.heading, &measure.label, &measure.group_label].contains(&found) {
            let expected = measure.heading.clone();
            return Err(JoinError::Measure { position, found: found.clone(), expected });
        }
    }
    Ok(())
}

/// The label column of the chunk's dimension at `position`: at its place if the heading agrees, else wherever the heading is.
fn label_column(
    measurement: &Measurement,
    chunk: &Chunk,
    table: &DataTable,
    position: usize,
) -> Result<usize, JoinError> {
    let dimension = &measurement.dimensions[chunk.dimensions[position].dimension];
    let fits =
        |heading: &str| heading == dimension.label || dimension.is_area() && AREA_HEADINGS.contains(&heading);
    let expected = position + 1;
    if fits(&table.headings[expected]) {
        return Ok(expected);
    }
    let labels = &table.headings[..=chunk.dimensions.len()];
    let found = labels.iter().position(|heading| fits(heading));
    found.ok_or_else(|| JoinError::Heading { expected: dimension.label.clone(), found: labels.to_vec() })
}

/// For one label column: the ids that occur, and which of them each different label stands for.
struct PlaceCodes<'a> {
    ids: Vec<String>,
    /// Per label value: indexes into `ids`; two for twins, none for a label that is not kept.
    of_value: Vec<Vec<i32>>,
    column: &'a LabelColumn,
}

impl<'a> PlaceCodes<'a> {
    fn of_periods(
        measurement: &Measurement,
        chunk: &Chunk,
        column: &'a LabelColumn,
    ) -> Result<Self, JoinError> {
        let asked =
            |id: &str| chunk.periods.iter().any(|&index| measurement.periods[index].id.as_str() == id);
        let mut codes = Self { ids: Vec::new(), of_value: Vec::new(), column };
        for value in &column.values {
            if !asked(value) {
                return Err(JoinError::Period(value.to_string()));
            }
            codes.add(vec![value.to_string()]);
        }
        Ok(codes)
    }

    fn of_members(dimension: &Dimension, part: &ChunkDimension, column: &'a LabelColumn) -> Self {
        let mut by_label: HashMap<&str, Vec<usize>> = HashMap::new();
        for &member in &part.members {
            by_label.entry(dimension.members[member].label.as_str()).or_default().push(member);
        }
        let mut codes = Self { ids: Vec::new(), of_value: Vec::new(), column };
        for value in &column.values {
            let members = by_label
                .get(value.as_ref())
                .cloned()
                .unwrap_or_else(|| unlisted(dimension, part, column, value));
            let ids = match members.as_slice() {
                [] if known_elsewhere(dimension, part, value) => Vec::new(),
                [] => vec![dimension.unknown_id(part.hierarchy, value)],
                members => members.iter().map(|&member| dimension.members[member].id.to_string()).collect(),
            };
            codes.add(ids);
        }
        codes
    }

    fn add(&mut self, ids: Vec<String>) {
        let first = i32::try_from(self.ids.len()).unwrap_or(i32::MAX);
        self.of_value.push((first..).take(ids.len()).collect());
        self.ids.extend(ids);
    }

    fn unknown(&self, dimension: &Dimension) -> Vec<UnknownLabel> {
        let ids = self.ids.iter().filter(|id| is_unknown(id));
        let label = |id: &String| UnknownLabel {
            column: dimension.label.clone(),
            label: dimension.unknown_label(id).to_owned(),
        };
        ids.map(label).collect()
    }

    fn codes(&self, row: usize) -> &[i32] {
        &self.of_value[self.column.keys[row] as usize]
    }
}

/// A label without a member: that of a total whose label no level lists. Asked for alone it is the only label of its column;
/// asked for with others it is the only one that is not known.
fn unlisted(dimension: &Dimension, part: &ChunkDimension, column: &LabelColumn, value: &str) -> Vec<usize> {
    let root = dimension.hierarchies[part.hierarchy]
        .nodes
        .iter()
        .find(|node| dimension.members[node.member].is_total());
    let Some(root) = root.filter(|root| root.level.is_none() && part.members.contains(&root.member)) else {
        return Vec::new();
    };
    let known =
        |label: &str| dimension.members.iter().any(|member| !member.is_total() && member.label == label);
    let unknown_count = column.values.iter().filter(|label| !known(label)).count();
    if unknown_count == 1 && !known(value) { vec![root.member] } else { Vec::new() }
}

/// A label of a member that was not asked for comes along with `*`; it is dropped.
fn known_elsewhere(dimension: &Dimension, part: &ChunkDimension, label: &str) -> bool {
    let nodes = &dimension.hierarchies[part.hierarchy].nodes;
    nodes.iter().any(|node| dimension.members[node.member].label == label)
}

/// The rows to keep, each combination of ids once.
#[derive(Default)]
struct JoinedRows {
    /// The row of the answer that each was made from.
    rows: Vec<usize>,
    /// Per column the code of each row.
    codes: Vec<Vec<i32>>,
}

fn rows(codes: &[PlaceCodes<'_>], table: &DataTable) -> Result<JoinedRows, JoinError> {
    let mut kept = JoinedRows { rows: Vec::new(), codes: vec![Vec::new(); codes.len()] };
    let mut seen: HashMap<u128, usize> = HashMap::with_capacity(table.row_count());
    let mut place = Vec::with_capacity(codes.len());
    for row in 0..table.row_count() {
        each_place(codes, row, &mut place, &mut |place| {
            let earlier = *seen.entry(packed(codes, place)).or_insert(row);
            if earlier == row {
                kept.rows.push(row);
                kept.codes.iter_mut().zip(place).for_each(|(column, &code)| column.push(code));
            } else if !table.figures.iter().all(|column| column[earlier] == column[row]) {
                return Err(JoinError::Contradiction(describe(codes, place)));
            }
            Ok(())
        })?;
    }
    Ok(kept)
}

/// Every combination of ids that a row stands for.
fn each_place(
    codes: &[PlaceCodes<'_>],
    row: usize,
    place: &mut Vec<i32>,
    visit: &mut impl FnMut(&[i32]) -> Result<(), JoinError>,
) -> Result<(), JoinError> {
    let Some(column) = codes.get(place.len()) else { return visit(place) };
    for &code in column.codes(row) {
        place.push(code);
        each_place(codes, row, place, visit)?;
        place.pop();
    }
    Ok(())
}

/// A combination as one number. It has room: a request asks for no more combinations than the cell limit, and labels that were
/// not asked for are few.
fn packed(codes: &[PlaceCodes<'_>], place: &[i32]) -> u128 {
    let columns = codes.iter().zip(place);
    columns.fold(0, |packed, (column, &code)| {
        packed * column.ids.len() as u128 + u128::from(code.unsigned_abs())
    })
}

fn describe(codes: &[PlaceCodes<'_>], place: &[i32]) -> String {
    let id = |(column, code): (&PlaceCodes<'_>, &i32)| column.ids.get(usize::try_from(*code).ok()?).cloned();
    codes.iter().zip(place).filter_map(id).collect::<Vec<_>>().join(", ")
}

fn columns(
    measurement: &Measurement,
    chunk: &Chunk,
    table: &DataTable,
    codes: &[PlaceCodes<'_>],
    kept: &JoinedRows,
) -> Result<RecordBatch, JoinError> {
    let broken = |error: arrow_schema::ArrowError| JoinError::Columns(error.to_string());
    let names = [PERIOD_COLUMN].into_iter();
    let names =
        names.chain(chunk.dimensions.iter().map(|part| measurement.dimensions[part.dimension].id.as_str()));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
    for (position, name) in names.enumerate() {
        let keys = Int32Array::from(kept.codes[position].clone());
        let values = Arc::new(StringArray::from_iter_values(&codes[position].ids));
        arrays.push(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).map_err(broken)?));
        fields.push(Field::new(name, dictionary.clone(), false));
    }
    for (figures, &measure) in table.figures.iter().zip(&chunk.measures) {
        let figures = arrays::figures(kept.rows.iter().map(|&row| figures[row]));
        let name = measurement.measures[measure].id.as_str();
        fields.push(Field::new(name, figures.data_type().clone(), true));
        arrays.push(Arc::new(figures));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(broken)
}
