//! The file of the users, a line each: `name:secret:tables`. The secret is the argon2 hash of a password, the SHA-256 of a key, `-` for
//! who signs in at a proxy, or `group`: the name is then a group's, and its tables are for everybody in it who signs in with a token. The tables
//! are ids with commas between, or `*` for all. Lines that are empty or begin with `#` are skipped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
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
/// The first line of a new file: `# form 1`. A later form that cannot be read as this one has another number.
const FORM: u32 = 1;
const FORM_LINE: &str = "# form ";
const ALL: &str = "*";
const NONE: &str = "-";
const GROUP: &str = "group";
/// The mode of a new file: only its owner reads it.
const PRIVATE: u32 = 0o600;

/// The users of a file.
#[derive(Debug, Default)]
pub struct Users {
    named: BTreeMap<UserName, User>,
    /// Whose key it is.
    keys: HashMap<KeyHash, UserName>,
}

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
    #[error("the file has the form {0}, expected {FORM}: a newer version of the program wrote it")]
    Newer(u32),
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
        Self::of(path, &text(path)?)
    }

    /// The users of a file with that text.
    ///
    /// # Errors
    /// When one of its lines is wrong.
    pub fn of(path: &Path, text: &[u8]) -> Result<Self, UsersFileError> {
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
        if let Some(form) = text.strip_prefix(FORM_LINE).and_then(|form| form.trim().parse().ok())
            && form > FORM
        {
            return Err(LineError::Newer(form));
        }
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        let [name, secret, tables] = parts.as_slice() else { return Err(LineError::Form) };
        let (name, secret) = (UserName::new(name)?, Secret::read(secret).ok_or(LineError::Secret)?);
        if let Some(earlier) = self.named.get(&name) {
            return Err(LineError::Twice(earlier.line));
        }
        let tables = read_tables(tables).ok_or(LineError::Tables)?;
        if let Secret::Key(key) = &secret
            && let Some(other) = self.keys.insert(key.clone(), name.clone())
        {
            return Err(LineError::KeyTwice(self.named.get(&other).map_or(line, |other| other.line)));
        }
        self.named.insert(name, User { secret, tables, line });
        Ok(())
    }

    /// How many there are, groups not counted.
    #[must_use]
    pub fn number(&self) -> usize {
        self.named.values().filter(|user| !user.is_group()).count()
    }

    /// The user with a key. The key's hash is looked up: how long that takes tells nothing of a key that somebody looks for.
    #[must_use]
    pub fn with_key(&self, key: &SecretString) -> Option<Reader> {
        self.named(self.keys.get(&KeyHash::of(key))?)
    }

    /// The user of a name. A group is none.
    #[must_use]
    pub fn named(&self, name: &UserName) -> Option<Reader> {
        let user = self.named.get(name).filter(|user| !user.is_group())?;
        Some(reader(Identity::User(name.clone()), user.tables.clone()))
    }

    /// Somebody with an account, who may read what any of its groups may; `None` if no group of it is in the file.
    #[must_use]
    pub fn of_account(&self, mut account: Account) -> Option<Reader> {
        let group = |name: &UserName| self.named.get(name).filter(|user| user.is_group());
        account.groups.retain(|name| group(name).is_some());
        let tables = account.groups.iter().filter_map(group).map(|group| group.tables.clone());
        let tables = tables.reduce(|tables, others| tables.or(&others))?;
        Some(reader(Identity::Account(account), tables))
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
            Identity::User(name) => self.named.get(name).map(|user| user.secret.text()),
            Identity::Account(_) => Some(String::new()),
        }
    }

    /// Whether somebody has a password or a key.
    #[must_use]
    pub fn have_passwords(&self) -> bool {
        self.named.values().any(|user| matches!(user.secret, Secret::Password(_) | Secret::Key(_)))
    }

    /// Whether it is a user's password. It takes as long for who is none.
    #[must_use]
    pub fn is_password(&self, name: &UserName, password: &SecretString) -> bool {
        let kept = match self.named.get(name).map(|user| &user.secret) {
            Some(Secret::Password(hash)) => Some(hash),
            Some(Secret::Key(_) | Secret::None | Secret::Group) | None => None,
        };
        kept.unwrap_or(&PasswordHash::of_nobody()).is_of(password) && kept.is_some()
    }

    /// The users in the order of their names, a line each for people.
    pub fn list(&self) -> impl Iterator<Item = String> {
        self.named.iter().map(|(name, User { secret, tables, .. })| {
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
}

/// Who has just signed in.
fn reader(user: Identity, tables: Tables) -> Reader {
    Reader { user: Some(user), tables, granted_until: None }
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
    let _alone = alone(path)?;
    let mut text = if path.exists() { text(path)? } else { format!("{FORM_LINE}{FORM}\n").into_bytes() };
    if Users::of(path, &text)?.named.contains_key(&name) {
        return Err(UsersFileError::Exists(name));
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend(format!("{name}:{}:{}\n", secret.text(), written(tables)).into_bytes());
    write(path, &text)
}

/// Removes a user's line from a file.
///
/// # Errors
/// When there is no such user, or the file cannot be read or written.
pub fn remove(path: &Path, name: UserName) -> Result<(), UsersFileError> {
    let _alone = alone(path)?;
    let text = text(path)?;
    let users = Users::of(path, &text)?;
    let line = users.named.get(&name).map(|user| user.line).ok_or(UsersFileError::Unknown(name))?;
    let lines = text.split_inclusive(|byte| *byte == b'\n').enumerate();
    let others: Vec<&[u8]> = lines.filter(|(at, _)| at + 1 != line).map(|(_, line)| line).collect();
    write(path, &others.concat())
}

/// Waits until nobody else changes files of that folder; two who read a file and replace it would lose what one of them added.
fn alone(path: &Path) -> Result<File, UsersFileError> {
    disk::alone_at(path).map_err(unwritable(path))
}

fn text(path: &Path) -> Result<Vec<u8>, UsersFileError> {
    let unreadable = |reason: String| UsersFileError::Unreadable { path: path.to_owned(), reason };
    let facts = fs::metadata(path).map_err(|error| unreadable(error.kind().to_string()))?;
    if !facts.is_file() || facts.len() > LARGEST {
        return Err(unreadable(format!("it is no regular file of at most {LARGEST} bytes")));
    }
    fs::read(path).map_err(|error| unreadable(error.kind().to_string()))
}

fn write(path: &Path, text: &[u8]) -> Result<(), UsersFileError> {
    disk::replace_alike(path, text, PRIVATE).map_err(unwritable(path))
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> UsersFileError {
    |source| UsersFileError::Unwritable { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$Ua3kB5SjD5eu4kLwM1eRD4aD2kR6wP0FhVxW3wqTtbc";
    const KEY: &str = "$sha256$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const OTHER_KEY: &str = "$sha256$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE";

    fn read(text: impl AsRef<[u8]>) -> Result<Users, UsersFileError> {
        Users::of(Path::new("users"), text.as_ref())
    }

    #[test]
    fn lines_are_read_as_people_write_them() {
        for (text, listed) in [
            (String::new(), vec![]),
            ("\n\n# nobody yet\n  # nor here\n".to_owned(), vec![]),
            (format!("anne:{HASH}:*"), vec!["anne  password  *"]),
            (format!("\u{feff}Anne:{HASH}:*\r\n"), vec!["anne  password  *"]),
            (format!("  A\u{30a}se : {KEY} : Y30R21,y25i01, \n\n"), vec!["åse  key  y25i01,y30r21"]),
            ("dorte@kommune.example:-:y25i01\n".to_owned(), vec!["dorte@kommune.example  proxy  y25i01"]),
            ("ledere:group:y25i01".to_owned(), vec!["ledere  group  y25i01"]),
            (format!("bo:{KEY}:*\nbø:{OTHER_KEY}:*\n"), vec!["bo  key  *", "bø  key  *"]),
        ] {
            assert_eq!(read(&text).unwrap().list().collect::<Vec<_>>(), listed, "{text}");
        }
    }

    #[test]
    fn a_broken_line_is_named_by_its_number_and_not_repeated() {
        use LineError::{Form, KeyTwice, Name, Tables as NoTables, Twice};
        let name = Name(InvalidName);
        for (line, text, why) in [
            (1, "hemmelig".to_owned(), Form),
            (1, format!("anne:{HASH}"), Form),
            (1, "anne:hemmelig: kode:*".to_owned(), Form),
            (2, format!("# users\nanne:{HASH}:*:x"), Form),
            (1, format!(":{HASH}:*"), name.clone()),
            (3, format!("bo:{KEY}:*\n\n\u{430}nne:{HASH}:*"), name.clone()),
            (1, format!("ａnne:{HASH}:*"), name.clone()),
            (1, format!("a nne:{HASH}:*"), name),
            (1, "anne:hemmelig:*".to_owned(), LineError::Secret),
            (1, "anne::*".to_owned(), LineError::Secret),
            (1, "anne:$sha256$AAAA:*".to_owned(), LineError::Secret),
            (1, format!("anne:{}:*", HASH.replace("m=19456", "m=9999999")), LineError::Secret),
            (1, format!("anne:{HASH}:"), NoTables),
            (1, format!("anne:{HASH}:y25i01;y30r21"), NoTables),
            (1, format!("anne:{HASH}:*,y25i01"), NoTables),
            (2, format!("anne:{HASH}:*\nANNE:{KEY}:*"), Twice(1)),
            (3, "åse:-:*\n\nA\u{30a}SE:-:*".to_owned(), Twice(1)),
            (2, format!("anne:{KEY}:*\nbo:{KEY}:*"), KeyTwice(1)),
        ] {
            let error = read(&text).unwrap_err();
            let UsersFileError::Line { line: at, reason, .. } = &error else { panic!("{text}: {error}") };
            assert_eq!((*at, reason), (line, &why), "{text}");
            assert!(!error.to_string().contains("hemmelig"), "{error}");
        }
        let latin_1 = [b"bl\xe5:".as_slice(), HASH.as_bytes(), b":*"].concat();
        assert!(matches!(read(latin_1), Err(UsersFileError::Line { line: 1, reason: Form, .. })));
    }
}
