//! Look-ups: what a row of another set says, by the key that leads to it.
//!
//! A navigation property to a list is turned into a look-up while it is bound, for the list is there to be read. What is left depends on one
//! column of the row alone, so that a condition over a path can be pushed down like one over the column itself.

use std::collections::HashMap;
use std::sync::Arc;

use crate::odata::value::Value;

/// Values by key. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupTable(Arc<Table>);

#[derive(Debug, PartialEq)]
struct Table {
    values: HashMap<Arc<str>, Value>,
    /// The value of every other key, and of no key.
    otherwise: Value,
}

impl LookupTable {
    pub(super) fn new(values: HashMap<Arc<str>, Value>, otherwise: Value) -> Self {
        Self(Arc::new(Table { values, otherwise }))
    }

    /// The value that the key leads to.
    #[must_use]
    pub fn value(&self, key: &Value) -> &Value {
        let found = if let Value::String(key) = key { self.0.values.get(key) } else { None };
        found.unwrap_or(&self.0.otherwise)
    }
}
