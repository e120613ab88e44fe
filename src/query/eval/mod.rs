//! Evaluates a bound expression for the rows of a batch, in OData's three-valued logic: true, false and null for unknown. A
//! comparison is never unknown: with null it is false. Only boolean columns, functions and `case` can be null. Operators take and
//! return whole columns.
//!
//! An expression that depends on one dictionary-encoded column only is evaluated once for each distinct value. An operand that can fail,
//! for example by a division by zero, is not evaluated for rows that earlier operands decide.

mod arithmetic;
mod column;
mod compare;
mod function;
mod logic;
mod rows;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use arrow_array::Int32Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_schema::ArrowError;
use thiserror::Error;

pub use column::ColumnarValue;
pub use rows::{NoColumns, Rows};

use self::column::written;
use self::rows::{DistinctValues, Slice};
use super::{BoundExpr, BoundExprKind, cast};
use crate::budget::work::{self, WorkError};
use crate::odata::value::Value;

/// How many rows are evaluated at once: enough for columns to be efficient, few enough to bound the size of intermediate results.
const BATCH_ROWS: usize = 16_384;

/// Why an expression has no value for a row.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvalError {
    #[error("division by zero")]
    DivisionByZero,
    #[error("the result of {operation} is out of range")]
    OutOfRange { operation: &'static str },
    #[error("{operation} is not defined on these values")]
    Undefined { operation: &'static str },
    /// The request has used up what it may use.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl EvalError {
    /// One Danish sentence that says what to do.
    #[must_use]
    pub fn danish(&self) -> String {
        let sentence = match self {
            Self::DivisionByZero => "Udtrykket dividerer med nul; udeluk de rækker først.",
            Self::OutOfRange { .. } => "Udregningen giver en værdi uden for det mulige; ret udtrykket.",
            Self::Undefined { .. } => "Udregningen giver ingen mening for værdierne; ret udtrykket.",
            Self::Work(error) => return error.danish(),
        };
        sentence.to_owned()
    }
}

impl From<ArrowError> for EvalError {
    /// The arrow kernels used here fail only if a column becomes too large.
    fn from(_: ArrowError) -> Self {
        Self::OutOfRange { operation: "a column" }
    }
}

/// The values of the expression for the rows.
///
/// # Errors
/// When the OData standard defines an error, such as for a division by zero.
pub fn evaluate(expr: &BoundExpr, rows: &dyn Rows) -> Result<ColumnarValue, EvalError> {
    let evaluator = Evaluator { row_count: rows.len(), by_distinct_value: RefCell::default() };
    if rows.len() <= BATCH_ROWS || expr.operands().is_empty() {
        return evaluator.evaluate(expr, rows);
    }
    let batch = |first| {
        let count = BATCH_ROWS.min(rows.len() - first);
        evaluator.evaluate(expr, &Slice { rows, first, count }).map(|column| (column, count))
    };
    let batches = (0..rows.len()).step_by(BATCH_ROWS).map(batch);
    ColumnarValue::concat(batches.collect::<Result<_, _>>()?)
}

/// The unary minus of one value.
pub(super) fn negate(value: &Value) -> Result<Value, EvalError> {
    arithmetic::negate(value)
}

/// The values of an expression for each distinct value of its column, followed by that for null.
struct ByDistinctValue {
    column: usize,
    results: ColumnarValue,
    null: i32,
}

struct Evaluator {
    /// The number of rows of all batches.
    row_count: usize,
    /// Values by distinct value, by the address of the expression; `None` for expressions that cannot be evaluated like this.
    by_distinct_value: RefCell<HashMap<usize, Option<Rc<ByDistinctValue>>>>,
}

impl Evaluator {
    fn evaluate(&self, expr: &BoundExpr, rows: &dyn Rows) -> Result<ColumnarValue, EvalError> {
        match &expr.kind {
            BoundExprKind::Literal(value) => Ok(ColumnarValue::Scalar(value.clone())),
            BoundExprKind::Column(column) => rows.column(*column),
            _ => {
                work::check()?;
                match self.looked_up(expr, rows)? {
                    Some(found) => Ok(found),
                    None => self.by_operands(expr, rows),
                }
            }
        }
    }

    /// Evaluates the operands, then applies the operator. Recursive, so the operators are applied by [`apply`], which keeps the stack
    /// frame of this function small.
    fn by_operands(&self, expr: &BoundExpr, rows: &dyn Rows) -> Result<ColumnarValue, EvalError> {
        match &expr.kind {
            BoundExprKind::Literal(_) | BoundExprKind::Column(_) => self.evaluate(expr, rows),
            BoundExprKind::And(terms) => self.decide(terms, rows, false).map(ColumnarValue::from),
            BoundExprKind::Or(terms) => self.decide(terms, rows, true).map(ColumnarValue::from),
            BoundExprKind::Case(cases) => self.first_true(cases, rows),
            _ => apply(expr, &self.operands(expr, rows)?, rows.len()),
        }
    }

    fn operands(&self, expr: &BoundExpr, rows: &dyn Rows) -> Result<Vec<ColumnarValue>, EvalError> {
        expr.operands().into_iter().map(|operand| self.evaluate(operand, rows)).collect()
    }

    /// The values by distinct value, if the expression reads only one dictionary-encoded column.
    fn looked_up(&self, expr: &BoundExpr, rows: &dyn Rows) -> Result<Option<ColumnarValue>, EvalError> {
        let address = std::ptr::from_ref(expr).addr();
        let known = self.by_distinct_value.borrow().get(&address).cloned();
        let found = match known {
            Some(found) => found,
            None => {
                let found = self.distinct_values(expr, rows)?.map(Rc::new);
                self.by_distinct_value.borrow_mut().insert(address, found.clone());
                found
            }
        };
        let Some(found) = found else { return Ok(None) };
        let ByDistinctValue { column, results, null } = &*found;
        let ColumnarValue::Array(array) = rows.column(*column)? else { return Ok(None) };
        let keys = array.as_dictionary_opt::<Int32Type>().map(|dictionary| dictionary.keys());
        let rows = keys.map(|keys| keys.iter().map(|key| Some(key.unwrap_or(*null))).collect());
        rows.map(|rows: Int32Array| results.take(&rows)).transpose()
    }

    fn distinct_values(
        &self,
        expr: &BoundExpr,
        rows: &dyn Rows,
    ) -> Result<Option<ByDistinctValue>, EvalError> {
        let Some(column) = expr.only_column().filter(|_| !expr.can_fail()) else { return Ok(None) };
        let ColumnarValue::Array(array) = rows.column(column)? else { return Ok(None) };
        let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() else { return Ok(None) };
        // A slice of a large frame may have more distinct values than rows.
        let count = dictionary.values().len();
        let Some(null) = i32::try_from(count).ok().filter(|_| count <= self.row_count) else {
            return Ok(None);
        };
        let results = self.by_operands(expr, &DistinctValues::new(column, dictionary.values())?)?;
        Ok(Some(ByDistinctValue { column, results, null }))
    }
}

/// Applies an operator to the values of all its operands.
fn apply(expr: &BoundExpr, operands: &[ColumnarValue], count: usize) -> Result<ColumnarValue, EvalError> {
    use BoundExprKind as Kind;
    let undefined = EvalError::Undefined { operation: "any/all/$count" };
    let operand = |number: usize| operands.get(number).ok_or_else(|| undefined.clone());
    match &expr.kind {
        Kind::Not(_) => Ok(logic::not(operand(0)?, count)?.into()),
        Kind::Negate(_) => operand(0)?.map(count, negate),
        Kind::Compare(comparison, ..) => {
            Ok(compare::compare(*comparison, operand(0)?, operand(1)?, count)?.into())
        }
        Kind::In(_, values) => Ok(compare::is_in(operand(0)?, values, count)?.into()),
        Kind::Arithmetic(operator, ..) => {
            let apply = |left: &Value, right: &Value| arithmetic::apply(*operator, left, right);
            operand(0)?.zip(operand(1)?, count, apply)
        }
        Kind::Call(function, _) => function::call(*function, operands, count),
        Kind::Matches(_, pattern) => {
            let matches = |text: &str| work::check().map(|()| pattern.matches(text));
            Ok(operand(0)?.truths_of_texts(count, matches)?.into())
        }
        Kind::Cast(to, _) => operand(0)?.map(count, |value| written(cast::cast(value, *to))),
        Kind::Lookup(_, table) => operand(0)?.map(count, |key| written(table.value(key).clone())),
        Kind::ContainsWords(_, words) => Ok(compare::contains_words(operand(0)?, words, count)?.into()),
        // Evaluated by the caller, or replaced by a lookup table before.
        Kind::Literal(_) | Kind::Column(_) | Kind::And(_) | Kind::Or(_) | Kind::Case(_) => Err(undefined),
        Kind::LambdaAggregate(..) => Err(undefined),
    }
}
