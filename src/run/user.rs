//! The command `user`: who may read, as the file of users has it.

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use clap::Subcommand;
use console::Term;
use secrecy::{ExposeSecret, SecretString};

use crate::settings::Settings;
use crate::sign_in::name::UserName;
use crate::sign_in::reader::Tables;
use crate::sign_in::secret::{KeyHash, PasswordHash, generate_key};
use crate::sign_in::users_file::{self, Secret, Users};

/// What is done with the users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Adds a user, with a password from the terminal or from a line of standard input
    Add {
        name: String,
        /// Make a key instead of a password, and print it once
        #[arg(long)]
        key: bool,
        /// Make neither: a proxy signs the user in (BRIDGE_USER_HEADER)
        #[arg(long, conflicts_with = "key")]
        proxy: bool,
        /// Add no user, but a group or role that the tokens of BRIDGE_TOKEN_ISSUER name
        #[arg(long, conflicts_with_all = ["key", "proxy"])]
        group: bool,
        /// The tables that the user may read, such as y25i01,y30r21; all without it
        #[arg(long, value_name = "TABLE,…")]
        tables: Option<String>,
    },
    /// Lists the users
    List,
    /// Removes a user
    Remove { name: String },
}

/// Adds, lists or removes users.
///
/// # Errors
/// When there is no file to do it in, or it cannot be used.
pub fn user(command: UserCommand) -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let path = settings.bridge.users_file.ok_or("set BRIDGE_USERS_FILE to the file of the users")?;
    match command {
        UserCommand::Add { name, key, proxy, group, tables } => {
            let (name, tables) = (UserName::new(&name)?, allowed(tables)?);
            match (key, proxy, group) {
                (true, ..) => add_with_key(&path, name, &tables)?,
                (_, true, _) => users_file::add(&path, name, &Secret::None, &tables)?,
                (.., true) => users_file::add(&path, name, &Secret::Group, &tables)?,
                (false, false, false) => {
                    let hash = PasswordHash::new(&password(&name)?)?;
                    users_file::add(&path, name, &Secret::Password(hash), &tables)?;
                }
            }
        }
        UserCommand::List => {
            for line in Users::read(&path)?.list() {
                writeln!(io::stdout(), "{line}")?;
            }
            return Ok(());
        }
        UserCommand::Remove { name } => users_file::remove(&path, UserName::new(&name)?)?,
    }
    // Standard output has nothing but a key.
    writeln!(io::stderr(), "{} is written; a running service reads it on SIGHUP", path.display())?;
    Ok(())
}

fn allowed(tables: Option<String>) -> Result<Tables, Box<dyn Error>> {
    let Some(text) = tables else { return Ok(Tables::All) };
    Ok(users_file::read_tables(&text).ok_or("--tables: expected ids of tables, such as y25i01,y30r21")?)
}

fn add_with_key(path: &Path, name: UserName, tables: &Tables) -> Result<(), Box<dyn Error>> {
    let key = generate_key()?;
    users_file::add(path, name, &Secret::Key(KeyHash::of(&key)), tables)?;
    writeln!(io::stdout(), "{}", key.expose_secret())?;
    Ok(())
}

/// A password that is typed twice, or the only line of standard input. An argument would stand in lists of processes.
fn password(name: &UserName) -> Result<SecretString, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned().into());
    }
    let ask = |what: &str| -> io::Result<SecretString> {
        write!(io::stderr(), "{what} {name}: ")?;
        Ok(Term::stderr().read_secure_line()?.into())
    };
    let (password, again) = (ask("Password of")?, ask("The same once more, of")?);
    let is_same = password.expose_secret() == again.expose_secret();
    if is_same { Ok(password) } else { Err("the passwords differ; nothing was written".into()) }
}
