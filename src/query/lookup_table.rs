//! Lookup tables: values of another set's rows, by the key that leads to them.
//!
//! While an expression is bound, a navigation property to a list is replaced by a lookup table, because the list is available. The
//! expression then depends on one column of the row only, so a condition on a path is pushed down like one on that column.

use std::collections::HashMap;
use std::sync::Arc;

use crate::odata::value::Value;

/// Values by key. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupTable(Arc<Table>);

#[derive(Debug, PartialEq)]
struct Table {
    values: HashMap<Arc<str>, Value>,
    /// The value of all other keys, and of null.
    otherwise: Value,
}

impl LookupTable {
    pub(super) fn new(values: HashMap<Arc<str>, Value>, otherwise: Value) -> Self {
        Self(Arc::new(Table { values, otherwise }))
    }

    /// Whether both are clones of one table.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The bytes of the longest text among the values.
    #[must_use]
    pub fn longest_text(&self) -> u64 {
        let values = self.0.values.values().chain([&self.0.otherwise]);
        let length = |value: &Value| if let Value::String(text) = value { text.len() } else { 0 };
        values.map(length).max().unwrap_or(0) as u64
    }

    /// Keys with the values that they lead to, in no particular order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.values.iter().map(|(key, value)| (&**key, value))
    }

    /// The value that the key leads to.
    #[must_use]
    pub fn value(&self, key: &Value) -> &Value {
        let found = if let Value::String(key) = key { self.0.values.get(key) } else { None };
        found.unwrap_or(&self.0.otherwise)
    }
}
