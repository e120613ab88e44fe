//! The values of columns that depend on one axis: on the period, a member or the measure. The plan evaluates conditions on them
//! and the frame fills its columns with them, so that both always agree.

use crate::catalogue::dimension::Dimension;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::period::Period;
use crate::feed::column::{Fact, MemberFact, PeriodFact};
use crate::odata::value::Value;

/// One coordinate of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    Period,
    Dimension(usize),
    /// An axis only in the long form, where every measure has rows of its own.
    Measure,
}

/// The axis that alone determines a fact; `None` for figures and for facts that depend on several axes.
#[must_use]
pub fn axis(fact: Fact) -> Option<Axis> {
    match fact {
        Fact::Period(_) => Some(Axis::Period),
        Fact::Member(dimension, _) => Some(Axis::Dimension(dimension)),
        Fact::MeasureCode => Some(Axis::Measure),
        Fact::Measure(_) | Fact::Status | Fact::Updated | Fact::ObservationId | Fact::ValueAttribute => None,
        Fact::Value | Fact::Listed(_) => None,
    }
}

/// How many positions an axis has.
#[must_use]
pub fn axis_len(measurement: &Measurement, axis: Axis) -> usize {
    match axis {
        Axis::Period => measurement.periods.len(),
        Axis::Dimension(dimension) => {
            measurement.dimensions.get(dimension).map_or(0, |facts| facts.members.len())
        }
        Axis::Measure => measurement.measures.len(),
    }
}

/// The id of a position on an axis.
#[must_use]
pub fn id_at(measurement: &Measurement, axis: Axis, index: usize) -> Option<&str> {
    match axis {
        Axis::Period => measurement.periods.get(index).map(|period| period.id.as_str()),
        Axis::Dimension(dimension) => {
            measurement.dimensions.get(dimension)?.members.get(index).map(|member| member.id.as_str())
        }
        Axis::Measure => measurement.measures.get(index).map(|measure| measure.id.as_str()),
    }
}

/// The position on an axis that has that id.
#[must_use]
pub fn position_of(measurement: &Measurement, axis: Axis, id: &str) -> Option<usize> {
    match axis {
        Axis::Period => measurement.periods.iter().position(|period| period.id.as_str() == id),
        Axis::Dimension(dimension) => measurement.dimensions.get(dimension)?.member_index(id),
        Axis::Measure => measurement.measures.iter().position(|measure| measure.id.as_str() == id),
    }
}

/// The value of a fact at one position of its axis.
#[must_use]
pub fn value_at(measurement: &Measurement, fact: Fact, index: usize) -> Value {
    match fact {
        Fact::Period(fact) => {
            measurement.periods.get(index).map_or(Value::Null, |period| period_value(period, fact))
        }
        Fact::Member(dimension, fact) => measurement
            .dimensions
            .get(dimension)
            .map_or(Value::Null, |facts| member_value(facts, index, fact)),
        Fact::MeasureCode => {
            measurement.measures.get(index).map_or(Value::Null, |measure| Value::string(measure.id.as_str()))
        }
        Fact::Measure(_) | Fact::Status | Fact::Updated | Fact::ObservationId | Fact::ValueAttribute => {
            Value::Null
        }
        Fact::Value | Fact::Listed(_) => Value::Null,
    }
}

/// What a position of an axis is called, in ids, codes and labels of all sets.
#[must_use]
pub fn names_at(measurement: &Measurement, axis: Axis, index: usize) -> Vec<String> {
    match axis {
        Axis::Period => measurement
            .periods
            .get(index)
            .map_or_else(Vec::new, |period| vec![period.id.to_string(), period.cbs_code(), period.label()]),
        Axis::Dimension(dimension) => {
            let member = measurement.dimensions.get(dimension).and_then(|facts| facts.members.get(index));
            member.map_or_else(Vec::new, |member| {
                let code = member.code.map(str::to_owned);
                [member.label.clone(), member.id.to_string()].into_iter().chain(code).collect()
            })
        }
        Axis::Measure => measurement.measures.get(index).map_or_else(Vec::new, |measure| {
            vec![measure.id.to_string(), measure.label.clone(), measure.heading.clone()]
        }),
    }
}

fn period_value(period: &Period, fact: PeriodFact) -> Value {
    match fact {
        PeriodFact::Id => Value::string(period.id.as_str()),
        PeriodFact::Type => Value::string(period.type_id.as_str()),
        PeriodFact::FirstDay => period.first_day().map_or(Value::Null, Value::Date),
        PeriodFact::LastDay => period.last_day().map_or(Value::Null, Value::Date),
        PeriodFact::CbsCode => Value::string(&period.cbs_code()),
    }
}

fn member_value(dimension: &Dimension, index: usize, fact: MemberFact) -> Value {
    let Some(member) = dimension.members.get(index) else { return Value::Null };
    match fact {
        MemberFact::Label => Value::string(&member.label),
        MemberFact::Id => Value::string(member.id.as_str()),
        MemberFact::Level => Value::string(&member.level),
        MemberFact::Number => i64::try_from(index + 1).map_or(Value::Null, Value::Integer),
        MemberFact::Code => member.code.map_or(Value::Null, Value::string),
    }
}
