//! Who reads, and what.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::sign_in::name::UserName;

/// Who reads: a user, or everybody where nobody has to sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reader {
    /// The user, if one has signed in.
    pub user: Option<UserName>,
    pub tables: Tables,
}

/// The tables that may be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tables {
    #[default]
    All,
    /// By their ids in lower case.
    Only(Arc<BTreeSet<String>>),
}

impl Reader {
    /// Somebody who has not signed in, and may read nothing.
    #[must_use]
    pub fn nobody() -> Self {
        Self { user: None, tables: Tables::Only(Arc::default()) }
    }
}

impl Tables {
    /// Whether a table may be read, in whichever case its id is written.
    #[must_use]
    pub fn allow(&self, table: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(&table.to_lowercase()),
        }
    }
}
