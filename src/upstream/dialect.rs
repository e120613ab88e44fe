//! The dialect: how the upstream differs from its description, as far as a probe has found out. It is stored as `dialect.json` in the
//! origin's folder, and requests are planned by it.

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
    /// When the probe asked.
    pub asked_at: Option<DateTime<Utc>>,
    /// Names of the points in which the upstream differs.
    pub seen: Vec<String>,
    /// Which forms of selections the upstream answered, and which it refused.
    pub forms: KnownForms,
    /// The most cells of one request, if that is less than documented.
    pub cell_limit: Option<u64>,
    /// Units that the size of figures suggests, by table and measure.
    pub units: BTreeMap<String, BTreeMap<String, Unit>>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DialectError {
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("it is no dialect: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Dialect {
    /// The dialect that is stored in a folder. Without a file, the upstream is taken to be as it is described.
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
