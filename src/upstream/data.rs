//! The answer to a data request, in columns, with labels as the upstream writes them; `fetch` finds the members.

use std::sync::Arc;

use arrow_array::ArrayRef;

/// Labels and figures of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataTable {
    /// Headings of all columns, labels first.
    pub headings: Vec<String>,
    /// The period, then one column per hierarchy of the request.
    pub labels: Vec<LabelColumn>,
    /// One column of figures per measure, with nulls where the answer has `null`.
    pub figures: Vec<ArrayRef>,
}

impl DataTable {
    /// How many rows the answer has.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.labels.first().map_or(0, |column| column.keys.len())
    }
}

/// A dictionary-encoded column of labels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LabelColumn {
    pub values: Vec<Arc<str>>,
    /// Index of each row's label among the values.
    pub keys: Vec<u32>,
}
