//! Who reads, and what.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::budget::client::Client;
use crate::sign_in::name::UserName;

/// Who reads: a user, or everybody where nobody has to sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reader {
    /// The user, if one has signed in.
    pub user: Option<Identity>,
    pub tables: Tables,
    /// When the grant of the link ends by which somebody reads, in seconds of Unix time; `None` for who has signed in.
    pub granted_until: Option<i64>,
}

/// Who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A user of the file.
    User(UserName),
    /// Somebody with an account of the organisation.
    Account(Account),
}

/// An account of the organisation, as a token describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What the issuer names it.
    pub subject: String,
    /// Its groups and roles.
    pub groups: BTreeSet<UserName>,
    /// When the token expires.
    pub until: DateTime<Utc>,
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
        Self { tables: Tables::Only(Arc::default()), ..Self::default() }
    }
}

impl Identity {
    /// The client that somebody is for every budget.
    #[must_use]
    pub fn client(&self) -> Client {
        match self {
            Self::User(name) => Client::user(name),
            Self::Account(account) => Client::user(&("account", &account.subject)),
        }
    }
}

impl Tables {
    /// The tables of either.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Only(ids), Self::Only(others)) => Self::Only(Arc::new(&*ids | &**others)),
            _ => Self::All,
        }
    }

    /// Whether a table may be read, in whichever case its id is written.
    #[must_use]
    pub fn allow(&self, table: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(&table.to_lowercase()),
        }
    }
}
