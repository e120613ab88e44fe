//! Who may read: users with their passwords and keys, and the tables that each may read. Knows nothing of HTTP: whoever is asked by a
//! request hands its [`Credentials`] to [`SignIn::reader`] and gets the [`Reader`] that it belongs to.

pub mod error;
pub mod issuer;
mod judge;
pub mod link;
mod memory;
pub mod name;
mod password_file;
pub mod reader;
pub mod secret;
pub mod token;
mod turns;
pub mod users_file;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::budget::client::Client;
use crate::budget::hourly::HourlyBudget;
use crate::budget::{Resource, Share};
use crate::clock::Clock;
use crate::observe::news::{Announcements, Facts, Informed};
use crate::observe::request;
pub use error::SignInError;
use issuer::{Issuer, SetupError};
use judge::Judge;
use link::Links;
use name::UserName;
use password_file::PasswordFileError;
use reader::{Identity, Reader};
use secret::{KeyHash, normalised};
use token::{Accepted, TokenError};
use turns::Turns;
use users_file::{Users, UsersFileError};

/// How many wrong passwords and keys of one client are looked at in an hour.
const GUESSES_PER_HOUR: u64 = 60;

/// In place of a name, for what is remembered of keys, of the password of metrics, and of passwords of impossible names.
const KEYS: &str = "#keys";
const METRICS: &str = "#metrics";
const NO_NAME: &str = "#none";

/// What a request shows of who it is.
#[derive(Clone, Default)]
pub enum Credentials {
    #[default]
    Nothing,
    /// A name and a password; the password may be a key, whatever the name is.
    Password {
        name: String,
        password: SecretString,
    },
    Key(SecretString),
    /// A token of the organisation's sign-in; empty where a client asks who signs in.
    Token(SecretString),
    /// The user whom a trusted proxy names.
    Named(String),
    /// The grant of a link, and the address that it is on.
    Link {
        grant: String,
        target: String,
    },
    /// What cannot be read, or says two things.
    Unreadable(SignInError),
}

/// Says of which kind it is, and nothing else: people type passwords where names belong.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Password { .. } => "Password",
            Self::Key(_) => "Key",
            Self::Token(_) => "Token",
            Self::Named(_) => "Named",
            Self::Link { .. } => "Link",
            Self::Unreadable(_) => "Unreadable",
        })
    }
}

/// Where it stands who may read.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The users; without this file everybody reads.
    pub users: Option<PathBuf>,
    /// The password of those who read metrics.
    pub metrics_password: Option<PathBuf>,
}

/// Signs requests in.
pub struct SignIn {
    files: Files,
    known: RwLock<Arc<Known>>,
    turns: Turns,
    guesses: Arc<HourlyBudget>,
    links: Links,
    issuer: Option<Arc<Issuer>>,
    clock: Clock,
    announcements: Announcements,
}

/// Who may read, as the files said it when they were read, and the guesses that were judged since: they are replaced together, so that no
/// password is remembered longer than its user.
struct Known {
    users: Arc<Users>,
    /// What is kept of the password of metrics.
    metrics: Option<KeyHash>,
    judge: Judge,
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Why it cannot be known who may read.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("BRIDGE_USERS_FILE: {0}")]
    Users(#[from] UsersFileError),
    #[error("BRIDGE_METRICS_PASSWORD_FILE: {0}")]
    Metrics(#[from] PasswordFileError),
    #[error("BRIDGE_TOKEN_ISSUER: {0}")]
    Issuer(#[from] SetupError),
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl Files {
    fn users(&self) -> Result<Arc<Users>, OpenError> {
        Ok(self.users.as_deref().map(Users::read).transpose()?.unwrap_or_default().into())
    }

    fn metrics(&self) -> Result<Option<KeyHash>, OpenError> {
        let password = self.metrics_password.as_deref().map(password_file::read).transpose()?;
        Ok(password.as_ref().map(KeyHash::of))
    }
}

impl SignIn {
    /// Reads the files that there are. Asks no issuer yet.
    ///
    /// # Errors
    /// When one cannot be read or has a wrong line.
    pub fn open(
        files: Files,
        tokens: Option<Accepted>,
        clock: Clock,
        announcements: Announcements,
    ) -> Result<Self, OpenError> {
        let guesses = HourlyBudget::new(Resource::SignIns, Share::Client, GUESSES_PER_HOUR, clock.clone());
        let guesses = Arc::new(guesses);
        let judge = Judge::new(Arc::clone(&guesses), clock.clone(), announcements.clone())?;
        let known = Known { users: files.users()?, metrics: files.metrics()?, judge };
        let (known, turns, links) = (RwLock::new(Arc::new(known)), Turns::default(), Links::new()?);
        let issuer = tokens.map(|accepted| Issuer::new(accepted, clock.clone())).transpose()?.map(Arc::new);
        Ok(Self { files, known, turns, guesses, links, issuer, clock, announcements })
    }

    /// The key of the links that this one grants, as text; as secret as a password.
    #[must_use]
    pub fn link_key(&self) -> SecretString {
        self.links.key()
    }

    /// Grants links with another bridge's key from now on, and knows those with the earlier one still. False if it is no key.
    pub fn share_link_key(&self, key: &SecretString) -> bool {
        self.links.share(key)
    }

    /// Reads the files again. What stands in one that cannot be used stays as it was, and the other is used: who is no longer a user must
    /// not stay one because the password of metrics cannot be read. Returns what is wrong with each.
    #[must_use]
    pub fn reload(&self) -> Vec<OpenError> {
        let (earlier, mut faults) = (self.known(), Vec::new());
        let users = self.files.users().unwrap_or_else(|fault| {
            faults.push(fault);
            Arc::clone(&earlier.users)
        });
        let metrics = self.files.metrics().unwrap_or_else(|fault| {
            faults.push(fault);
            earlier.metrics.clone()
        });
        match Judge::new(Arc::clone(&self.guesses), self.clock.clone(), self.announcements.clone()) {
            Ok(judge) => {
                let known = Arc::new(Known { users, metrics, judge });
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            }
            Err(fault) => faults.push(fault.into()),
        }
        faults
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether everybody reads everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.files.users.is_none()
    }

    /// Whether everybody reads metrics: no password is set, and no users are.
    #[must_use]
    pub fn has_open_metrics(&self) -> bool {
        self.is_open() && self.known().metrics.is_none()
    }

    /// The issuer of tokens, where tokens sign in.
    #[must_use]
    pub fn issuer(&self) -> Option<Arc<Issuer>> {
        self.issuer.clone()
    }

    /// Whether somebody could sign in with a password or a key.
    #[must_use]
    pub fn takes_passwords(&self) -> bool {
        self.known().users.have_passwords()
    }

    /// How many users there are.
    #[must_use]
    pub fn number_of_users(&self) -> usize {
        self.known().users.number()
    }

    /// How many wrong passwords and keys a client may send.
    #[must_use]
    pub fn guesses(&self) -> Arc<HourlyBudget> {
        Arc::clone(&self.guesses)
    }

    /// Who a request is from.
    ///
    /// # Errors
    /// When it shows nothing that names a user, or too many wrong guesses came from its client.
    pub async fn reader(&self, credentials: &Credentials, client: Client) -> Result<Reader, SignInError> {
        if self.is_open() {
            return Ok(Reader::default());
        }
        let known = self.known();
        match credentials {
            Credentials::Nothing => Err(SignInError::Missing),
            Credentials::Unreadable(error) => Err(*error),
            Credentials::Key(key) => known.users.with_key(key).ok_or_else(|| known.wrong(KEYS, key, client)),
            Credentials::Named(name) => {
                let user = UserName::new(name).ok().and_then(|name| known.users.named(&name));
                user.ok_or(SignInError::UnknownUser)
            }
            Credentials::Link { grant, target } => {
                let secret_of = |user: &Identity| known.users.kept(user);
                let grant = self.links.read(grant, secret_of, target, self.clock.now())?;
                let reader = known.users.again(grant.user).ok_or(SignInError::ForeignLink)?;
                Ok(Reader { granted_until: Some(grant.until), ..reader })
            }
            Credentials::Token(token) => self.with_token(&known, token).await,
            Credentials::Password { name, password } => match known.users.with_key(password) {
                Some(reader) => Ok(reader),
                None => self.with_password(known, name, password, client).await,
            },
        }
    }

    /// What lets who follows a link read as the reader whom it is given to; `None` if everybody may follow it. Who came by such a link gets
    /// none that is good for longer, so that a chain of them ends.
    #[must_use]
    pub fn grant(&self, reader: &Reader, target: &str) -> Option<String> {
        let user = reader.user.as_ref()?;
        let until = reader.granted_until.unwrap_or_else(|| link::end(user, self.clock.now()));
        Some(self.links.grant(user, &self.known().users.kept(user)?, target, until))
    }

    /// Whether a request may read metrics: with their own password under any name.
    ///
    /// # Errors
    /// When it does not show the password, or users are set and no such password is.
    pub fn admit_to_metrics(&self, credentials: &Credentials, client: Client) -> Result<(), SignInError> {
        let known = self.known();
        let Some(kept) = &known.metrics else {
            return if self.is_open() { Ok(()) } else { Err(SignInError::MetricsClosed) };
        };
        match credentials {
            Credentials::Unreadable(error) => Err(*error),
            Credentials::Key(password) | Credentials::Password { password, .. } => {
                let password = normalised(password.expose_secret());
                let guess = known.judge.fingerprint(METRICS, &password);
                let is_right = known.judge.judge(guess, client, || *kept == KeyHash::of(&password))?;
                if is_right { Ok(()) } else { Err(SignInError::Wrong) }
            }
            Credentials::Nothing
            | Credentials::Token(_)
            | Credentials::Named(_)
            | Credentials::Link { .. } => Err(SignInError::MetricsPasswordMissing),
        }
    }

    async fn with_token(&self, known: &Known, token: &SecretString) -> Result<Reader, SignInError> {
        let issuer = self.issuer.as_ref().ok_or(SignInError::Missing)?;
        if token.expose_secret().is_empty() {
            issuer.sign_in_address().await?;
            return Err(SignInError::Missing);
        }
        let account = issuer.account(token).await?;
        known.users.of_account(account).ok_or(SignInError::Token(TokenError::NoGroup))
    }

    async fn with_password(
        &self,
        known: Arc<Known>,
        name: &str,
        password: &SecretString,
        client: Client,
    ) -> Result<Reader, SignInError> {
        let Ok(name) = UserName::new(name) else {
            return Err(known.wrong(NO_NAME, password, client));
        };
        let password = normalised(password.expose_secret());
        let guess = known.judge.fingerprint(name.as_str(), &password);
        let is_right = match known.judge.remembered(&guess) {
            Some(is_right) => is_right,
            None => {
                // Who has none left is told so without waiting.
                self.guesses.check(Some(client), 1)?;
                let turn = self.turns.turn(client).await.ok_or(SignInError::Busy)?;
                let (known, name) = (Arc::clone(&known), name.clone());
                // It goes on if the client leaves: what was found is remembered, and the turn is held until then.
                let judged = request::spawn_blocking(move || {
                    let _turn = turn;
                    known.judge.judge(guess, client, || known.users.is_password(&name, &password))
                });
                let is_right = judged.await.map_err(|_| SignInError::Busy)??;
                if is_right {
                    self.turns.signed_in(client);
                }
                is_right
            }
        };
        known.users.named(&name).filter(|_| is_right).ok_or(SignInError::Wrong)
    }
}

impl Known {
    /// What a client is told whose guess is certainly wrong.
    fn wrong(&self, of: &str, guess: &SecretString, client: Client) -> SignInError {
        let guess = self.judge.fingerprint(of, &normalised(guess.expose_secret()));
        self.judge.judge(guess, client, || false).map_or_else(SignInError::from, |_| SignInError::Wrong)
    }
}

/// Wrong guesses that other bridges have seen.
impl Informed for SignIn {
    fn facts(&self) -> Facts {
        Facts::new()
    }

    fn adopt(&self, facts: Facts) {
        let clients = facts.iter().filter_map(|(client, _)| serde_json::from_str(client).ok());
        clients.for_each(|client| self.guesses.note(Some(client), 1));
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn client(last: u8) -> Client {
        IpAddr::from([192, 0, 2, last]).into()
    }

    fn guess(number: usize) -> Credentials {
        Credentials::Password { name: "anne".to_owned(), password: format!("gæt {number}").into() }
    }

    fn right() -> Credentials {
        Credentials::Password { name: "anne".to_owned(), password: "hemmelig kode".to_owned().into() }
    }

    /// Of one user, `anne`, whose password is `hemmelig kode`.
    fn sign_in(folder: &Path) -> SignIn {
        let path = folder.join("users");
        let password = secret::PasswordHash::new(&"hemmelig kode".to_owned().into()).unwrap();
        let secret = users_file::Secret::Password(password);
        users_file::add(&path, UserName::new("anne").unwrap(), &secret, &reader::Tables::All).unwrap();
        let files = Files { users: Some(path), metrics_password: None };
        SignIn::open(
            files,
            None,
            Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap()),
            Announcements::default(),
        )
        .unwrap()
    }

    #[tokio::test]
    async fn who_waits_too_long_for_a_turn_is_told_to_come_again() {
        let folder = tempfile::tempdir().unwrap();
        let turns = Turns::waited_for(Duration::from_millis(20));
        let sign_in = SignIn { turns, ..sign_in(folder.path()) };
        let held = sign_in.turns.turn(client(1)).await;
        assert_eq!(sign_in.reader(&guess(1), client(3)).await, Err(SignInError::Busy));
        drop(held);
        assert_eq!(sign_in.reader(&guess(1), client(3)).await, Err(SignInError::Wrong));
    }

    #[tokio::test]
    async fn who_has_signed_in_does_not_wait_for_strangers_and_who_guessed_wrong_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let turns = Turns::waited_for(Duration::from_millis(20));
        let sign_in = SignIn { turns, ..sign_in(folder.path()) };
        assert!(sign_in.reader(&right(), client(3)).await.is_ok());
        assert_eq!(sign_in.reader(&guess(1), client(4)).await, Err(SignInError::Wrong));
        let _stranger = sign_in.turns.turn(client(2)).await.unwrap();
        assert_eq!(sign_in.reader(&guess(2), client(3)).await, Err(SignInError::Wrong));
        assert_eq!(sign_in.reader(&guess(3), client(4)).await, Err(SignInError::Busy));
    }

    #[tokio::test]
    async fn who_has_no_guess_left_is_told_so_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let sign_in = SignIn { turns: Turns::waited_for(Duration::ZERO), ..sign_in(folder.path()) };
        sign_in.guesses.spend(Some(client(1)), GUESSES_PER_HOUR).unwrap();
        let _stranger = sign_in.turns.turn(client(2)).await.unwrap();
        let told = sign_in.reader(&guess(1), client(1)).await;
        assert!(matches!(told, Err(SignInError::TooManyGuesses(_))), "{told:?}");
        assert_eq!(sign_in.reader(&guess(1), client(3)).await, Err(SignInError::Busy));
    }

    #[tokio::test]
    async fn of_ten_thousand_wrong_guesses_few_are_looked_at_and_nobody_else_waits() {
        let folder = tempfile::tempdir().unwrap();
        let sign_in = sign_in(folder.path());
        let mut refused = 0;
        for number in 0..10_000 {
            match sign_in.reader(&guess(number), client(1)).await {
                Err(SignInError::TooManyGuesses(_)) => refused += 1,
                other => assert_eq!(other, Err(SignInError::Wrong)),
            }
        }
        assert_eq!(refused, 10_000 - GUESSES_PER_HOUR);
        for number in 0..10_000_u64 {
            let key = Credentials::Key(format!("jb_{number}").into());
            let by = client(u8::try_from(2 + number % 200).unwrap());
            assert_eq!(sign_in.reader(&key, by).await, Err(SignInError::Wrong));
        }
        assert!(sign_in.reader(&right(), client(250)).await.is_ok());
        assert!(matches!(sign_in.reader(&guess(0), client(1)).await, Err(SignInError::Wrong)), "remembered");
        let told = sign_in.reader(&guess(20_000), client(1)).await;
        assert!(matches!(told, Err(SignInError::TooManyGuesses(_))));
    }
}
