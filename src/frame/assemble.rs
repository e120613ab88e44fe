//! Makes the rows of a set from blocks of cells, in the order of the set.
//!
//! Blocks contain ids; rows show labels, levels, codes and dates. These depend on one axis only, so their values are made once per
//! member or period for all blocks of an answer and are shared by the rows as dictionaries.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int32Array, StringArray, TimestampMillisecondArray, UInt32Array,
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use chrono::{DateTime, Utc};

use crate::budget::work;
use crate::catalogue::figures;
use crate::catalogue::id::PeriodId;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::value::RowStatus;
use crate::feed::arrays;
use crate::feed::axis_columns::Numbers;
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
    /// Figures of a measure, row by row, in a column of either width.
    fn figures(&self, measure: usize, measurement: &Measurement) -> Option<&ArrayRef>;
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
    /// The period, then the dimensions that are columns: the axes of the sort key.
    axes: Vec<AssembledAxis>,
    /// Whether the rows have a sort key and are in its order. If not, only the axes are read that the columns need.
    is_sorted: bool,
    /// For each needed column that depends on one axis its values at all positions.
    shown: HashMap<usize, ArrayRef>,
}

/// An axis of the rows, with the position of every id.
#[derive(Debug)]
struct AssembledAxis {
    axis: Axis,
    numbers: Arc<Numbers>,
    is_read: bool,
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
        let axes = [Axis::Period].into_iter().chain(named.iter().copied().map(Axis::Dimension));
        let axes = axes.map(|axis| {
            let numbers = source.axis_numbers(axis);
            AssembledAxis { axis, numbers, is_read: true }
        });
        let axes = axes.collect();
        let shown = |&index: &usize| Some((index, source.axis_column(columns.get(index)?)?));
        let shown = needed.iter().filter_map(shown).collect();
        Self { source, columns, needed, measures, axes, is_sorted: true, shown }
    }

    /// The same rows in the order of the block, without a sort key.
    #[must_use]
    pub fn unsorted(mut self) -> Self {
        self.is_sorted = false;
        for axis in &mut self.axes {
            axis.is_read =
                self.needed.iter().any(|&index| match self.columns.get(index).map(|column| column.fact) {
                    Some(Fact::ObservationId) => true,
                    Some(Fact::Updated) => axis.axis == Axis::Period,
                    Some(fact) => facts::axis(fact) == Some(axis.axis),
                    None => false,
                });
        }
        self
    }

    /// The rows of a block. `last` is the last requested position on each axis; on a dimension that the block does not have, rows are at
    /// its total.
    ///
    /// # Errors
    /// When the block lacks a needed column.
    pub fn rows(&self, block: &dyn Block, last: &[u32]) -> Result<Frame, FrameError> {
        self.frame(block, last, false)
    }

    /// The numbers of the block's rows that choosing leaves of a frame, in the order that it leaves them in. Only for the wide form, in
    /// which a row of the block is one row.
    ///
    /// # Errors
    /// When the block lacks a needed column, and those of choosing.
    pub fn chosen(
        &self,
        block: &dyn Block,
        last: &[u32],
        choose: impl FnOnce(Frame) -> Result<Frame, FrameError>,
    ) -> Result<UInt32Array, FrameError> {
        let chosen = choose(self.frame(block, last, true)?)?;
        let numbers =
            chosen.batch.columns().last().and_then(|column| column.as_primitive_opt::<UInt32Type>());
        Ok(numbers.cloned().unwrap_or_else(|| UInt32Array::from(Vec::<u32>::new())))
    }

    /// The rows of a block, which may have their numbers in the block as the last column of the batch.
    fn frame(&self, block: &dyn Block, last: &[u32], numbered: bool) -> Result<Frame, FrameError> {
        let held = work::hold(self.estimated_bytes(block))?;
        let mut rows = Rows::read(self, block, last)?;
        if self.source.form == CellForm::Long {
            rows.spread()?;
        }
        let mut columns = Vec::new();
        for &index in self.needed {
            columns.push((self.columns[index].name.clone(), rows.column(index, block)?));
        }
        let (count, sort_keys) = (rows.count, if self.is_sorted { rows.sort_keys } else { Vec::new() });
        let axes = sort_keys.len();
        let key = |positions: UInt32Array| (String::new(), Arc::new(positions) as ArrayRef);
        columns.extend(sort_keys.into_iter().map(key));
        columns.extend(numbered.then(|| key(UInt32Array::from_iter_values((0..).take(count)))));
        let at = |column: usize| self.needed.contains(&column).then(|| self.needed.range(..column).count());
        let sort_key = self.needed.len()..self.needed.len() + axes;
        let columns_of_set = (0..self.columns.len()).map(at).collect();
        let batch = batch(columns, count)?;
        held.resize(allocated(&batch));
        Frame { batch, columns: columns_of_set, sort_key, held: vec![held] }.in_place()
    }

    /// How much memory the rows of a block will take while they are assembled: a figure has sixteen bytes, all else less. In the long form
    /// figures are also made alike, and taken in turn by their places.
    fn estimated_bytes(&self, block: &dyn Block) -> u64 {
        let columns = self.needed.len() + self.axes.len();
        let values = match self.source.form {
            CellForm::Long => block.row_count() * self.measures.len() * (columns + 2),
            CellForm::Wide => block.row_count() * columns,
        };
        (values * size_of::<i128>()) as u64
    }

    /// Whether a column is made of figures. Rows of the wide form may show none.
    fn reads_figures(&self) -> bool {
        let mut facts =
            self.needed.iter().filter_map(|&index| self.columns.get(index)).map(|column| column.fact);
        self.source.form == CellForm::Long
            || facts.any(|fact| matches!(fact, Fact::Measure(_) | Fact::Status))
    }

    fn of(&self) -> &'a Measurement {
        &self.source.measurement
    }

    fn axis_positions(
        &self,
        block: &dyn Block,
        axis: Axis,
        known: &Numbers,
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

/// An axis with unknown labels: the positions of rows, in which they have the numbers after the members', and the labels.
struct UnknownLabels {
    positions: UInt32Array,
    labels: Vec<String>,
}

/// The rows of one block, while they are assembled.
struct Rows<'a> {
    assembly: &'a Assembly<'a>,
    /// The axis of each part of the sort key; `None` for the number of unknown labels.
    axes: Vec<Option<Axis>>,
    /// Each part of the sort key for all rows.
    sort_keys: Vec<UInt32Array>,
    count: usize,
    /// The positions on axes with unknown labels.
    with_unknown: HashMap<Axis, UnknownLabels>,
    /// In the order of the measures.
    figures: Vec<ArrayRef>,
    /// In the long form, one figure per row.
    value: Option<ArrayRef>,
}

impl<'a> Rows<'a> {
    fn read(assembly: &'a Assembly<'a>, block: &dyn Block, last: &[u32]) -> Result<Self, FrameError> {
        let mut axis_positions = Vec::new();
        let is_read = |(axis, _): &(&'a AssembledAxis, _)| axis.is_read;
        for (axis, last) in assembly.axes.iter().zip(last).filter(is_read) {
            axis_positions.push(assembly.axis_positions(block, axis.axis, &axis.numbers, *last)?);
        }
        let measures = if assembly.reads_figures() { assembly.measures } else { &[] };
        let figures = measures.iter().map(|&measure| {
            let lacking = || assembly.missing(assembly.of().measures[measure].id.as_str());
            block.figures(measure, assembly.of()).cloned().ok_or_else(lacking)
        });
        let figures = figures.collect::<Result<_, _>>()?;
        let count = block.row_count();
        // Nothing reads the numbers of rows that are in no order.
        let numbers = match assembly.is_sorted {
            true => unknown_label_numbers(&axis_positions, count),
            false => Vec::new(),
        };
        let mut axes: Vec<_> =
            assembly.axes.iter().filter(|axis| axis.is_read).map(|axis| Some(axis.axis)).collect();
        let (mut sort_keys, mut with_unknown) = (Vec::new(), HashMap::new());
        for (axis, found) in axes.iter().flatten().zip(axis_positions) {
            sort_keys.push(UInt32Array::from(found.positions));
            if !found.unknown_labels.is_empty() {
                let positions = UInt32Array::from(found.shown);
                with_unknown.insert(*axis, UnknownLabels { positions, labels: found.unknown_labels });
            }
        }
        sort_keys.push(UInt32Array::from(numbers));
        axes.push(None);
        Ok(Self { assembly, axes, sort_keys, count, with_unknown, figures, value: None })
    }

    /// Converts one column per measure to one row per measure.
    fn spread(&mut self) -> Result<(), FrameError> {
        let (count, measures) = (self.count, self.assembly.measures);
        let spread = |positions: &mut UInt32Array| {
            let places = positions.values().iter();
            let spread = places.flat_map(|&at| std::iter::repeat_n(at, measures.len())).collect::<Vec<_>>();
            *positions = UInt32Array::from(spread);
        };
        self.sort_keys.iter_mut().for_each(spread);
        self.with_unknown.values_mut().for_each(|axis| spread(&mut axis.positions));
        let numbers = measures.iter().map(|&measure| u32::try_from(measure).unwrap_or(u32::MAX));
        self.sort_keys.push(UInt32Array::from_iter_values(std::iter::repeat_n(numbers, count).flatten()));
        self.count = count * measures.len();
        self.axes.push(Some(Axis::Measure));
        self.value = Some(in_turn(&self.figures, count)?);
        Ok(())
    }

    /// The positions of rows on an axis; unknown labels have the numbers after the members'.
    fn positions(&self, axis: Axis) -> Option<&UInt32Array> {
        let sort_keys = || self.sort_keys.get(self.axes.iter().position(|&other| other == Some(axis))?);
        self.with_unknown.get(&axis).map(|axis| &axis.positions).or_else(sort_keys)
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
                Ok(figures.unwrap_or_else(|| figures::narrowed(&figures::column(vec![None; self.count]))))
            }
            Fact::Value => self.value.clone().ok_or_else(lacking),
            Fact::Status => Ok(Arc::new(self.statuses()?)),
            Fact::ValueAttribute => {
                let value = self.value.as_ref().ok_or_else(lacking)?;
                Ok(Arc::new(statuses(&[value.as_ref()], self.count)?))
            }
            Fact::Updated => Ok(Arc::new(self.updated(block).ok_or_else(lacking)?)),
            Fact::ObservationId => self.observation_ids(),
            Fact::Period(_) | Fact::Member(..) | Fact::MeasureCode | Fact::Listed(_) => Err(lacking()),
        }
    }

    /// The values of a column for unknown labels: their text or their id.
    fn unknown_label_values(&self, column: &Column, axis: &UnknownLabels) -> ArrayRef {
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
        arrays::array(column.primitive, axis.labels.iter().map(value))
    }

    fn statuses(&self) -> Result<DictionaryArray<Int32Type>, FrameError> {
        statuses(&self.figures.iter().map(AsRef::as_ref).collect::<Vec<_>>(), self.count)
    }

    fn updated(&self, block: &dyn Block) -> Option<TimestampMillisecondArray> {
        let periods = &self.assembly.of().periods;
        let updated: Vec<_> = periods.iter().map(|period| block.updated(&period.id)).collect();
        let positions = self.positions(Axis::Period)?.values().iter();
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
        for row in 0..self.count {
            text.clear();
            for (axis, list) in order.iter().zip(&lists) {
                if !text.is_empty() {
                    text.push('|');
                }
                text.push_str(self.id(*axis, list.value(row)));
            }
            ids.append_value(&text);
        }
        Ok(Arc::new(ids.finish()))
    }

    fn id(&self, axis: Axis, position: u32) -> &str {
        let measurement = self.assembly.of();
        let unknown = || {
            let number = (position as usize).checked_sub(facts::axis_len(measurement, axis))?;
            self.with_unknown.get(&axis)?.labels.get(number).map(String::as_str)
        };
        facts::id_at(measurement, axis, position as usize).or_else(unknown).unwrap_or_default()
    }
}

/// The figures of all columns in one: those of the first row, then those of the next.
///
/// # Errors
/// When a column is none of figures.
fn in_turn(columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, FrameError> {
    let found = || columns.iter().map(|column| column.data_type().clone()).collect();
    let alike = figures::alike(&columns.iter().collect::<Vec<_>>());
    let columns = alike.ok_or_else(|| FrameError::NoFigures { found: found() })?;
    let places: Vec<_> = (0..rows).flat_map(|row| (0..columns.len()).map(move |at| (at, row))).collect();
    match columns.is_empty() {
        true => Ok(Arc::new(figures::column([]))),
        false => Ok(interleave(&columns.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &places)?),
    }
}

/// The status of each row's figures.
fn statuses(figures: &[&dyn Array], count: usize) -> Result<DictionaryArray<Int32Type>, FrameError> {
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

/// The values at the rows' positions: texts as a dictionary whose keys are the positions, others copied.
fn gather(values: &dyn Array, positions: &UInt32Array) -> Result<ArrayRef, FrameError> {
    let Some(texts) = values.as_string_opt::<i32>() else {
        return Ok(take(values, positions, None)?);
    };
    let is_valid = |nulls: &NullBuffer| {
        let valid = positions.values().iter().map(|&at| nulls.is_valid(at as usize));
        valid.collect::<NullBuffer>()
    };
    let keys = ScalarBuffer::new(positions.values().inner().clone(), 0, positions.len());
    let keys = Int32Array::new(keys, texts.nulls().map(is_valid));
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(texts.clone()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_taken_in_turn_and_a_column_of_another_type_is_an_error() {
        let one = 10_i128.pow(18);
        let of = |figures: [Option<i128>; 2]| figures::narrowed(&figures::column(figures));
        let columns = [of([Some(one), None]), of([Some(one / 2), Some(3 * one)])];
        let taken = in_turn(&columns, 2).unwrap();
        let figures: Vec<_> = (0..4).map(|row| arrays::value_at(&taken, row).as_decimal()).collect();
        assert_eq!(figures, ["1", "0.5", "", "3"].map(|figure| figure.parse().ok()));
        assert_eq!(in_turn(&[], 2).unwrap().len(), 0);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["1", "2"]));
        let error = in_turn(&[columns[0].clone(), texts], 2).unwrap_err();
        assert!(
            matches!(error, FrameError::NoFigures { .. }) && error.to_string().contains("Utf8"),
            "{error}"
        );
    }
}
