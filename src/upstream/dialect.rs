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

/// The version of the file's format. Files of the first version do not say which they are.
const VERSION: u32 = 2;
/// The oldest version that is read.
const OLDEST: u32 = 1;

/// What the file says.
#[derive(Serialize, Deserialize)]
struct Saved<D> {
    #[serde(default = "oldest")]
    version: u32,
    #[serde(flatten)]
    dialect: D,
}

fn oldest() -> u32 {
    OLDEST
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DialectError {
    #[error("it cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error(
        "it has the form {found}, expected {OLDEST} to {VERSION}: a newer version of the program wrote it"
    )]
    Version { found: u32 },
    #[error("it is no dialect: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Dialect {
    /// What the file is to say.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn text(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Saved { version: VERSION, dialect: self })
    }

    /// The dialect that is stored in a folder. Without a file, the upstream is taken to be as it is described.
    ///
    /// # Errors
    /// When a file is there that cannot be used.
    pub fn read(folder: &Path) -> Result<Self, DialectError> {
        match std::fs::read(folder.join(DIALECT_FILE)) {
            Ok(text) => match serde_json::from_slice(&text)? {
                Saved { version: OLDEST..=VERSION, dialect } => Ok(dialect),
                Saved { version: found, .. } => Err(DialectError::Version { found }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }
}
