//! Text that is made of a cell once and written for all rows that have the same value.

use arrow_array::Array;

use super::PayloadError;
use super::column::{ColumnValues, code, no_such_row};

/// The texts of a column's values, as far as they are made.
#[derive(Debug)]
pub(super) enum ReadyTexts {
    /// Rows of other types have too many different values.
    None,
    /// For each value of a dictionary; empty until a row has it.
    Coded(Vec<Vec<u8>>),
    /// Of the day or instant that was written last, if one was: the rows of a period have the same one.
    Last(Option<i64>, Vec<u8>),
}

impl ReadyTexts {
    /// For a column of which so many rows are written. A dictionary that has more values is not worth it.
    pub fn of(cells: &ColumnValues<'_>, rows: usize) -> Self {
        match cells {
            ColumnValues::Coded(_, values) if values.len() <= rows => {
                Self::Coded(vec![Vec::new(); values.len()])
            }
            ColumnValues::Date(_) | ColumnValues::Timestamp(..) => Self::Last(None, Vec::new()),
            _ => Self::None,
        }
    }

    /// The text of a cell, which must not be null, made if it was not yet; `None` if it is to be made for this row alone.
    #[inline]
    pub fn text(
        &mut self,
        cells: &ColumnValues<'_>,
        row: usize,
        make: impl FnOnce(&mut Vec<u8>) -> Result<(), PayloadError>,
    ) -> Result<Option<&[u8]>, PayloadError> {
        match (self, cells) {
            (Self::Coded(texts), ColumnValues::Coded(keys, _)) => {
                let (code, values) = (code(keys, row), texts.len());
                let text = texts.get_mut(code).ok_or_else(|| no_such_row(code, values))?;
                if text.is_empty() {
                    make(text)?;
                }
                Ok(Some(text))
            }
            (Self::Last(last, text), cells) => {
                let value = cells.moment(row);
                if *last != value {
                    text.clear();
                    make(text)?;
                    *last = value;
                }
                Ok(Some(text))
            }
            _ => Ok(None),
        }
    }
}
