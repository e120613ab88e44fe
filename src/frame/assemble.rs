//! Makes the rows of a set from blocks of cells, in the order of the set.
//!
//! Blocks contain ids; rows show labels, levels, codes and dates. These depend on one axis only, so their values are made once per
//! member or period for all blocks of an answer and are shared by the rows as dictionaries.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, Decimal128Array, DictionaryArray, Int32Array, StringArray, TimestampMillisecondArray,
    UInt32Array,
};
use arrow_select::concat::concat;
use arrow_select::take::take;
use chrono::{DateTime, Utc};

use crate::budget::work;
use crate::catalogue::id::PeriodId;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::value::RowStatus;
use crate::feed::arrays;
use crate::feed::column::{Column, Fact, MemberFact};
use crate::feed::facts::{self, Axis};
use crate::feed::{CellForm, CellSource};
use crate::frame::Frame;
use crate::frame::batch::{allocated, batch};
use crate::frame::error::FrameError;
use crate::frame::unknown_labels::{AxisPositions, unknown_label_numbers};
use crate::odata::value::Value;

/// Access to the cells of a block: ids by axis, figures by measure.
pub trait Block {
    /// How many rows there are.
    fn row_count(&self) -> usize;
    /// Ids of the period, or of the members of a dimension, row by row.
    fn ids(&self, column: Axis, measurement: &Measurement) -> Option<&DictionaryArray<Int32Type>>;
    /// Figures of a measure, row by row.
    fn figures(&self, measure: usize, measurement: &Measurement) -> Option<Decimal128Array>;
    /// When a change of a figure of the period was last seen.
    fn updated(&self, period: &PeriodId) -> Option<DateTime<Utc>>;
}

/// Makes rows from blocks; created once per answer.
#[derive(Debug)]
pub struct Assembly<'a> {
    source: &'a CellSource,
    columns: &'a [Column],
    needed: &'a BTreeSet<usize>,
    measures: &'a [usize],
    /// The axes of the sort key, each with the position of every id: the period, then the dimensions that are columns.
    axes: Vec<(Axis, HashMap<&'a str, u32>)>,
    /// For each needed column that depends on one axis its values at all positions.
    shown: HashMap<usize, ArrayRef>,
}

impl<'a> Assembly<'a> {
    /// Rows of these columns, with the dimensions and measures that the answer has.
    #[must_use]
    pub fn new(
        source: &'a CellSource,
        columns: &'a [Column],
        needed: &'a BTreeSet<usize>,
        named: &[usize],
        measures: &'a [usize],
    ) -> Self {
        let measurement: &Measurement = &source.measurement;
        let axes = [Axis::Period].into_iter().chain(named.iter().copied().map(Axis::Dimension));
        let axes = axes.map(|axis| (axis, known_positions(measurement, axis))).collect();
        let shown = |&index: &usize| {
            let column = columns.get(index)?;
            let axis = facts::axis(column.fact)?;
            let values = (0..facts::axis_len(measurement, axis))
                .map(|at| facts::value_at(measurement, column.fact, at));
            Some((index, arrays::array(column.primitive, values)))
        };
        let shown = needed.iter().filter_map(shown).collect();
        Self { source, columns, needed, measures, axes, shown }
    }

    /// The rows of a block. `last` is the last requested position on each axis; on a dimension that the block does not have, rows are at
    /// its total.
    ///
    /// # Errors
    /// When the block lacks a needed column.
    pub fn rows(&self, block: &dyn Block, last: &[u32]) -> Result<Frame, FrameError> {
        let held = work::hold(self.estimated_bytes(block))?;
        let mut rows = Rows::read(self, block, last)?;
        if self.source.form == CellForm::Long {
            rows.spread();
        }
        let mut columns = Vec::new();
        for &index in self.needed {
            columns.push((self.columns[index].name.clone(), rows.column(index, block)?));
        }
        let (count, axes) = (rows.row_count(), rows.sort_keys.len());
        let key = |positions: Vec<u32>| (String::new(), Arc::new(UInt32Array::from(positions)) as ArrayRef);
        columns.extend(rows.sort_keys.into_iter().map(key));
        let at = |column: usize| self.needed.contains(&column).then(|| self.needed.range(..column).count());
        let sort_key = self.needed.len()..self.needed.len() + axes;
        let columns_of_set = (0..self.columns.len()).map(at).collect();
        let batch = batch(columns, count)?;
        held.resize(allocated(&batch));
        Frame { batch, columns: columns_of_set, sort_key, held: vec![held] }.in_place()
    }

    /// How much memory the rows of a block will take while they are assembled: a figure has sixteen bytes, all else less.
    fn estimated_bytes(&self, block: &dyn Block) -> u64 {
        let rows = match self.source.form {
            CellForm::Long => block.row_count() * self.measures.len(),
            CellForm::Wide => block.row_count(),
        };
        (rows * (self.needed.len() + self.axes.len()) * size_of::<i128>()) as u64
    }

    fn of(&self) -> &'a Measurement {
        &self.source.measurement
    }

    fn axis_positions(
        &self,
        block: &dyn Block,
        axis: Axis,
        known: &HashMap<&str, u32>,
        last: u32,
    ) -> Result<AxisPositions, FrameError> {
        match (block.ids(axis, self.of()), total_position(self.of(), axis)) {
            (Some(ids), _) => Ok(AxisPositions::of(ids, known, last)),
            (None, Some(total)) => Ok(AxisPositions::at(total, block.row_count())),
            (None, None) => Err(self.missing(&format!("{axis:?}"))),
        }
    }

    fn missing(&self, column: &str) -> FrameError {
        FrameError::MissingCells { table: self.of().id.to_string(), column: column.to_owned() }
    }
}

/// The rows of one block, while they are assembled.
struct Rows<'a> {
    assembly: &'a Assembly<'a>,
    /// The axis of each part of the sort key; `None` for the number of unknown labels.
    axes: Vec<Option<Axis>>,
    /// Each part of the sort key for all rows.
    sort_keys: Vec<Vec<u32>>,
    /// The positions on axes with unknown labels.
    with_unknown: HashMap<Axis, AxisPositions>,
    /// In the order of the measures.
    figures: Vec<Decimal128Array>,
    /// In the long form, one figure per row.
    value: Option<Decimal128Array>,
}

impl<'a> Rows<'a> {
    fn read(assembly: &'a Assembly<'a>, block: &dyn Block, last: &[u32]) -> Result<Self, FrameError> {
        let mut axis_positions = Vec::new();
        for ((axis, known), last) in assembly.axes.iter().zip(last) {
            axis_positions.push(assembly.axis_positions(block, *axis, known, *last)?);
        }
        let figures = assembly.measures.iter().map(|&measure| {
            let lacking = || assembly.missing(assembly.of().measures[measure].id.as_str());
            block.figures(measure, assembly.of()).ok_or_else(lacking)
        });
        let figures = figures.collect::<Result<_, _>>()?;
        let mut sort_keys: Vec<_> = axis_positions.iter().map(|axis| axis.positions.clone()).collect();
        sort_keys.push(unknown_label_numbers(&axis_positions, block.row_count()));
        let axes = assembly.axes.iter().map(|(axis, _)| *axis);
        let with_unknown =
            axes.clone().zip(axis_positions).filter(|(_, axis)| !axis.unknown_labels.is_empty()).collect();
        let axes = axes.map(Some).chain([None]).collect();
        Ok(Self { assembly, axes, sort_keys, with_unknown, figures, value: None })
    }

    fn row_count(&self) -> usize {
        self.sort_keys.first().map_or(0, Vec::len)
    }

    /// Converts one column per measure to one row per measure.
    fn spread(&mut self) {
        let (count, measures) = (self.row_count(), self.assembly.measures);
        let spread = |positions: &mut Vec<u32>| {
            *positions = positions.iter().flat_map(|&at| std::iter::repeat_n(at, measures.len())).collect();
        };
        self.sort_keys.iter_mut().for_each(spread);
        self.with_unknown.values_mut().for_each(|axis| spread(&mut axis.shown));
        let numbers = measures.iter().map(|&measure| u32::try_from(measure).unwrap_or(u32::MAX));
        self.sort_keys.push(std::iter::repeat_n(numbers, count).flatten().collect());
        self.axes.push(Some(Axis::Measure));
        let figure = |row: usize| {
            self.figures.iter().map(move |figures| figures.is_valid(row).then(|| figures.value(row)))
        };
        self.value = Some(arrays::figures((0..count).flat_map(figure)));
    }

    /// The positions of rows on an axis; unknown labels have the numbers after the members'.
    fn positions(&self, axis: Axis) -> Option<&[u32]> {
        let sort_keys = || self.sort_keys.get(self.axes.iter().position(|&other| other == Some(axis))?);
        self.with_unknown.get(&axis).map(|axis| &axis.shown).or_else(sort_keys).map(Vec::as_slice)
    }

    fn column(&self, index: usize, block: &dyn Block) -> Result<ArrayRef, FrameError> {
        let column = &self.assembly.columns[index];
        let lacking = || self.assembly.missing(&column.name);
        if let (Some(axis), Some(shown)) = (facts::axis(column.fact), self.assembly.shown.get(&index)) {
            let positions = self.positions(axis).ok_or_else(lacking)?;
            return match self.with_unknown.get(&axis) {
                Some(axis) => {
                    gather(&*concat(&[shown, &self.unknown_label_values(column, axis)])?, positions)
                }
                None => gather(shown, positions),
            };
        }
        match column.fact {
            Fact::Measure(measure) => {
                let at = self.assembly.measures.iter().position(|&other| other == measure);
                let figures = at.map(|at| self.figures[at].clone());
                Ok(Arc::new(figures.unwrap_or_else(|| arrays::figures(vec![None; self.row_count()]))))
            }
            Fact::Value => Ok(Arc::new(self.value.clone().ok_or_else(lacking)?)),
            Fact::Status => Ok(Arc::new(self.statuses()?)),
            Fact::ValueAttribute => {
                let value = self.value.as_ref().ok_or_else(lacking)?;
                Ok(Arc::new(statuses(&[value], self.row_count())?))
            }
            Fact::Updated => Ok(Arc::new(self.updated(block).ok_or_else(lacking)?)),
            Fact::ObservationId => self.observation_ids(),
            Fact::Period(_) | Fact::Member(..) | Fact::MeasureCode | Fact::Listed(_) => Err(lacking()),
        }
    }

    /// The values of a column for unknown labels: their text or their id.
    fn unknown_label_values(&self, column: &Column, axis: &AxisPositions) -> ArrayRef {
        let measurement = self.assembly.of();
        let value = |id: &String| match column.fact {
            Fact::Member(dimension, MemberFact::Label) => {
                Value::string(measurement.dimensions[dimension].unknown_label(id))
            }
            Fact::Member(_, MemberFact::Id) | Fact::Period(_) => Value::string(id),
            Fact::Member(_, MemberFact::Level | MemberFact::Number | MemberFact::Code) => Value::Null,
            Fact::MeasureCode | Fact::Measure(_) | Fact::Value | Fact::Status | Fact::ValueAttribute => {
                Value::Null
            }
            Fact::Updated | Fact::ObservationId | Fact::Listed(_) => Value::Null,
        };
        arrays::array(column.primitive, axis.unknown_labels.iter().map(value))
    }

    fn statuses(&self) -> Result<DictionaryArray<Int32Type>, FrameError> {
        statuses(&self.figures.iter().collect::<Vec<_>>(), self.row_count())
    }

    fn updated(&self, block: &dyn Block) -> Option<TimestampMillisecondArray> {
        let periods = &self.assembly.of().periods;
        let updated: Vec<_> = periods.iter().map(|period| block.updated(&period.id)).collect();
        let positions = self.positions(Axis::Period)?.iter();
        let found = positions.map(|&position| updated.get(position as usize).copied().flatten());
        Some(arrays::instants(found))
    }

    /// The ids of observations: period, measure and members, joined by `|`, so that they stay valid after an update.
    fn observation_ids(&self) -> Result<ArrayRef, FrameError> {
        let mut ids = StringBuilder::new();
        let dimensions =
            self.axes.iter().flatten().filter(|axis| matches!(axis, Axis::Dimension(_))).copied();
        let order: Vec<Axis> = [Axis::Period, Axis::Measure].into_iter().chain(dimensions).collect();
        let lists = order.iter().map(|&axis| self.positions(axis)).collect::<Option<Vec<_>>>();
        let lists = lists.ok_or_else(|| self.assembly.missing("Id"))?;
        let mut text = String::new();
        for row in 0..self.row_count() {
            text.clear();
            for (axis, list) in order.iter().zip(&lists) {
                if !text.is_empty() {
                    text.push('|');
                }
                text.push_str(self.id(*axis, list[row]));
            }
            ids.append_value(&text);
        }
        Ok(Arc::new(ids.finish()))
    }

    fn id(&self, axis: Axis, position: u32) -> &str {
        let measurement = self.assembly.of();
        let unknown = || {
            let number = (position as usize).checked_sub(facts::axis_len(measurement, axis))?;
            self.with_unknown.get(&axis)?.unknown_labels.get(number).map(String::as_str)
        };
        facts::id_at(measurement, axis, position as usize).or_else(unknown).unwrap_or_default()
    }
}

/// The status of each row's figures.
fn statuses(figures: &[&Decimal128Array], count: usize) -> Result<DictionaryArray<Int32Type>, FrameError> {
    let codes: Vec<_> =
        (0..=figures.len()).map(|missing| RowStatus::of(missing, figures.len()).code()).collect();
    let key = |row: usize| {
        let missing = figures.iter().filter(|figures| figures.is_null(row)).count();
        codes[missing].and(i32::try_from(missing).ok())
    };
    let texts = StringArray::from_iter_values(codes.iter().map(|code| code.unwrap_or_default()));
    Ok(DictionaryArray::try_new((0..count).map(key).collect(), Arc::new(texts))?)
}

fn total_position(measurement: &Measurement, axis: Axis) -> Option<u32> {
    let Axis::Dimension(dimension) = axis else { return None };
    measurement.dimensions.get(dimension)?.total().and_then(|total| u32::try_from(total).ok())
}

fn known_positions(measurement: &Measurement, axis: Axis) -> HashMap<&str, u32> {
    let ids = (0..facts::axis_len(measurement, axis))
        .filter_map(|index| Some((facts::id_at(measurement, axis, index)?, u32::try_from(index).ok()?)));
    ids.collect()
}

/// The values at the rows' positions: texts as a dictionary, others copied.
fn gather(values: &dyn Array, positions: &[u32]) -> Result<ArrayRef, FrameError> {
    let Some(texts) = values.as_string_opt::<i32>() else {
        return Ok(take(values, &UInt32Array::from(positions.to_vec()), None)?);
    };
    let key = |&position: &u32| {
        texts.is_valid(position as usize).then(|| i32::try_from(position).unwrap_or(i32::MAX))
    };
    let keys: Int32Array = positions.iter().map(key).collect();
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(texts.clone()))?))
}
