//! The simulator's faults: which are switched on, and which request each hits.
//!
//! `routes` applies a fault to an answer.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which calls the counted faults hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Endpoint {
    Subjects,
    Tables,
    Table,
    #[default]
    Data,
    Any,
}

/// Refusals with 429.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimited {
    /// How many requests are refused.
    pub count: u32,
    /// Seconds sent as `Retry-After`; none: no such header.
    pub retry_after: Option<u64>,
}

/// Everything that can be switched on. A number says how many of the next requests are hit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Closed or open whatever the clock says; none: as the clock says.
    pub closed: Option<bool>,
    /// How long every answer waits.
    pub delay_ms: u64,
    /// The gateway's 403 in plain text.
    pub forbidden: u32,
    /// 401, whatever the token.
    pub unauthorized: u32,
    /// 500.
    pub server_error: u32,
    pub rate_limited: RateLimited,
    /// No answer for an hour.
    pub hang: u32,
    /// The connection breaks before the body.
    pub drop: u32,
    /// A body that ends in the middle.
    pub truncate: u32,
    /// An HTML page with status 200.
    pub html: u32,
    /// Headings that do not belong to the request.
    pub wrong_columns: u32,
    /// Figures as texts and lists.
    pub wrong_types: u32,
    /// A label that the table's metadata does not have.
    pub unknown_label: u32,
    /// More rows than there are, under labels that the table's metadata does not have, in each column and in all.
    pub unknown_rows: u32,
    /// Tables in the middle of an update: 422 for every period type.
    pub updating: BTreeSet<String>,
    /// Cells that one request may ask for, instead of the limit given at the start.
    pub cell_limit: Option<u64>,
    /// Whether labels count as cells, instead of what was given at the start.
    pub count_all_columns: Option<bool>,
    /// The calls that the counted faults hit.
    pub endpoint: Endpoint,
    /// The only table that the counted faults hit.
    pub table: Option<String>,
}

/// A fault that hits one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    Hang,
    Drop,
    Forbidden,
    ServerError,
    RateLimited { retry_after: Option<u64> },
    Html,
    Unauthorized,
    Truncate,
    WrongColumns,
    WrongTypes,
    UnknownLabel,
    UnknownRows,
}

/// The JSON does not describe faults.
#[derive(Debug, thiserror::Error)]
#[error("no description of faults: {0}")]
pub struct FaultsError(#[from] serde_json::Error);

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(serde_json::from_str(text)?)
    }
}

impl Faults {
    /// The same faults with the fields of `changes` set.
    pub fn changed_by(&self, changes: &Value) -> Result<Self, FaultsError> {
        let changes = Map::deserialize(changes)?;
        let mut merged = Map::deserialize(serde_json::to_value(self)?)?;
        merged.extend(changes);
        Ok(serde_json::from_value(Value::Object(merged))?)
    }

    /// The fault that hits a request, if any; its counter is decreased.
    pub fn take(&mut self, endpoint: Endpoint, table: Option<&str>) -> Option<Fault> {
        let hits_endpoint = self.endpoint == Endpoint::Any || self.endpoint == endpoint;
        let hits_table = self.table.as_deref().is_none_or(|only| Some(only) == table);
        if !hits_endpoint || !hits_table {
            return None;
        }
        let retry_after = self.rate_limited.retry_after;
        let counters = [
            (&mut self.hang, Fault::Hang),
            (&mut self.drop, Fault::Drop),
            (&mut self.forbidden, Fault::Forbidden),
            (&mut self.server_error, Fault::ServerError),
            (&mut self.rate_limited.count, Fault::RateLimited { retry_after }),
            (&mut self.html, Fault::Html),
            (&mut self.unauthorized, Fault::Unauthorized),
            (&mut self.truncate, Fault::Truncate),
            (&mut self.wrong_columns, Fault::WrongColumns),
            (&mut self.wrong_types, Fault::WrongTypes),
            (&mut self.unknown_label, Fault::UnknownLabel),
            (&mut self.unknown_rows, Fault::UnknownRows),
        ];
        let (counter, fault) = counters.into_iter().find(|(counter, _)| **counter > 0)?;
        *counter -= 1;
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_hits_as_often_as_it_says() {
        let mut faults = Faults { forbidden: 2, ..Faults::default() };
        let taken: Vec<_> = (0..3).map(|_| faults.take(Endpoint::Data, Some("y25i01"))).collect();
        assert_eq!(taken, [Some(Fault::Forbidden), Some(Fault::Forbidden), None]);
    }

    #[test]
    fn a_fault_hits_only_the_calls_and_the_table_it_is_meant_for() {
        let mut faults = Faults { drop: 1, table: Some("y25i01".into()), ..Faults::default() };
        assert_eq!(faults.take(Endpoint::Tables, None), None);
        assert_eq!(faults.take(Endpoint::Data, Some("y01a02")), None);
        assert_eq!(faults.take(Endpoint::Data, Some("y25i01")), Some(Fault::Drop));
    }

    #[test]
    fn changes_leave_the_other_faults_alone() {
        let faults = Faults { delay_ms: 5, ..Faults::default() };
        let changed = faults.changed_by(&serde_json::json!({ "hang": 1 })).unwrap();
        assert_eq!(changed, Faults { delay_ms: 5, hang: 1, ..Faults::default() });
        assert!(faults.changed_by(&serde_json::json!({ "hangs": 1 })).is_err());
        assert!(faults.changed_by(&serde_json::json!([])).is_err());
    }
}
