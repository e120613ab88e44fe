//! The answer to a data request, in columns, with labels as the upstream writes them; `fetch` finds the members.

use std::sync::Arc;

/// Labels and figures of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataTable {
    /// Headings of all columns, labels first.
    pub headings: Vec<String>,
    /// The period, then one column per hierarchy of the request.
    pub labels: Vec<LabelColumn>,
    /// One column per measure: figures in units of 10⁻¹⁸ (see `catalogue::value`), `None` for `null`.
    pub figures: Vec<Vec<Option<i128>>>,
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
