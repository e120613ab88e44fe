//! The values of an expression for the rows of a batch.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, StringArray};
use arrow_select::concat::concat;
use arrow_select::filter::filter;
use arrow_select::take::take;

use super::EvalError;
use crate::budget::work::{self, WorkError};
use crate::feed::arrays::value_at;
use crate::odata::value::Value;

/// One value for each row.
#[derive(Debug, Clone)]
pub enum ColumnarValue {
    /// The same value for every row.
    Scalar(Value),
    /// An arrow array of a type that frames have.
    Array(ArrayRef),
    /// Single values, for numbers whose type depends on the row and for types that frames do not have.
    Values(Vec<Value>),
}

impl From<BooleanArray> for ColumnarValue {
    fn from(truths: BooleanArray) -> Self {
        Self::Array(Arc::new(truths))
    }
}

impl ColumnarValue {
    /// The value of a row.
    #[must_use]
    pub fn value(&self, row: usize) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::Array(array) => value_at(array, row),
            Self::Values(values) => values.get(row).cloned().unwrap_or(Value::Null),
        }
    }

    /// The values of so many rows.
    pub fn values(&self, rows: usize) -> impl Iterator<Item = Value> {
        (0..rows).map(|row| self.value(row))
    }

    /// For each row whether it is true, false or, as null, unknown.
    ///
    /// # Errors
    /// When a value is not a boolean.
    pub fn truths(&self, rows: usize) -> Result<BooleanArray, EvalError> {
        if let Self::Array(array) = self
            && let Some(truths) = array.as_boolean_opt()
        {
            return Ok(truths.clone());
        }
        let truth = |value| match value {
            Value::Boolean(known) => Ok(Some(known)),
            Value::Null => Ok(None),
            _ => Err(EvalError::Undefined { operation: "a condition" }),
        };
        if let Self::Scalar(value) = self {
            return Ok(BooleanArray::from(vec![truth(value.clone())?; rows]));
        }
        self.values(rows).map(truth).collect()
    }

    /// Applies a predicate to each text; unknown for null.
    pub(super) fn truths_of_texts(
        &self,
        rows: usize,
        holds: impl Fn(&str) -> Result<bool, WorkError>,
    ) -> Result<BooleanArray, EvalError> {
        let texts = Texts::of(self);
        Ok((0..rows).map(|row| texts.get(row).map(&holds).transpose()).collect::<Result<_, _>>()?)
    }

    /// Applies a function to each value.
    pub(super) fn map(
        &self,
        rows: usize,
        to: impl Fn(&Value) -> Result<Value, EvalError>,
    ) -> Result<Self, EvalError> {
        match self {
            Self::Scalar(value) => Ok(Self::Scalar(to(value)?)),
            _ => Ok(Self::Values(self.values(rows).map(|value| to(&value)).collect::<Result<_, _>>()?)),
        }
    }

    /// Applies a function to pairs of values.
    pub(super) fn zip(
        &self,
        other: &Self,
        rows: usize,
        to: impl Fn(&Value, &Value) -> Result<Value, EvalError>,
    ) -> Result<Self, EvalError> {
        match other {
            Self::Scalar(other) => self.map(rows, |value| to(value, other)),
            _ => {
                let pairs = self.values(rows).zip(other.values(rows));
                Ok(Self::Values(pairs.map(|(value, other)| to(&value, &other)).collect::<Result<_, _>>()?))
            }
        }
    }

    /// A run of rows.
    pub(super) fn slice(&self, first: usize, count: usize) -> Self {
        match self {
            Self::Scalar(value) => Self::Scalar(value.clone()),
            Self::Array(array) => Self::Array(array.slice(first, count)),
            Self::Values(values) => Self::Values(values.iter().skip(first).take(count).cloned().collect()),
        }
    }

    /// The rows that a mask selects.
    pub(super) fn filter(&self, selected: &BooleanArray) -> Result<Self, EvalError> {
        Ok(match self {
            Self::Scalar(value) => Self::Scalar(value.clone()),
            Self::Array(array) => Self::Array(filter(array, selected)?),
            Self::Values(values) => {
                let selected = values.iter().zip(selected.values()).filter(|(_, selected)| *selected);
                Self::Values(selected.map(|(value, _)| value.clone()).collect())
            }
        })
    }

    /// The bytes of all texts of so many rows.
    #[must_use]
    pub fn text_bytes(&self, rows: usize) -> usize {
        let texts = Texts::of(self);
        let length = |row| texts.get(row).map_or(0, str::len);
        match texts {
            Texts::Scalar(_) => length(0).saturating_mul(rows),
            _ => (0..rows).map(length).sum(),
        }
    }

    /// These rows, in this order. Their texts count towards what the request may write.
    pub(super) fn take(&self, rows: &Int32Array) -> Result<Self, EvalError> {
        let texts = Texts::of(self);
        let length =
            |&row: &i32| usize::try_from(row).ok().and_then(|row| texts.get(row)).map_or(0, str::len);
        work::write_text(rows.values().iter().map(length).sum())?;
        Ok(match self {
            Self::Scalar(value) => Self::Scalar(value.clone()),
            Self::Array(array) => Self::Array(take(array, rows, None)?),
            Self::Values(values) => {
                let value = |&row: &i32| usize::try_from(row).ok().and_then(|row| values.get(row)).cloned();
                Self::Values(rows.values().iter().map(|row| value(row).unwrap_or(Value::Null)).collect())
            }
        })
    }

    /// Concatenates two columns, each given with its number of rows.
    pub(super) fn concat(parts: Vec<(Self, usize)>) -> Result<Self, EvalError> {
        let array = |(part, _): &(Self, usize)| {
            if let Self::Array(array) = part { Some(array.clone()) } else { None }
        };
        if let Some(arrays) = parts.iter().map(array).collect::<Option<Vec<_>>>() {
            return Ok(Self::Array(concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>())?));
        }
        Ok(Self::Values(parts.iter().flat_map(|(part, rows)| part.values(*rows)).collect()))
    }
}

/// The texts of a column, read without copying. Values that are not texts are null.
#[derive(Debug)]
pub enum Texts<'a> {
    Scalar(Option<&'a str>),
    Array(&'a StringArray),
    /// For each row the index of its text among the distinct ones.
    Dictionary(&'a Int32Array, &'a StringArray),
    Values(&'a [Value]),
}

impl<'a> Texts<'a> {
    pub fn of(column: &'a ColumnarValue) -> Self {
        match column {
            ColumnarValue::Scalar(value) => Self::Scalar(text(value)),
            ColumnarValue::Values(values) => Self::Values(values),
            ColumnarValue::Array(array) => {
                let dictionary = array.as_dictionary_opt::<Int32Type>();
                let distinct = dictionary.and_then(|of| Some((of.keys(), of.values().as_string_opt()?)));
                match (array.as_string_opt(), distinct) {
                    (Some(texts), _) => Self::Array(texts),
                    (None, Some((keys, texts))) => Self::Dictionary(keys, texts),
                    (None, None) => Self::Scalar(None),
                }
            }
        }
    }

    /// The text of a row.
    pub fn get(&self, row: usize) -> Option<&'a str> {
        let at = |texts: &'a StringArray, row: usize| texts.is_valid(row).then(|| texts.value(row));
        match self {
            Self::Scalar(text) => *text,
            Self::Array(texts) => at(texts, row),
            Self::Dictionary(keys, texts) => keys
                .is_valid(row)
                .then(|| usize::try_from(keys.value(row)).ok())
                .flatten()
                .and_then(|key| at(texts, key)),
            Self::Values(values) => values.get(row).and_then(text),
        }
    }
}

/// A value for one row. A text counts towards what the request may write.
pub(super) fn written(value: Value) -> Result<Value, EvalError> {
    text(&value).map_or(Ok(()), |text| work::write_text(text.len()))?;
    Ok(value)
}

/// The text, if the value is one.
pub(super) fn text(value: &Value) -> Option<&str> {
    if let Value::String(text) = value { Some(text) } else { None }
}
