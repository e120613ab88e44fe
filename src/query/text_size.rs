//! How many bytes of text a query can write, known before any row is read: a text that is concatenated with itself again and again
//! doubles with every step.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, StringArray};

use super::apply::{Grouping, Step};
use super::{BoundExpr, BoundExprKind, BoundQuery};
use crate::feed::column::{Column, Fact};
use crate::feed::{CellSource, RowSource, Set};
use crate::odata::functions::Function;
use crate::odata::value::{PrimitiveType, Value};

/// The most bytes of a number, date or time as text, and of a status.
const SHORT_TEXT: u64 = 64;
/// The most bytes of the id of an observation.
const OBSERVATION_ID: u64 = 512;
/// The usual bytes of these, and of other texts of which nothing is known.
const USUAL_SHORT_TEXT: u64 = 4;
const USUAL_ID: u64 = 48;
const USUAL_TEXT: u64 = 16;
/// How much longer a text can become in the other letter case: `ΐ` has two bytes, its capital letters have six.
const LETTER_CASE: u64 = 3;
/// No column of labels has more distinct texts. An expression over one such column is evaluated once for each.
const DISTINCT: u64 = 20_000;

/// Sizes in bytes for one row.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// The longest text that an expression gives.
    longest: u64,
    /// All texts that are written on the way to it.
    written: u64,
}

/// The most bytes of text that evaluating the query writes, if so many rows are read and so many are shown.
#[must_use]
pub fn written(query: &BoundQuery, set: &Set, rows: u64, shown: u64) -> u64 {
    let steps = || query.apply.iter().flat_map(|apply| &apply.steps);
    let condition = query.condition(set);
    let own = || query.order.iter().map(|key| &key.expr).chain(&condition);
    let computed = || query.computed.iter().map(|computed| &computed.expr);
    let filter = || query.apply.iter().flat_map(|apply| &apply.filter);
    let mut all = steps().flat_map(Step::expressions).chain(filter()).chain(own()).chain(computed());
    if !all.any(|expr| expr.nodes().any(|node| node.writes_text() || node.as_literal().is_some())) {
        return 0;
    }
    let source = query.apply.as_ref().map_or(set, |apply| &apply.source);
    let mut columns: Vec<u64> =
        (0..source.columns.len()).map(|column| longest_text(source, column)).collect();
    let mut bytes: u64 = filter().map(|filter| over_rows(filter, &columns, rows)).sum();
    for step in steps() {
        let size = if matches!(step, Step::Compute(..)) { as_column } else { over_rows };
        let of_step = step.expressions().into_iter().map(|expr| size(expr, &columns, rows));
        bytes = of_step.fold(bytes, u64::saturating_add);
        columns = after(step, columns);
    }
    let own = own().map(|expr| over_rows(expr, &columns, rows));
    let computed = computed().map(|expr| as_column(expr, &columns, rows.min(shown)));
    own.chain(computed).fold(bytes, u64::saturating_add)
}

/// The longest text of each column behind a step.
fn after(step: &Step, mut columns: Vec<u64>) -> Vec<u64> {
    match step {
        Step::Compute(width, computed) => {
            let longest: Vec<u64> =
                computed.iter().map(|value| size(&value.expr, &columns).longest).collect();
            columns.truncate(*width);
            columns.extend(longest);
            columns
        }
        Step::Group(Grouping { by, aggregates }) => {
            let read =
                by.iter().copied().map(Some).chain(aggregates.iter().map(|aggregate| aggregate.column()));
            read.map(|column| column.and_then(|column| columns.get(column)).copied().unwrap_or(0)).collect()
        }
        Step::Filter(_) | Step::Order(_) | Step::Top(_) | Step::Skip(_) | Step::Extremes(..) => columns,
    }
}

/// The bytes that an expression writes for so many rows.
fn over_rows(expr: &BoundExpr, columns: &[u64], rows: u64) -> u64 {
    match &expr.kind {
        BoundExprKind::And(terms) | BoundExprKind::Or(terms) => {
            terms.iter().map(|term| over_rows(term, columns, rows)).fold(0, u64::saturating_add)
        }
        _ => {
            let Size { longest, written } = size(expr, columns);
            let is_looked_up = expr.only_column().is_some() && !expr.can_fail();
            if is_looked_up && expr.writes_text() {
                // Evaluated once for each distinct text, then copied to the rows.
                written.saturating_mul(rows.min(DISTINCT)).saturating_add(longest.saturating_mul(rows))
            } else {
                written.saturating_mul(if is_looked_up { rows.min(DISTINCT) } else { rows })
            }
        }
    }
}

/// The bytes that an expression writes for so many rows if its values become a column: texts that are there already are copied.
fn as_column(expr: &BoundExpr, columns: &[u64], rows: u64) -> u64 {
    let copied = if expr.writes_text() { 0 } else { size(expr, columns).longest };
    over_rows(expr, columns, rows).saturating_add(copied.saturating_mul(rows))
}

fn size(expr: &BoundExpr, columns: &[u64]) -> Size {
    let operands: Vec<Size> = expr.operands().into_iter().map(|operand| size(operand, columns)).collect();
    let longest_operand = operands.iter().map(|size| size.longest).max().unwrap_or(0);
    let longest = match &expr.kind {
        _ if expr.primitive != Some(PrimitiveType::String) => 0,
        BoundExprKind::Literal(value) => {
            if let Value::String(text) = value {
                text.len() as u64
            } else {
                0
            }
        }
        BoundExprKind::Column(column) => columns.get(*column).copied().unwrap_or(0),
        BoundExprKind::Lookup(_, table) => table.longest_text(),
        BoundExprKind::Call(function, _) => longest_result(*function, &operands),
        BoundExprKind::Cast(..) => longest_operand.max(SHORT_TEXT),
        // One of several texts.
        _ => longest_operand,
    };
    let before = operands.iter().fold(0, |sum: u64, size| sum.saturating_add(size.written));
    Size { longest, written: if expr.writes_text() { before.saturating_add(longest) } else { before } }
}

/// The longest text that a function writes.
fn longest_result(function: Function, operands: &[Size]) -> u64 {
    let longest = || operands.iter().map(|size| size.longest).max().unwrap_or(0);
    match function {
        Function::Concat => operands.iter().fold(0, |sum: u64, size| sum.saturating_add(size.longest)),
        Function::ToLower | Function::ToUpper => longest().saturating_mul(LETTER_CASE),
        Function::Substring | Function::Trim => longest(),
        Function::Contains | Function::StartsWith | Function::EndsWith => 0,
        Function::Length | Function::IndexOf => 0,
        Function::Year | Function::Month | Function::Day | Function::Hour | Function::Minute => 0,
        Function::Second | Function::FractionalSeconds | Function::TotalOffsetMinutes => 0,
        Function::TotalSeconds | Function::Date | Function::Time => 0,
        Function::Round | Function::Floor | Function::Ceiling => 0,
    }
}

/// The usual number of bytes of the texts in a column of the set.
#[must_use]
pub fn usual_text(set: &Set, column: usize) -> u64 {
    let lengths = lengths(set, column);
    match lengths.as_slice() {
        [] => USUAL_TEXT,
        [OBSERVATION_ID] => USUAL_ID,
        [SHORT_TEXT] => USUAL_SHORT_TEXT,
        several => several.iter().sum::<u64>() / several.len() as u64,
    }
}

/// The longest text in a column of the set.
fn longest_text(set: &Set, column: usize) -> u64 {
    lengths(set, column).into_iter().max().unwrap_or(0)
}

/// The lengths of the different texts in a column of the set.
fn lengths(set: &Set, column: usize) -> Vec<u64> {
    match (&set.rows, set.columns.get(column)) {
        (RowSource::List(batch), _) => batch.columns().get(column).map(lengths_in).unwrap_or_default(),
        (RowSource::Cells(source), Some(column)) => lengths_of(source, column),
        (RowSource::Cells(_), None) => Vec::new(),
    }
}

fn lengths_in(array: &ArrayRef) -> Vec<u64> {
    let distinct = array.as_dictionary_opt::<Int32Type>().map_or(array, |dictionary| dictionary.values());
    let texts: Option<&StringArray> = distinct.as_string_opt();
    texts.into_iter().flatten().flatten().map(|text| text.len() as u64).collect()
}

fn lengths_of(source: &CellSource, column: &Column) -> Vec<u64> {
    if let Some(values) = source.axis_column(column) {
        let texts: Option<&StringArray> = values.as_string_opt();
        let length = |text: Option<&str>| text.map_or(0, |text| text.len() as u64);
        return texts.map_or_else(|| vec![0], |texts| texts.iter().map(length).collect());
    }
    match column.fact {
        Fact::ObservationId => vec![OBSERVATION_ID],
        Fact::Status | Fact::ValueAttribute => vec![SHORT_TEXT],
        Fact::Measure(_) | Fact::Value | Fact::Updated => Vec::new(),
        // These stand on an axis, or in lists.
        Fact::Period(_) | Fact::Member(..) | Fact::MeasureCode | Fact::Listed(_) => Vec::new(),
    }
}
