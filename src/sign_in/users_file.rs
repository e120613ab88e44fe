//! The file of the users, a line each: `name:secret:tables`. The secret is the argon2 hash of a password, the SHA-256 of a key, `-` for
//! who signs in at a proxy, or `group`: the name is then a group's, and its tables are for everybody in it who signs in with a token. The tables
//! are ids with commas between, or `*` for all. Lines that are empty or begin with `#` are skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use thiserror::Error;

use crate::disk;
use crate::settings::table_ids;
use crate::sign_in::name::{InvalidName, UserName};
use crate::sign_in::reader::{Account, Identity, Reader, Tables};
use crate::sign_in::secret::{KeyHash, PasswordHash};

/// The largest file, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;
const ALL: &str = "*";
const NONE: &str = "-";
const GROUP: &str = "group";
/// The mode of a new file: only its owner reads it.
const PRIVATE: u32 = 0o600;

/// The users of a file.
#[derive(Debug, Default)]
pub struct Users(BTreeMap<UserName, User>);

/// A line of the file.
#[derive(Debug, Clone)]
struct User {
    secret: Secret,
    tables: Tables,
    line: usize,
}

/// What a user signs in with.
#[derive(Debug, Clone)]
pub enum Secret {
    Password(PasswordHash),
    Key(KeyHash),
    /// Nothing: a proxy names the user.
    None,
    /// Nothing: it is no user, but a group or role that tokens name.
    Group,
}

/// Why a file of users cannot be used.
#[derive(Debug, Error)]
pub enum UsersFileError {
    #[error("the file {path} cannot be read: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("the file {path} cannot be written: {source}")]
    Unwritable { path: PathBuf, source: io::Error },
    /// The line is not repeated: there may be a password on it.
    #[error("{path}, line {line}: {reason}")]
    Line { path: PathBuf, line: usize, reason: LineError },
    #[error("there is a user {0} already; remove it first")]
    Exists(UserName),
    #[error("there is no user {0}")]
    Unknown(UserName),
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    #[error("expected name:secret:tables")]
    Form,
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(
        "the secret is no argon2 hash of at most 256 MB, no $sha256$ of a key, and neither - nor group; `user add` makes each"
    )]
    Secret,
    #[error("the tables are ids with commas between, such as y25i01,y30r21, or * for all")]
    Tables,
    #[error("the user is on line {0} already")]
    Twice(usize),
    #[error("the key is on line {0} already")]
    KeyTwice(usize),
}

impl Users {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or one of its lines is wrong.
    pub fn read(path: &Path) -> Result<Self, UsersFileError> {
        let unreadable = |reason: String| UsersFileError::Unreadable { path: path.to_owned(), reason };
        let facts = fs::metadata(path).map_err(|error| unreadable(error.kind().to_string()))?;
        if !facts.is_file() || facts.len() > LARGEST {
            return Err(unreadable(format!("it is no regular file of at most {LARGEST} bytes")));
        }
        let text = fs::read(path).map_err(|error| unreadable(error.kind().to_string()))?;
        let mut users = Self::default();
        for (at, line) in text.trim_ascii_end().split(|byte| *byte == b'\n').enumerate() {
            let line = if at == 0 { line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line) } else { line };
            let line = std::str::from_utf8(line).map(str::trim).map_err(|_| LineError::Form);
            let added = line.and_then(|line| users.add_line(line, at + 1));
            added.map_err(|reason| UsersFileError::Line { path: path.to_owned(), line: at + 1, reason })?;
        }
        Ok(users)
    }

    fn add_line(&mut self, text: &str, line: usize) -> Result<(), LineError> {
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        let [name, secret, tables] = parts.as_slice() else { return Err(LineError::Form) };
        let (name, secret) = (UserName::new(name)?, Secret::read(secret).ok_or(LineError::Secret)?);
        if let Some(earlier) = self.0.get(&name) {
            return Err(LineError::Twice(earlier.line));
        }
        if let Secret::Key(key) = &secret
            && let Some((_, earlier)) = self.of_key(key)
        {
            return Err(LineError::KeyTwice(earlier.line));
        }
        let tables = read_tables(tables).ok_or(LineError::Tables)?;
        self.0.insert(name, User { secret, tables, line });
        Ok(())
    }

    /// The user with a key.
    #[must_use]
    pub fn with_key(&self, key: &SecretString) -> Option<Reader> {
        self.of_key(&KeyHash::of(key)).map(|(name, user)| user.reader(name))
    }

    /// Compares with every key, so that the time does not tell which one is near.
    fn of_key(&self, key: &KeyHash) -> Option<(&UserName, &User)> {
        let is_same = |user: &User| match &user.secret {
            Secret::Key(other) => other.is_same(key),
            Secret::Password(_) | Secret::None | Secret::Group => false,
        };
        self.0.iter().fold(None, |found, (name, user)| if is_same(user) { Some((name, user)) } else { found })
    }

    /// The user of a name. A group is none.
    #[must_use]
    pub fn named(&self, name: &UserName) -> Option<Reader> {
        let user = self.0.get(name).filter(|user| !user.is_group());
        user.map(|user| user.reader(name))
    }

    /// Somebody with an account, who may read what any of its groups may; `None` if no group of it is in the file.
    #[must_use]
    pub fn of_account(&self, mut account: Account) -> Option<Reader> {
        let group = |name: &UserName| self.0.get(name).filter(|user| user.is_group());
        account.groups.retain(|name| group(name).is_some());
        let tables = account.groups.iter().filter_map(group).map(|group| group.tables.clone());
        let tables = tables.reduce(|tables, others| tables.or(&others))?;
        Some(Reader { user: Some(Identity::Account(account)), tables })
    }

    /// Somebody who was signed in earlier, as the file is now.
    #[must_use]
    pub fn again(&self, identity: Identity) -> Option<Reader> {
        match identity {
            Identity::User(name) => self.named(&name),
            Identity::Account(account) => self.of_account(account),
        }
    }

    /// What is kept of a user's secret. Of accounts nothing is.
    #[must_use]
    pub fn kept(&self, identity: &Identity) -> Option<String> {
        match identity {
            Identity::User(name) => self.0.get(name).map(|user| user.secret.text()),
            Identity::Account(_) => Some(String::new()),
        }
    }

    /// Whether somebody has a password or a key.
    #[must_use]
    pub fn have_passwords(&self) -> bool {
        self.0.values().any(|user| matches!(user.secret, Secret::Password(_) | Secret::Key(_)))
    }

    /// The password of a user that has one.
    #[must_use]
    pub fn password(&self, name: &UserName) -> Option<&PasswordHash> {
        match &self.0.get(name)?.secret {
            Secret::Password(hash) => Some(hash),
            Secret::Key(_) | Secret::None | Secret::Group => None,
        }
    }

    /// The users in the order of their names, a line each for people.
    pub fn list(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(name, User { secret, tables, .. })| {
            let with = match secret {
                Secret::Password(_) => "password",
                Secret::Key(_) => "key",
                Secret::None => "proxy",
                Secret::Group => "group",
            };
            format!("{name}  {with}  {}", written(tables))
        })
    }
}

impl User {
    fn is_group(&self) -> bool {
        matches!(self.secret, Secret::Group)
    }

    fn reader(&self, name: &UserName) -> Reader {
        Reader { user: Some(Identity::User(name.clone())), tables: self.tables.clone() }
    }
}

impl Secret {
    fn read(text: &str) -> Option<Self> {
        match text {
            NONE => Some(Self::None),
            GROUP => Some(Self::Group),
            _ => KeyHash::read(text).map(Self::Key).or_else(|| PasswordHash::read(text).map(Self::Password)),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Password(hash) => hash.as_str().to_owned(),
            Self::Key(key) => key.to_string(),
            Self::None => NONE.to_owned(),
            Self::Group => GROUP.to_owned(),
        }
    }
}

/// Tables as people list them.
#[must_use]
pub fn read_tables(text: &str) -> Option<Tables> {
    if text == ALL {
        return Some(Tables::All);
    }
    let listed: Vec<String> = text.split(',').map(str::to_owned).collect();
    let ids: BTreeSet<String> = table_ids(&listed)?.into_iter().collect();
    (!ids.is_empty()).then(|| Tables::Only(Arc::new(ids)))
}

fn written(tables: &Tables) -> String {
    match tables {
        Tables::All => ALL.to_owned(),
        Tables::Only(ids) => ids.iter().map(String::as_str).collect::<Vec<_>>().join(","),
    }
}

/// Adds a user as the last line of a file, which is made if there is none.
///
/// # Errors
/// When there is such a user, or the file cannot be read or written.
pub fn add(path: &Path, name: UserName, secret: &Secret, tables: &Tables) -> Result<(), UsersFileError> {
    let mut text = match path.exists() {
        true if Users::read(path)?.0.contains_key(&name) => return Err(UsersFileError::Exists(name)),
        true => fs::read_to_string(path).map_err(unwritable(path))?,
        false => String::new(),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text += &format!("{name}:{}:{}\n", secret.text(), written(tables));
    write(path, &text)
}

/// Removes a user's line from a file.
///
/// # Errors
/// When there is no such user, or the file cannot be read or written.
pub fn remove(path: &Path, name: UserName) -> Result<(), UsersFileError> {
    let users = Users::read(path)?;
    let line = users.0.get(&name).map(|user| user.line).ok_or(UsersFileError::Unknown(name))?;
    let text = fs::read_to_string(path).map_err(unwritable(path))?;
    let others = text.split_inclusive('\n').enumerate().filter(|(at, _)| at + 1 != line);
    write(path, &others.map(|(_, line)| line).collect::<String>())
}

fn write(path: &Path, text: &str) -> Result<(), UsersFileError> {
    let mode = fs::metadata(path).map_or(PRIVATE, |facts| facts.permissions().mode());
    disk::replace_with_mode(path, text.as_bytes(), mode).map_err(unwritable(path))
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> UsersFileError {
    |source| UsersFileError::Unwritable { path: path.to_owned(), source }
}
