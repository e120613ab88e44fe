//! From blocks of cells to the rows of a set, in the order of the set.
//!
//! Blocks hold ids; rows show labels, levels, codes and dates. What a column shows depends on one axis alone, so it is made
//! once per member or period and shared by all rows through a dictionary.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, DictionaryArray, Int32Array, RecordBatch,
    RecordBatchOptions, StringArray, TimestampMillisecondArray, UInt32Array,
};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::concat::concat;
use arrow_select::take::take;
use chrono::{DateTime, NaiveDate, Utc};

use crate::catalogue::id::PeriodId;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::value::RowStatus;
use crate::feed::column::{Column, Fact, MemberFact};
use crate::feed::facts::{self, Axis};
use crate::feed::{CellForm, CellSource};
use crate::frame::Frame;
use crate::frame::error::FrameError;
use crate::frame::place::Places;
use crate::odata::value::{PrimitiveType, Value};

/// Cells of one block, as the frame reads them: ids by column, figures by measure.
pub trait Block {
    /// Ids of the period, or of the members of a dimension, row by row.
    fn ids(&self, column: Axis, of: &Measurement) -> Option<&DictionaryArray<Int32Type>>;
    /// Figures of a measure, row by row.
    fn figures(&self, measure: usize, of: &Measurement) -> Option<&Decimal128Array>;
    /// When a figure of the period was last seen to change.
    fn updated(&self, period: &PeriodId) -> Option<DateTime<Utc>>;
}

/// Puts rows together out of blocks. Rows stand at the total of a dimension that their block does not name.
///
/// # Errors
/// When a block lacks a column that is needed.
pub fn assemble(
    source: &CellSource,
    columns: &[Column],
    needed: &BTreeSet<usize>,
    named: &[usize],
    measures: &[usize],
    blocks: &[&dyn Block],
) -> Result<Frame, FrameError> {
    let of: &Measurement = &source.measurement;
    let mut rows = Rows::read(of, named, measures, blocks)?;
    rows.sort()?;
    if source.form == CellForm::Long {
        rows.spread(measures)?;
    }
    let updated = updated(of, blocks);
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for &index in needed {
        let column = &columns[index];
        let array = rows.column(of, column, &updated)?;
        fields.push(Field::new(&column.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.count));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?;
    let at = |column: usize| needed.contains(&column).then(|| needed.range(..column).count());
    Ok(Frame { batch, columns: (0..columns.len()).map(at).collect(), places: rows.places })
}

fn updated(of: &Measurement, blocks: &[&dyn Block]) -> Vec<Option<DateTime<Utc>>> {
    of.periods
        .iter()
        .map(|period| blocks.iter().filter_map(|block| block.updated(&period.id)).max())
        .collect()
}

/// Rows by position: of the period, of each named dimension's member, in the long form of the measure.
struct Rows {
    count: usize,
    places: Places,
    axes: Vec<Axis>,
    /// Labels that no member has, per axis: their positions follow those of the members.
    strangers: HashMap<Axis, Vec<String>>,
    /// Figures by index of the measure; in the long form one column, `value`.
    figures: HashMap<usize, Decimal128Array>,
    value: Option<Decimal128Array>,
}

impl Rows {
    fn read(
        of: &Measurement,
        named: &[usize],
        measures: &[usize],
        blocks: &[&dyn Block],
    ) -> Result<Self, FrameError> {
        let axes: Vec<Axis> =
            [Axis::Period].into_iter().chain(named.iter().copied().map(Axis::Dimension)).collect();
        let mut strangers = HashMap::new();
        let mut positions = Vec::new();
        for &axis in &axes {
            let known = known_positions(of, axis);
            let mut list = Vec::new();
            let mut unknown = Vec::new();
            for block in blocks {
                match (block.ids(axis, of), total_position(of, axis)) {
                    (Some(ids), _) => list.extend(positions_of(ids, &known, &mut unknown)),
                    (None, Some(total)) => list.extend(vec![total; row_count(*block, of)]),
                    (None, None) => return Err(missing(of, &format!("{axis:?}"))),
                }
            }
            positions.push(list);
            strangers.insert(axis, unknown);
        }
        let mut figures = HashMap::new();
        for &measure in measures {
            let parts = blocks.iter().map(|block| block.figures(measure, of)).collect::<Option<Vec<_>>>();
            let parts = parts.ok_or_else(|| missing(of, of.measures[measure].id.as_str()))?;
            if !parts.is_empty() {
                let parts: Vec<&dyn Array> = parts.into_iter().map(|part| part as &dyn Array).collect();
                figures.insert(measure, decimals(&concat(&parts)?)?);
            }
        }
        let count = positions.first().map_or(0, Vec::len);
        Ok(Self { count, places: Places { axes: positions }, axes, strangers, figures, value: None })
    }

    fn sort(&mut self) -> Result<(), FrameError> {
        let Some(order) = self.places.sorted() else { return Ok(()) };
        self.places = self.places.take(&order);
        let order = UInt32Array::from(order);
        for figures in self.figures.values_mut() {
            *figures = decimals(&take(figures, &order, None)?)?;
        }
        Ok(())
    }

    /// From one column per measure to one row per measure.
    fn spread(&mut self, measures: &[usize]) -> Result<(), FrameError> {
        let width = measures.len();
        let wide = std::mem::take(&mut self.places);
        let repeat = |axis: &Vec<u32>| {
            axis.iter().flat_map(|&position| std::iter::repeat_n(position, width)).collect()
        };
        self.places.axes = wide.axes.iter().map(repeat).collect();
        let measure = |measure: &usize| u32::try_from(*measure).unwrap_or(u32::MAX);
        self.places.axes.push((0..self.count).flat_map(|_| measures.iter().map(measure)).collect());
        self.axes.push(Axis::Measure);
        let mut value = Vec::with_capacity(self.count * width);
        for row in 0..self.count {
            for measure in measures {
                let figures = self.figures.get(measure);
                value.push(figures.filter(|figures| figures.is_valid(row)).map(|figures| figures.value(row)));
            }
        }
        let like = self.figures.values().next().map(|figures| figures.data_type().clone());
        let value = Decimal128Array::from(value);
        self.value = Some(match like {
            Some(kind) => value.with_data_type(kind),
            None => value,
        });
        self.count *= width;
        Ok(())
    }

    fn positions(&self, axis: Axis) -> Option<&[u32]> {
        let at = self.axes.iter().position(|&other| other == axis)?;
        self.places.axes.get(at).map(Vec::as_slice)
    }

    fn column(
        &self,
        of: &Measurement,
        column: &Column,
        updated: &[Option<DateTime<Utc>>],
    ) -> Result<ArrayRef, FrameError> {
        let lacking = || missing(of, &column.name);
        if let Some(axis) = facts::axis(column.fact) {
            let positions = self.positions(axis).ok_or_else(lacking)?;
            let mut values: Vec<Value> =
                (0..facts::axis_len(of, axis)).map(|index| facts::value_at(of, column.fact, index)).collect();
            let strangers = self.strangers.get(&axis).map(Vec::as_slice).unwrap_or_default();
            values.extend(strangers.iter().map(|id| stranger(column.fact, id)));
            return gather(column.primitive, &values, positions);
        }
        match column.fact {
            Fact::Measure(measure) => {
                Ok(Arc::new(self.figures.get(&measure).cloned().unwrap_or_else(|| no_figures(self.count))))
            }
            Fact::Value => Ok(Arc::new(self.value.clone().ok_or_else(lacking)?)),
            Fact::Status => Ok(Arc::new(self.statuses())),
            Fact::ValueAttribute => {
                let value = self.value.as_ref().ok_or_else(lacking)?;
                let missing = |row| value.is_null(row).then_some(RowStatus::Missing.code()).flatten();
                Ok(Arc::new((0..self.count).map(missing).collect::<DictionaryArray<Int32Type>>()))
            }
            Fact::Updated => {
                let positions = self.positions(Axis::Period).ok_or_else(lacking)?;
                let at = |&position: &u32| {
                    updated.get(position as usize).copied().flatten().map(|at| at.timestamp_millis())
                };
                Ok(Arc::new(
                    positions.iter().map(at).collect::<TimestampMillisecondArray>().with_timezone("UTC"),
                ))
            }
            Fact::ObservationId => self.observation_ids(of),
            _ => Err(lacking()),
        }
    }

    fn statuses(&self) -> DictionaryArray<Int32Type> {
        let all = self.figures.len();
        let status = |row: usize| {
            let missing = self.figures.values().filter(|figures| figures.is_null(row)).count();
            RowStatus::of(missing, all).code()
        };
        (0..self.count).map(status).collect()
    }

    /// Period, measure and members, joined by `|`: unlike a number it means the same after the next update.
    fn observation_ids(&self, of: &Measurement) -> Result<ArrayRef, FrameError> {
        let mut ids = StringBuilder::new();
        let axes = self.axes.iter().filter(|axis| matches!(axis, Axis::Dimension(_)));
        let order: Vec<Axis> = [Axis::Period, Axis::Measure].into_iter().chain(axes.copied()).collect();
        let lists = order.iter().map(|&axis| self.positions(axis)).collect::<Option<Vec<_>>>();
        let lists = lists.ok_or_else(|| missing(of, "Id"))?;
        let mut text = String::new();
        for row in 0..self.count {
            text.clear();
            for (axis, list) in order.iter().zip(&lists) {
                if !text.is_empty() {
                    text.push('|');
                }
                text.push_str(self.id(of, *axis, list[row]));
            }
            ids.append_value(&text);
        }
        Ok(Arc::new(ids.finish()))
    }

    fn id<'a>(&'a self, of: &'a Measurement, axis: Axis, position: u32) -> &'a str {
        let known = facts::id_at(of, axis, position as usize);
        let strange = || {
            self.strangers.get(&axis)?.get(position as usize - facts::axis_len(of, axis)).map(String::as_str)
        };
        known.or_else(strange).unwrap_or_default()
    }
}

fn total_position(of: &Measurement, axis: Axis) -> Option<u32> {
    let Axis::Dimension(dimension) = axis else { return None };
    of.dimensions.get(dimension)?.total().and_then(|total| u32::try_from(total).ok())
}

fn row_count(block: &dyn Block, of: &Measurement) -> usize {
    block.ids(Axis::Period, of).map_or(0, DictionaryArray::len)
}

fn known_positions(of: &Measurement, axis: Axis) -> HashMap<&str, u32> {
    let ids = (0..facts::axis_len(of, axis))
        .filter_map(|index| Some((facts::id_at(of, axis, index)?, u32::try_from(index).ok()?)));
    ids.collect()
}

/// Positions of ids, row by row. Ids that are not known get positions behind the known ones.
fn positions_of(
    ids: &DictionaryArray<Int32Type>,
    known: &HashMap<&str, u32>,
    unknown: &mut Vec<String>,
) -> Vec<u32> {
    let values: Option<&StringArray> = ids.values().as_string_opt::<i32>();
    let mut position = |id: &str| {
        known.get(id).copied().unwrap_or_else(|| {
            let at = unknown.iter().position(|other| other == id).unwrap_or_else(|| {
                unknown.push(id.to_owned());
                unknown.len() - 1
            });
            u32::try_from(known.len() + at).unwrap_or(u32::MAX)
        })
    };
    let of_value: Vec<u32> =
        values.into_iter().flat_map(|values| values.iter().flatten()).map(&mut position).collect();
    ids.keys()
        .values()
        .iter()
        .map(|&key| usize::try_from(key).ok().and_then(|key| of_value.get(key)).copied().unwrap_or(u32::MAX))
        .collect()
}

/// What a column shows of a label that no member has: its text, and its id.
fn stranger(fact: Fact, id: &str) -> Value {
    match fact {
        Fact::Member(_, MemberFact::Label) => Value::string(id.trim_start_matches('?')),
        Fact::Member(_, MemberFact::Id) | Fact::Period(_) => Value::string(id),
        _ => Value::Null,
    }
}

/// One value per row, through the positions.
fn gather(primitive: PrimitiveType, values: &[Value], positions: &[u32]) -> Result<ArrayRef, FrameError> {
    let at = |position: &u32| values.get(*position as usize).unwrap_or(&Value::Null);
    match primitive {
        PrimitiveType::Int32 => {
            let whole = |value: &Value| {
                if let Value::Integer(number) = value { i32::try_from(*number).ok() } else { None }
            };
            Ok(Arc::new(positions.iter().map(|position| whole(at(position))).collect::<Int32Array>()))
        }
        PrimitiveType::Date => {
            let days = |value: &Value| {
                if let Value::Date(date) = value { Some(days_since_epoch(*date)) } else { None }
            };
            Ok(Arc::new(positions.iter().map(|position| days(at(position))).collect::<Date32Array>()))
        }
        _ => {
            let text =
                |value: &Value| if let Value::String(text) = value { Some(Arc::clone(text)) } else { None };
            let texts: Vec<Option<Arc<str>>> = values.iter().map(text).collect();
            let key =
                |position: &u32| texts.get(*position as usize)?.as_ref().and(i32::try_from(*position).ok());
            let keys: Int32Array = positions.iter().map(key).collect();
            let texts =
                StringArray::from_iter_values(texts.iter().map(|text| text.as_deref().unwrap_or_default()));
            Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(texts))?))
        }
    }
}

fn days_since_epoch(date: NaiveDate) -> i32 {
    i32::try_from((date - NaiveDate::default()).num_days()).unwrap_or(i32::MAX)
}

fn decimals(array: &dyn Array) -> Result<Decimal128Array, FrameError> {
    let unreadable =
        || FrameError::UnreadableColumn { column: "figures".to_owned(), found: array.data_type().clone() };
    array.as_primitive_opt().cloned().ok_or_else(unreadable)
}

fn no_figures(count: usize) -> Decimal128Array {
    Decimal128Array::from(vec![None; count]).with_data_type(DataType::Decimal128(38, 18))
}

fn missing(of: &Measurement, column: &str) -> FrameError {
    FrameError::MissingCells { table: of.id.to_string(), column: column.to_owned() }
}
