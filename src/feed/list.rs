//! Reads values from the rows of lists. Binding uses it to resolve navigation properties that lead to a list.

use arrow_array::RecordBatch;

use crate::feed::arrays::value_at;
use crate::odata::value::Value;

/// One row of a list.
#[derive(Debug, Clone, Copy)]
pub struct ListRow<'a> {
    pub rows: &'a RecordBatch,
    pub row: usize,
}

impl ListRow<'_> {
    /// The value in a column of the list.
    #[must_use]
    pub fn at(&self, column: usize) -> Value {
        self.rows.columns().get(column).map_or(Value::Null, |array| value_at(array, self.row))
    }
}
