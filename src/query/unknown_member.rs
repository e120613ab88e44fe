//! Conditions on members that do not exist: `Område eq 'Randers Kommune'` is true for no row, without an error.
//!
//! A text or a date that a column is compared with for equality is looked up among all values that the column has in the table's
//! metadata, whatever periods and levels the set has; for a list, among its rows. Figures are not looked at.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;

use arrow_array::RecordBatch;

use super::error::QueryError;
use crate::catalogue::measurement::Measurement;
use crate::error::distance;
use crate::feed::column::Fact;
use crate::feed::facts::{self, Axis};
use crate::feed::list::ListRow;
use crate::odata::value::Value;
use crate::search::folded;

/// How many conditions of a request are noted; a list of values may have thousands that do not exist.
const NOTED: usize = 20;

/// How many members are named as what may be meant.
const SUGGESTED: usize = 3;

/// The conditions of a request on members that do not exist.
#[derive(Default)]
pub(super) struct UnknownMembers(RefCell<Vec<QueryError>>);

impl UnknownMembers {
    pub(super) fn is_full(&self) -> bool {
        self.0.borrow().len() >= NOTED
    }

    pub(super) fn note(&self, error: QueryError) {
        self.0.borrow_mut().push(error);
    }

    pub(super) fn into_errors(self) -> Vec<QueryError> {
        self.0.into_inner()
    }
}

/// A value as text, with other names of the same member: its id, code and label.
struct NamedMember {
    value: String,
    others: Vec<String>,
}

/// The values of a column that are known without reading figures.
pub(super) enum KnownValues<'a> {
    /// Those of a fact that depends on one axis.
    Axis { measurement: &'a Measurement, axis: Axis, fact: Fact },
    /// Those of a column of a list.
    List { rows: &'a RecordBatch, column: usize },
    /// Those that a navigation property leads to.
    Table(Vec<(&'a str, &'a Value)>),
}

impl KnownValues<'_> {
    fn positions(&self) -> Range<usize> {
        0..match self {
            Self::Axis { measurement, axis, .. } => facts::axis_len(measurement, *axis),
            Self::List { rows, .. } => rows.num_rows(),
            Self::Table(entries) => entries.len(),
        }
    }

    fn value(&self, at: usize) -> Value {
        match self {
            Self::Axis { measurement, fact, .. } => facts::value_at(measurement, *fact, at),
            Self::List { rows, column } => ListRow { rows, row: at }.at(*column),
            Self::Table(entries) => entries.get(at).map_or(Value::Null, |(_, value)| (*value).clone()),
        }
    }

    /// What else the member is called that has the value.
    fn other_names(&self, at: usize) -> Vec<String> {
        match self {
            Self::Axis { measurement, axis, .. } => facts::names_at(measurement, *axis, at),
            Self::List { rows, .. } => {
                let row = ListRow { rows, row: at };
                (0..rows.num_columns()).filter_map(|column| text(&row.at(column))).collect()
            }
            Self::Table(entries) => entries.get(at).map(|(key, _)| (*key).to_owned()).into_iter().collect(),
        }
    }

    /// The values as texts.
    pub(super) fn texts(&self) -> HashSet<String> {
        self.positions().filter_map(|at| text(&self.value(at))).collect()
    }

    pub(super) fn has(&self, value: &Value) -> bool {
        self.positions().any(|at| self.value(at) == *value)
    }

    /// The values of the members that may be meant: those that another name of theirs names, else those that are written most alike,
    /// else those of which another name is.
    pub(super) fn nearest(&self, wanted: &str) -> Vec<String> {
        let sought = folded(wanted);
        let is_called = |name: &String| folded(name) == sought;
        let least_of = |names: &[String]| names.iter().filter_map(|name| distance(wanted, name)).min();
        let steps: [Step<'_>; 4] = [
            &|member| is_called(&member.value).then_some(0),
            &|member| member.others.iter().any(is_called).then_some(0),
            &|member| distance(wanted, &member.value),
            &|member| least_of(&member.others),
        ];
        let member = |at| Some(NamedMember { value: text(&self.value(at))?, others: self.other_names(at) });
        let members: Vec<NamedMember> = self.positions().filter_map(member).collect();
        let found = steps.into_iter().map(|step| least(&members, step));
        found.into_iter().find(|values| !values.is_empty()).unwrap_or_default()
    }
}

/// How far a member is from what is looked for; `None` if it is another.
type Step<'a> = &'a dyn Fn(&NamedMember) -> Option<usize>;

/// The values of the members at the least distance.
fn least(members: &[NamedMember], distance: Step<'_>) -> Vec<String> {
    let distances: Vec<_> =
        members.iter().filter_map(|member| Some((distance(member)?, &member.value))).collect();
    let least = distances.iter().map(|(distance, _)| *distance).min();
    first_of(distances.into_iter().filter(|(distance, _)| Some(*distance) == least).map(|(_, value)| value))
}

/// The first different values.
fn first_of<'a>(values: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut first: Vec<String> = Vec::new();
    for value in values {
        if first.len() < SUGGESTED && !first.contains(value) {
            first.push(value.clone());
        }
    }
    first
}

/// The text of a value that can name a member: a text, or a day.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::Date(day) => Some(day.to_string()),
        _ => None,
    }
}
