//! Conditions on members that do not exist: `Område eq 'Randers Kommune'` is true for no row, without an error.
//!
//! A text or a date that a column is compared with for equality is looked up among all values that the column has in the table's
//! metadata, whatever periods and levels the set has; for a list, among its rows. Figures are not looked at.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::error::{QueryError, QueryErrorKind};
use super::lookup_table::LookupTable;
use super::request_part::RequestPart;
use crate::catalogue::dimension::is_unknown;
use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::error::{Distance, distance, excerpt};
use crate::feed::column::{Fact, MemberFact};
use crate::feed::facts::{self, Axis};
use crate::feed::list::ListRow;
use crate::odata::value::Value;
use crate::search::folded;

/// How many conditions of a request are noted; a list of values may have thousands that do not exist.
const NOTED: usize = 20;

/// How many members are named as what may be meant.
const SUGGESTED: usize = 3;

/// A condition on a member that does not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownMember {
    pub(super) part: RequestPart,
    pub(super) position: usize,
    pub(super) column: String,
    pub(super) value: String,
    pub(super) known: KnownValues,
}

impl UnknownMember {
    /// The error that it is with `handling=strict`, with the members that may be meant.
    #[must_use]
    pub fn error(&self) -> QueryError {
        let Self { part, position, column, value, known } = self;
        let nearest = known.nearest(value);
        let kind = QueryErrorKind::UnknownMember { column: column.clone(), value: excerpt(value), nearest };
        part.error(*position, kind)
    }

    /// The unknown label, and its table, that rows with this value have, if there are any: the member exists then.
    #[must_use]
    pub fn unknown_label(&self) -> Option<(&MeasurementId, &str)> {
        let KnownValues::Axis { measurement, fact: Fact::Member(dimension, fact), .. } = &self.known else {
            return None;
        };
        let dimension = measurement.dimensions.get(*dimension)?;
        let label = match fact {
            MemberFact::Label => Some(self.value.as_str()),
            MemberFact::Id => is_unknown(&self.value).then(|| dimension.unknown_label(&self.value)),
            MemberFact::Level | MemberFact::Number | MemberFact::Code => None,
        };
        Some((&measurement.id, label?))
    }
}

/// The conditions of a request on members that do not exist.
#[derive(Default)]
pub(super) struct UnknownMembers {
    noted: RefCell<Vec<UnknownMember>>,
    /// The columns that were looked into, with their texts if that was more than once.
    columns: RefCell<Vec<(KnownValues, Option<HashSet<String>>)>>,
}

impl UnknownMembers {
    pub(super) fn is_full(&self) -> bool {
        self.noted.borrow().len() >= NOTED
    }

    pub(super) fn note(&self, unknown: UnknownMember) {
        self.noted.borrow_mut().push(unknown);
    }

    pub(super) fn noted(self) -> Vec<UnknownMember> {
        self.noted.into_inner()
    }

    /// Whether a column has a value, given with its text. Many conditions on a column do not cost as many walks through its values.
    pub(super) fn is_known(&self, column: &KnownValues, value: &Value, text: &str) -> bool {
        let mut columns = self.columns.borrow_mut();
        match columns.iter_mut().find(|(known, _)| known.is_same(column)) {
            Some((known, texts)) => texts.get_or_insert_with(|| known.texts()).contains(text),
            None => {
                columns.push((column.clone(), None));
                column.has(value)
            }
        }
    }
}

/// A value as text, with other names of the same member: its id, code and label.
struct NamedMember {
    value: String,
    others: Vec<String>,
}

/// The values of a column that are known without reading figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum KnownValues {
    /// Those of a fact that depends on one axis.
    Axis { measurement: Arc<Measurement>, axis: Axis, fact: Fact },
    /// Those of a column of a list.
    List { rows: RecordBatch, column: usize },
    /// Those that a navigation property leads to.
    Table(LookupTable),
}

impl KnownValues {
    fn values(&self) -> Box<dyn Iterator<Item = Value> + '_> {
        match self {
            Self::Axis { measurement, axis, fact } => {
                let positions = 0..facts::axis_len(measurement, *axis);
                Box::new(positions.map(|at| facts::value_at(measurement, *fact, at)))
            }
            Self::List { rows, column } => {
                Box::new((0..rows.num_rows()).map(|row| ListRow { rows, row }.at(*column)))
            }
            Self::Table(table) => Box::new(table.entries().map(|(_, value)| value.clone())),
        }
    }

    /// Whether both are the same column, not only alike.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Axis { measurement: one, fact, .. }, Self::Axis { measurement: two, fact: of, .. }) => {
                Arc::ptr_eq(one, two) && fact == of
            }
            (Self::List { rows: one, column }, Self::List { rows: two, column: of }) => {
                Arc::ptr_eq(one.column(*column), two.column(*of))
            }
            (Self::Table(one), Self::Table(two)) => one.is_same(two),
            _ => false,
        }
    }

    /// The values as texts.
    fn texts(&self) -> HashSet<String> {
        self.values().filter_map(|value| text(&value)).collect()
    }

    fn has(&self, value: &Value) -> bool {
        self.values().any(|known| known == *value)
    }

    /// Each member that has a value, with what else it is called.
    fn members(&self) -> Vec<NamedMember> {
        let others: Box<dyn Fn(usize) -> Vec<String>> = match self {
            Self::Axis { measurement, axis, .. } => Box::new(|at| facts::names_at(measurement, *axis, at)),
            Self::List { rows, .. } => Box::new(|row| {
                let row = ListRow { rows, row };
                (0..rows.num_columns()).filter_map(|column| text(&row.at(column))).collect()
            }),
            Self::Table(table) => {
                let member = |(key, value)| {
                    Some(NamedMember { value: text(value)?, others: vec![str::to_owned(key)] })
                };
                let mut members: Vec<_> = table.entries().filter_map(member).collect();
                // The table has no order, but the same request is answered in the same words.
                members.sort_unstable_by(|one, other| one.others.cmp(&other.others));
                return members;
            }
        };
        let member = |(at, value)| Some(NamedMember { value: text(&value)?, others: others(at) });
        self.values().enumerate().filter_map(member).collect()
    }

    /// The values of the members that may be meant: those that another name of theirs names, else those that are written most alike,
    /// else those of which another name is.
    pub(super) fn nearest(&self, wanted: &str) -> Vec<String> {
        let sought = folded(wanted);
        let is_called = |name: &String| folded(name) == sought;
        let least_of = |names: &[String]| names.iter().filter_map(|name| distance(wanted, name)).min();
        let steps: [Step<'_>; 4] = [
            &|member| is_called(&member.value).then_some(Distance::Letters(0)),
            &|member| member.others.iter().any(is_called).then_some(Distance::Letters(0)),
            &|member| distance(wanted, &member.value),
            &|member| least_of(&member.others),
        ];
        let members = self.members();
        let found = steps.into_iter().map(|step| least(&members, step));
        found.into_iter().find(|values| !values.is_empty()).unwrap_or_default()
    }
}

/// How far a member is from what is looked for; `None` if it is another.
type Step<'a> = &'a dyn Fn(&NamedMember) -> Option<Distance>;

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
