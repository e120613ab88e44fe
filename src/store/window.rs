//! Puts the wanted rows and measures together from several stored blocks. A block may have some of the measures, periods or members
//! only, and others that are not wanted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Decimal128Array, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, Field, Schema};
use chrono::{DateTime, Utc};

use crate::catalogue::dimension::{TOTAL_ID, is_unknown};
use crate::catalogue::figures;
use crate::catalogue::id::PeriodId;
use crate::store::StoredFigures;
use crate::store::block::{CellBlock, PERIOD_COLUMN, SharedBlock};
use crate::store::key::CellKey;

/// What is wanted, in the order in which rows are to stand.
#[derive(Debug)]
pub struct Window<'a> {
    pub key: &'a CellKey,
    /// The period's axis, then those of the dimensions that are named.
    pub axes: Vec<WindowAxis<'a>>,
    pub measures: Vec<&'a str>,
}

/// One axis of a window.
#[derive(Debug)]
pub struct WindowAxis<'a> {
    /// The name of the column.
    pub name: &'a str,
    pub ids: Vec<&'a str>,
}

/// A row of the window that has not been met.
const NO_ROW: u32 = u32::MAX;

impl Window<'_> {
    /// The wanted rows and measures as one block. If several blocks have a figure, that of the first is taken.
    pub(super) fn put_together(&self, blocks: &[StoredFigures]) -> Result<SharedBlock, ArrowError> {
        let Some((_, first)) = blocks.first() else {
            return Err(ArrowError::InvalidArgumentError("no blocks".to_owned()));
        };
        let mut rows = WindowRows::of(self);
        for (key, block) in blocks {
            rows.add(key, block);
        }
        let used = || blocks.iter().map(|(_, block)| &**block);
        let fetched_at = used().map(|block| block.fetched_at).min().unwrap_or(first.fetched_at);
        Ok(Arc::new(CellBlock::new(rows.columns()?, first.revision, fetched_at, latest(used()))))
    }
}

/// For each period when a figure of one of the blocks was last seen to change.
pub(super) fn latest<'a>(blocks: impl Iterator<Item = &'a CellBlock>) -> BTreeMap<PeriodId, DateTime<Utc>> {
    let mut updated = BTreeMap::new();
    for (period, &at) in blocks.flat_map(|block| &*block.updated) {
        let latest = updated.entry(period.clone()).or_insert(at);
        *latest = at.max(*latest);
    }
    updated
}

/// The rows of a window as far as they are known.
struct WindowRows<'a> {
    window: &'a Window<'a>,
    /// By the place of a row in the window its number among the rows that were met.
    row_at: Vec<u32>,
    /// The code of each row on each axis: the place on it, or that of an unknown label behind all places.
    codes: Vec<Vec<u32>>,
    /// Labels without a member on each axis, and the rows under them.
    unknown: Vec<Vec<String>>,
    unknown_rows: HashMap<Vec<u32>, u32>,
    /// By measure the figure of each row; the outer `None` is not known yet.
    figures: Vec<Vec<Option<Option<i128>>>>,
}

/// Where the ids of one column of a block stand on an axis of the window, by the key of their dictionary.
enum Column<'a> {
    /// The block does not name the dimension: all its rows stand there.
    Constant(u32),
    Codes(&'a DictionaryArray<Int32Type>, Vec<Option<u32>>),
}

impl Column<'_> {
    fn code(&self, row: usize) -> Option<u32> {
        match self {
            Self::Constant(code) => Some(*code),
            Self::Codes(column, codes) => codes.get(column.key(row)?).copied().flatten(),
        }
    }
}

impl<'a> WindowRows<'a> {
    fn of(window: &'a Window<'a>) -> Self {
        let places = window.axes.iter().map(|axis| axis.ids.len()).product();
        Self {
            window,
            row_at: vec![NO_ROW; places],
            codes: vec![Vec::new(); window.axes.len()],
            unknown: vec![Vec::new(); window.axes.len()],
            unknown_rows: HashMap::new(),
            figures: vec![Vec::new(); window.measures.len()],
        }
    }

    /// Adds the figures of a block that are wanted and that no earlier block had.
    fn add(&mut self, key: &CellKey, block: &CellBlock) {
        let mut columns = Vec::with_capacity(self.window.axes.len());
        for axis in 0..self.window.axes.len() {
            let Some(column) = self.column(axis, key, block) else { return };
            columns.push(column);
        }
        let Some(others) = self.other_columns(block) else { return };
        let figures: Vec<Option<Decimal128Array>> =
            self.window.measures.iter().map(|measure| block.figures_of(measure)).collect();
        let mut place = Vec::with_capacity(columns.len());
        for row in 0..block.row_count() {
            place.clear();
            place.extend(columns.iter().map_while(|column| column.code(row)));
            if place.len() < columns.len() || others.iter().any(|other| other.code(row).is_none()) {
                continue;
            }
            let number = self.row(&place);
            for (known, figures) in self.figures.iter_mut().zip(&figures) {
                if let Some(figures) = figures {
                    known[number].get_or_insert(figures.is_valid(row).then(|| figures.value(row)));
                }
            }
        }
    }

    /// The number of the row at a place, which may be new.
    fn row(&mut self, place: &[u32]) -> usize {
        let axes = &self.window.axes;
        let is_known = place.iter().zip(axes).all(|(&code, axis)| (code as usize) < axis.ids.len());
        let next = u32::try_from(self.codes.first().map_or(0, Vec::len)).unwrap_or(NO_ROW);
        let number = match is_known {
            true => {
                let at =
                    place.iter().zip(axes).fold(0, |at, (&code, axis)| at * axis.ids.len() + code as usize);
                let number = &mut self.row_at[at];
                if *number == NO_ROW {
                    *number = next;
                }
                *number
            }
            false => *self.unknown_rows.entry(place.to_vec()).or_insert(next),
        };
        if number == next {
            self.codes.iter_mut().zip(place).for_each(|(codes, &code)| codes.push(code));
            self.figures.iter_mut().for_each(|figures| figures.push(None));
        }
        number as usize
    }

    /// Where a block's rows stand on an axis; `None` if none of them is wanted.
    fn column<'b>(&mut self, axis: usize, key: &CellKey, block: &'b CellBlock) -> Option<Column<'b>> {
        let WindowAxis { name, ids } = &self.window.axes[axis];
        let Some(column) = block.ids(name) else {
            let total = ids.iter().position(|id| *id == TOTAL_ID)?;
            return Some(Column::Constant(u32::try_from(total).ok()?));
        };
        let places: HashMap<&str, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        // Rows with unknown labels belong to no member. They go with the larger part of the requested members, so that of the parts
        // that a block is read in at most one has them.
        let is_larger_part = key.members.get(*name).is_none_or(|asked| {
            2 * asked.iter().filter(|id| places.contains_key(id.as_str())).count() > asked.len()
        });
        let unknown = &mut self.unknown[axis];
        let code = |id: Option<&str>| {
            let id = id?;
            let at = match places.get(id) {
                Some(&at) => at,
                None if is_unknown(id) && is_larger_part => {
                    let known = unknown.iter().position(|known| known == id);
                    places.len()
                        + known.unwrap_or_else(|| {
                            unknown.push(id.to_owned());
                            unknown.len() - 1
                        })
                }
                None => return None,
            };
            u32::try_from(at).ok()
        };
        let codes = column.values().as_string_opt::<i32>()?.iter().map(code).collect();
        Some(Column::Codes(column, codes))
    }

    /// Columns of the block that the window does not have: wanted are the rows at their totals.
    fn other_columns<'b>(&self, block: &'b CellBlock) -> Option<Vec<Column<'b>>> {
        let names = block.id_columns().into_iter();
        let others = names.filter(|name| !self.window.axes.iter().any(|axis| axis.name == *name));
        let column = |name: &str| {
            let column = block.ids(name)?;
            let at_total = |id: Option<&str>| (id == Some(TOTAL_ID)).then_some(0);
            Some(Column::Codes(
                column,
                column.values().as_string_opt::<i32>()?.iter().map(at_total).collect(),
            ))
        };
        others.map(column).collect()
    }

    /// The rows in the order of their places, those under unknown labels last.
    fn columns(self) -> Result<RecordBatch, ArrowError> {
        let mut last: Vec<(&Vec<u32>, u32)> =
            self.unknown_rows.iter().map(|(place, row)| (place, *row)).collect();
        last.sort_unstable();
        let known = self.row_at.iter().copied().filter(|row| *row != NO_ROW);
        let order: Vec<usize> =
            known.chain(last.into_iter().map(|(_, row)| row)).map(|row| row as usize).collect();
        let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
        for ((axis, codes), unknown) in self.window.axes.iter().zip(&self.codes).zip(&self.unknown) {
            let keys: Int32Array = order.iter().map(|&row| i32::try_from(codes[row]).ok()).collect();
            let ids = axis.ids.iter().copied().chain(unknown.iter().map(String::as_str));
            let values = Arc::new(StringArray::from_iter_values(ids));
            let column = DictionaryArray::<Int32Type>::try_new(keys, values)?;
            fields.push(Field::new(axis.name, column.data_type().clone(), false));
            arrays.push(Arc::new(column));
        }
        for (measure, figures) in self.window.measures.iter().zip(&self.figures) {
            let figures =
                figures::narrowed(&figures::column(order.iter().map(|&row| figures[row].flatten())));
            fields.push(Field::new(*measure, figures.data_type().clone(), true));
            arrays.push(figures);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
    }
}

impl CellBlock {
    /// The names of the columns of ids, the period's first.
    pub(super) fn id_columns(&self) -> Vec<&str> {
        let fields = self.cells.schema_ref().fields().iter().map(|field| field.name().as_str());
        let others = fields.filter(|name| *name != PERIOD_COLUMN && self.ids(name).is_some());
        [PERIOD_COLUMN].into_iter().chain(others).collect()
    }
}
