//! What a probe found of the upstream, kept as `dialect.json` in the origin's folder and obeyed by the client.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalogue::measure::Unit;
use crate::upstream::forms::KnownForms;

/// The file's name.
pub const DIALECT_FILE: &str = "dialect.json";

/// How one upstream differs from its description.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dialect {
    pub asked_at: Option<DateTime<Utc>>,
    /// Names of the points that were seen.
    pub seen: Vec<String>,
    /// Forms of selections.
    pub forms: KnownForms,
    /// Cells that one request may ask for, where that is less than documented.
    pub cell_limit: Option<u64>,
    /// Units that figures suggest, by table and measure.
    pub units: BTreeMap<String, BTreeMap<String, Unit>>,
}

/// The file is there and is no dialect.
#[derive(Debug, thiserror::Error)]
pub enum DialectError {
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("it is no dialect: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Dialect {
    /// The dialect in a folder; the usual one where none was written.
    ///
    /// # Errors
    /// When a file is there that cannot be used.
    pub fn read(folder: &Path) -> Result<Self, DialectError> {
        match std::fs::read(folder.join(DIALECT_FILE)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }
}
