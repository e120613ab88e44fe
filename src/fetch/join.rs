//! Labels become ids: the answer to a chunk is joined to the members that were asked for.
//!
//! Answers carry no ids. [`headings`](super::headings) says which column is what, [`labels`](super::labels) what its labels stand
//! for. Rows whose label stands for a parent and its only child are given to both; a label that the table's metadata does not know
//! is kept under an id of its own. Anything else that does not fit is an error, and nothing of the answer is used.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::take::take;
use foldhash::HashMapExt;

use crate::catalogue::dimension::{Dimension, is_unknown};
use crate::catalogue::figures;
use crate::catalogue::id::HierarchyId;
use crate::catalogue::measurement::Measurement;
use crate::fetch::headings;
pub use crate::fetch::join_error::JoinError;
use crate::fetch::labels::{Labels, Meaning};
use crate::plan::chunk::Chunk;
use crate::store::block::PERIOD_COLUMN;
use crate::upstream::data::{DataTable, LabelColumn};

/// An answer joined to ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    pub cells: RecordBatch,
    /// Labels that the metadata does not know: the table has to be read again.
    pub unknown: Vec<UnknownLabel>,
    /// Positions among the chunk's dimensions where the total's label has to be asked for before the rows can be believed.
    pub needs_root: Vec<usize>,
    /// Dimensions that were found by the labels in their column, and its heading.
    pub unfamiliar: Vec<(usize, String)>,
    /// Labels of totals that were asked for alone, by hierarchy.
    pub roots: Vec<(HierarchyId, String)>,
}

/// The labels that totals are known to bear in answers, by hierarchy.
pub type RootLabels = HashMap<HierarchyId, String>;

/// A label that no member has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLabel {
    pub column: String,
    pub label: String,
}

/// Joins an answer to the ids of its chunk. `periods` are those that were asked for: the chunk's own, and others that had to come
/// along. `roots` are the labels that totals are known to bear.
///
/// # Errors
/// When the answer does not fit the chunk.
pub fn join(
    measurement: &Measurement,
    chunk: &Chunk,
    periods: &[usize],
    table: &DataTable,
    roots: &RootLabels,
) -> Result<Joined, JoinError> {
    let columns = headings::columns(measurement, chunk, table)?;
    let (mut unknown, mut needs_root, mut new_roots) = (Vec::new(), Vec::new(), Vec::new());
    let mut codes = vec![PlaceCodes::of_periods(measurement, chunk, periods, &table.labels[0])?];
    for (position, part) in chunk.dimensions.iter().enumerate() {
        let dimension = &measurement.dimensions[part.dimension];
        let hierarchy = &dimension.hierarchies[part.hierarchy].id;
        let column = &table.labels[columns.dimensions[position]];
        let labels = Labels::of(dimension, part, roots.get(hierarchy).map(String::as_str));
        let meanings = labels.meanings(column);
        if labels.needs_root(&meanings) {
            needs_root.push(position);
        }
        if dimension.total().is_some_and(|total| part.members == [total]) {
            new_roots.extend(root_label(dimension, column)?.map(|label| (hierarchy.clone(), label)));
        }
        let codes_of = PlaceCodes::of_members(dimension, part.hierarchy, &meanings, column);
        unknown.extend(codes_of.unknown(dimension));
        codes.push(codes_of);
    }
    let rows = rows(&codes, table)?;
    let cells = batch(measurement, chunk, table, &columns.measures, &codes, rows)?;
    Ok(Joined { cells, unknown, needs_root, unfamiliar: columns.unfamiliar, roots: new_roots })
}

/// The label of a total that was asked for alone and that no hierarchy lists.
fn root_label(dimension: &Dimension, column: &LabelColumn) -> Result<Option<String>, JoinError> {
    match column.values.as_slice() {
        _ if dimension.lists_total => Ok(None),
        [] => Ok(None),
        [only] => Ok(Some(only.to_string())),
        several => Err(JoinError::Total {
            dimension: dimension.label.clone(),
            found: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// For one label column: the ids that occur, and which of them each different label stands for.
struct PlaceCodes<'a> {
    ids: Vec<String>,
    /// Per label value: indexes into `ids`; two for twins, none for a label that is not kept.
    of_value: Vec<Vec<i32>>,
    column: &'a LabelColumn,
}

impl<'a> PlaceCodes<'a> {
    /// Periods that had to come along are dropped.
    fn of_periods(
        measurement: &Measurement,
        chunk: &Chunk,
        asked: &[usize],
        column: &'a LabelColumn,
    ) -> Result<Self, JoinError> {
        let mut codes = Self { ids: Vec::new(), of_value: Vec::new(), column };
        for value in &column.values {
            let is_it = |&index: &usize| measurement.periods[index].id.as_str() == value.trim();
            let period = asked.iter().copied().find(is_it);
            let period = period.ok_or_else(|| JoinError::Period(value.to_string()))?;
            let wanted = chunk.periods.contains(&period);
            codes.add(wanted.then(|| measurement.periods[period].id.to_string()).into_iter().collect());
        }
        Ok(codes)
    }

    fn of_members(
        dimension: &Dimension,
        hierarchy: usize,
        meanings: &[Meaning],
        column: &'a LabelColumn,
    ) -> Self {
        let mut codes = Self { ids: Vec::new(), of_value: Vec::new(), column };
        for (meaning, label) in meanings.iter().zip(&column.values) {
            codes.add(match meaning {
                Meaning::Requested(members) => {
                    members.iter().map(|&member| dimension.members[member].id.to_string()).collect()
                }
                Meaning::Unrequested => Vec::new(),
                Meaning::Unknown => vec![dimension.unknown_id(hierarchy, label)],
            });
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

/// The rows to keep, each combination of ids once.
#[derive(Default)]
struct JoinedRows {
    /// The row of the answer that each was made from.
    rows: Vec<u32>,
    /// Per column the code of each row.
    codes: Vec<Vec<i32>>,
}

fn rows(codes: &[PlaceCodes<'_>], table: &DataTable) -> Result<JoinedRows, JoinError> {
    let most = table.row_count();
    let column = || Vec::with_capacity(most);
    let mut kept =
        JoinedRows { rows: Vec::with_capacity(most), codes: codes.iter().map(|_| column()).collect() };
    let combinations = codes.iter().fold(1_u128, |all, column| all.saturating_mul(column.ids.len() as u128));
    let mut met = Met::of(combinations, most);
    let mut place = Vec::with_capacity(codes.len());
    for (at, row) in (0..most).zip(0_u32..) {
        each_place(codes, at, &mut place, 0, &mut |place, number| {
            let earlier = met.row_of(number, row);
            if earlier == row {
                kept.rows.push(row);
                kept.codes.iter_mut().zip(place).for_each(|(column, &code)| column.push(code));
            } else if !table.figures.iter().all(|column| figures::are_same(column, earlier as usize, at)) {
                return Err(JoinError::Contradiction(describe(codes, place)));
            }
            Ok(())
        })?;
    }
    Ok(kept)
}

/// The row in which each combination of ids was met first.
enum Met {
    /// By the number of the combination, where most of them are met.
    All(Vec<u32>),
    Some(foldhash::HashMap<u128, u32>),
}

/// A combination that was not met.
const NOT_MET: u32 = u32::MAX;
/// An answer may have one row for so many combinations and still have them numbered.
const SPARSE: u128 = 4;

impl Met {
    /// Of so many combinations, in so many rows.
    fn of(combinations: u128, rows: usize) -> Self {
        let are_most_met = combinations <= rows as u128 * SPARSE;
        match usize::try_from(combinations).ok().filter(|_| are_most_met) {
            Some(combinations) => Self::All(vec![NOT_MET; combinations]),
            None => Self::Some(foldhash::HashMap::with_capacity(rows)),
        }
    }

    /// The first row of a combination, which is this one if it was not met before.
    fn row_of(&mut self, number: u128, row: u32) -> u32 {
        match self {
            Self::All(rows) => match usize::try_from(number).ok().and_then(|number| rows.get_mut(number)) {
                Some(first) => {
                    *first = (*first).min(row);
                    *first
                }
                None => row,
            },
            Self::Some(rows) => *rows.entry(number).or_insert(row),
        }
    }
}

/// Every combination of ids that a row stands for, also as one number; `number` is that of the ids in `place`. It has room: a request asks
/// for no more combinations than the cell limit, and labels that were not asked for are few.
fn each_place(
    codes: &[PlaceCodes<'_>],
    row: usize,
    place: &mut Vec<i32>,
    number: u128,
    visit: &mut impl FnMut(&[i32], u128) -> Result<(), JoinError>,
) -> Result<(), JoinError> {
    let Some(column) = codes.get(place.len()) else { return visit(place, number) };
    for &code in column.codes(row) {
        place.push(code);
        let number = number * column.ids.len() as u128 + u128::from(code.unsigned_abs());
        each_place(codes, row, place, number, visit)?;
        place.pop();
    }
    Ok(())
}

fn describe(codes: &[PlaceCodes<'_>], place: &[i32]) -> String {
    let id = |(column, code): (&PlaceCodes<'_>, &i32)| column.ids.get(usize::try_from(*code).ok()?).cloned();
    codes.iter().zip(place).filter_map(id).collect::<Vec<_>>().join(", ")
}

/// The kept rows as columns; `figure_columns` says where each measure's figures stand.
fn batch(
    measurement: &Measurement,
    chunk: &Chunk,
    table: &DataTable,
    figure_columns: &[usize],
    codes: &[PlaceCodes<'_>],
    kept: JoinedRows,
) -> Result<RecordBatch, JoinError> {
    let broken = |error: ArrowError| JoinError::Columns(error.to_string());
    let names = [PERIOD_COLUMN].into_iter();
    let names =
        names.chain(chunk.dimensions.iter().map(|part| measurement.dimensions[part.dimension].id.as_str()));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
    for ((name, codes), keys) in names.zip(codes).zip(kept.codes) {
        let keys = Int32Array::from(keys);
        let values = Arc::new(StringArray::from_iter_values(&codes.ids));
        arrays.push(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).map_err(broken)?));
        fields.push(Field::new(name, dictionary.clone(), false));
    }
    let are_all =
        kept.rows.len() == table.row_count() && kept.rows.iter().copied().eq(0..kept.rows.len() as u32);
    let rows = UInt32Array::from(kept.rows);
    for (&column, &measure) in figure_columns.iter().zip(&chunk.measures) {
        let sent = &table.figures[column];
        let figures = if are_all { Arc::clone(sent) } else { take(sent, &rows, None).map_err(broken)? };
        let name = measurement.measures[measure].id.as_str();
        fields.push(Field::new(name, figures.data_type().clone(), true));
        arrays.push(figures);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(broken)
}
