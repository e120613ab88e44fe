//! Who may read: users with their passwords and keys, and the tables that each may read. Knows nothing of HTTP: whoever is asked by a
//! request hands its [`Credentials`] to [`SignIn::reader`] and gets the [`Reader`] that it belongs to.

pub mod issuer;
pub mod link;
pub mod name;
pub mod reader;
pub mod secret;
pub mod token;
pub mod users_file;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::Mac;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::client::Client;
use crate::budget::hourly::HourlyBudget;
use crate::budget::{Exhausted, Resource, Share};
use crate::clock::Clock;
use crate::error::{DescribeError, ErrorDescription};
use issuer::{Issuer, SetupError};
use link::{Links, keyed};
use name::UserName;
use reader::{Identity, Reader};
use secret::{KeyHash, PasswordHash, normalised};
use token::{Accepted, TokenError};
use users_file::{Users, UsersFileError};

/// How long a password that was found right or wrong is known to be so, in minutes: computing its hash is made to take long.
const REMEMBERED_MINUTES: i64 = 5;
/// The most passwords that are remembered; beyond it, they are computed each time.
const MOST_REMEMBERED: usize = 10_000;
/// Hashes that are computed at a time: each takes a core and 19 MB.
const HASHES_AT_ONCE: usize = 2;
/// How long a password waits for its turn to be computed.
const TURN: Duration = Duration::from_secs(10);
/// `Retry-After` where it was not its turn.
const BUSY_SECONDS: u64 = 10;
/// How many wrong passwords and keys of one client are looked at in an hour.
const GUESSES_PER_HOUR: u64 = 60;

/// In place of a name, for what is remembered of keys, of the password of metrics, and of passwords of impossible names.
const KEYS: &str = "#keys";
const METRICS: &str = "#metrics";
const NO_NAME: &str = "#none";

/// The most bytes of a file with a password.
const LONGEST_PASSWORD_FILE: u64 = 4096;

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

/// Why nobody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignInError {
    #[error("the request names no user and no key; send Basic credentials, or a key as the option api_key")]
    Missing,
    #[error("the name or the password is wrong, or the key is unknown")]
    Wrong,
    #[error(
        "the request names a user or a key in two ways; send one Authorization header or one api_key, and let a proxy \
         replace the header of BRIDGE_USER_HEADER"
    )]
    Ambiguous,
    #[error("the proxy names somebody who is not in BRIDGE_USERS_FILE")]
    UnknownUser,
    #[error("the link to the next page has expired; ask for the first page again")]
    ExpiredLink,
    #[error(
        "the link to the next page belongs to another address, or was given before the service was restarted"
    )]
    ForeignLink,
    #[error("metrics are closed: users are set, and BRIDGE_METRICS_PASSWORD_FILE is not")]
    MetricsClosed,
    #[error("too many passwords are being looked at")]
    Busy,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    TooManyGuesses(#[from] Exhausted),
}

impl DescribeError for SignInError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Missing => ErrorDescription::new(
                401,
                "SignInNeeded",
                "Log ind med brugernavn og adgangskode, eller brug en nøgle; den, der driver broen, giver dig dem.",
            ),
            Self::Wrong => ErrorDescription::new(
                401,
                "SignInRefused",
                "Brugernavnet eller adgangskoden er forkert, eller nøglen er ukendt; ret det gemte login, og prøv igen.",
            ),
            Self::Ambiguous => ErrorDescription::new(
                400,
                "AmbiguousSignIn",
                "Der er sendt flere brugere eller nøgler på én gang; send kun én.",
            ),
            Self::UnknownUser => ErrorDescription::new(
                403,
                "UserUnknown",
                "Du er logget ind, men må ikke læse tal her endnu; bed den, der driver broen, om adgang.",
            ),
            Self::ExpiredLink => ErrorDescription::new(
                401,
                "LinkExpired",
                "Linket til næste side er udløbet; hent tallene forfra, eller log ind.",
            ),
            Self::ForeignLink => ErrorDescription::new(
                401,
                "LinkRefused",
                "Linket til næste side gælder ikke her; hent tallene forfra, eller log ind.",
            ),
            Self::MetricsClosed => ErrorDescription::new(
                401,
                "MetricsClosed",
                "Målingerne til Prometheus har ingen adgangskode endnu; den, der driver broen, skal sætte én.",
            ),
            Self::Busy => {
                ErrorDescription::new(503, "SignInBusy", "Mange logger ind lige nu; prøv igen om lidt.")
                    .again_after(BUSY_SECONDS)
            }
            Self::Token(error) => error.describe(),
            Self::TooManyGuesses(error) => error.describe(),
        }
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
    /// The clients of whom a password is looked at or waits for it: one of each at a time, so that who sends many waits behind itself.
    lanes: Mutex<HashMap<Client, Arc<Semaphore>>>,
    turns: Arc<Semaphore>,
    guesses: Arc<HourlyBudget>,
    links: Links,
    issuer: Option<Arc<Issuer>>,
    clock: Clock,
}

/// The users of one state of the file, and the passwords of theirs that were looked at. They are replaced together, so that no password
/// outlives its user.
struct Known {
    users: Users,
    /// What is kept of the password of metrics.
    metrics: Option<KeyHash>,
    /// With the key, passwords are known again without being kept.
    key: [u8; 64],
    remembered: Mutex<HashMap<[u8; 32], Found>>,
    /// What a password is compared with if there is no such user, so that it takes as long.
    nobody: PasswordHash,
}

/// Until when a password is known to be right or wrong.
type Found = (DateTime<Utc>, bool);

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
    #[error("BRIDGE_METRICS_PASSWORD_FILE: the file that it names cannot be read: {0}")]
    Metrics(io::Error),
    #[error("BRIDGE_METRICS_PASSWORD_FILE: the file is empty; expected a password on one line")]
    NoMetricsPassword,
    #[error("BRIDGE_TOKEN_ISSUER: {0}")]
    Issuer(#[from] SetupError),
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl SignIn {
    /// Reads the files that there are. Asks no issuer yet.
    ///
    /// # Errors
    /// When one cannot be read or has a wrong line.
    pub fn open(files: Files, tokens: Option<Accepted>, clock: Clock) -> Result<Self, OpenError> {
        let guesses = HourlyBudget::new(Resource::SignIns, Share::Client, GUESSES_PER_HOUR, clock.clone());
        let (known, turns) = (Arc::new(Known::read(&files)?), Arc::new(Semaphore::new(HASHES_AT_ONCE)));
        let (known, guesses, links) = (RwLock::new(known), Arc::new(guesses), Links::new()?);
        let issuer = tokens.map(|accepted| Issuer::new(accepted, clock.clone())).transpose()?.map(Arc::new);
        Ok(Self { files, known, lanes: Mutex::default(), turns, guesses, links, issuer, clock })
    }

    /// Reads the files again. What stands in one that cannot be used stays as it is.
    ///
    /// # Errors
    /// When one cannot be read or has a wrong line.
    pub fn reload(&self) -> Result<(), OpenError> {
        let (known, fault) = match Known::read(&self.files) {
            Ok(known) => (known, None),
            // Who is no longer a user must not stay one because another file is broken.
            Err(error @ (OpenError::Metrics(_) | OpenError::NoMetricsPassword)) => {
                let files = Files { metrics_password: None, ..self.files.clone() };
                let metrics = self.known().metrics.clone();
                (Known { metrics, ..Known::read(&files)? }, Some(error))
            }
            Err(error) => return Err(error),
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        fault.map_or(Ok(()), Err)
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether everybody reads everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.files.users.is_none()
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
            Credentials::Key(key) => match known.users.with_key(key) {
                Some(reader) => Ok(reader),
                None => Err(self.guessed(&known, KEYS, key, client)),
            },
            Credentials::Named(name) => {
                let user = UserName::new(name).ok().and_then(|name| known.users.named(&name));
                user.ok_or(SignInError::UnknownUser)
            }
            Credentials::Link { grant, target } => {
                let secret_of = |user: &Identity| known.users.kept(user);
                let user = self.links.user(grant, secret_of, target, self.clock.now())?;
                known.users.again(user).ok_or(SignInError::ForeignLink)
            }
            Credentials::Token(token) => self.with_token(&known, token).await,
            Credentials::Password { name, password } => match known.users.with_key(password) {
                Some(reader) => Ok(reader),
                None => self.with_password(known, name, password, client).await,
            },
        }
    }

    /// What lets who follows a link read as the reader whom it is given to; `None` if everybody may follow it.
    #[must_use]
    pub fn grant(&self, reader: &Reader, target: &str) -> Option<String> {
        let user = reader.user.as_ref()?;
        Some(self.links.grant(user, &self.known().users.kept(user)?, target, self.clock.now()))
    }

    /// Whether a request may read metrics: with their own password under any name.
    ///
    /// # Errors
    /// When it does not show the password, or users are set and no such password is.
    pub fn admit_to_metrics(&self, credentials: &Credentials, client: Client) -> Result<(), SignInError> {
        let known = self.known();
        match (&known.metrics, credentials) {
            (None, _) if self.is_open() => Ok(()),
            (None, _) => Err(SignInError::MetricsClosed),
            (
                _,
                Credentials::Nothing
                | Credentials::Named(_)
                | Credentials::Link { .. }
                | Credentials::Token(_),
            ) => Err(SignInError::Missing),
            (_, Credentials::Unreadable(error)) => Err(*error),
            (Some(kept), Credentials::Key(password) | Credentials::Password { password, .. }) => {
                let password = normalised(password.expose_secret());
                let fingerprint = known.fingerprint(METRICS, &password);
                let now = self.clock.now();
                let is_right = match known.remembered(&fingerprint, now) {
                    Some(is_right) => is_right,
                    None => {
                        self.guesses.spend(Some(client), 1)?;
                        let is_right = kept.is_same(&KeyHash::of(&password));
                        known.remember(fingerprint, now, is_right);
                        if is_right {
                            self.guesses.give_back(Some(client), 1);
                        }
                        is_right
                    }
                };
                if is_right { Ok(()) } else { Err(SignInError::Wrong) }
            }
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
            return Err(self.guessed(&known, NO_NAME, password, client));
        };
        let password = normalised(password.expose_secret());
        let fingerprint = known.fingerprint(name.as_str(), &password);
        let answer = |is_right: bool| {
            let reader = known.users.named(&name).filter(|_| is_right);
            reader.ok_or(SignInError::Wrong)
        };
        if let Some(is_right) = known.remembered(&fingerprint, self.clock.now()) {
            return answer(is_right);
        }
        let turn = tokio::time::timeout(TURN, self.turn(client)).await;
        let turn = turn.ok().flatten().ok_or(SignInError::Busy)?;
        // Programs send several requests at once: the first of them was looked at meanwhile.
        if let Some(is_right) = known.remembered(&fingerprint, self.clock.now()) {
            return answer(is_right);
        }
        self.guesses.spend(Some(client), 1)?;
        let (computed, of) = (Arc::clone(&known), name.clone());
        let (guesses, clock) = (Arc::clone(&self.guesses), self.clock.clone());
        // It goes on if the client leaves: what was found is remembered, and the turn is held until then.
        let compared = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let hash = computed.users.password(&of);
            let is_right = hash.unwrap_or(&computed.nobody).is_of(&password) && hash.is_some();
            computed.remember(fingerprint, clock.now(), is_right);
            if is_right {
                guesses.give_back(Some(client), 1);
            }
            is_right
        });
        answer(compared.await.map_err(|_| SignInError::Busy)?)
    }

    /// Waits until a password of a client may be computed.
    async fn turn(&self, client: Client) -> Option<[OwnedSemaphorePermit; 2]> {
        let lane = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
            Arc::clone(lanes.entry(client).or_insert_with(|| Arc::new(Semaphore::new(1))))
        };
        let lane = lane.acquire_owned().await.ok()?;
        Some([lane, Arc::clone(&self.turns).acquire_owned().await.ok()?])
    }

    /// What a client is told that guessed wrong. The same guess, repeated by a program, counts once while it is remembered.
    fn guessed(&self, known: &Known, of: &str, guess: &SecretString, client: Client) -> SignInError {
        let (fingerprint, now) =
            (known.fingerprint(of, &normalised(guess.expose_secret())), self.clock.now());
        if known.remembered(&fingerprint, now).is_some() {
            return SignInError::Wrong;
        }
        known.remember(fingerprint, now, false);
        self.guesses.spend(Some(client), 1).map_or_else(SignInError::from, |()| SignInError::Wrong)
    }
}

impl Known {
    fn read(files: &Files) -> Result<Self, OpenError> {
        let users = files.users.as_deref().map(Users::read).transpose()?.unwrap_or_default();
        let metrics = files.metrics_password.as_deref().map(read_password).transpose()?;
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        let nobody = PasswordHash::of_nobody();
        Ok(Self { users, metrics, key, remembered: Mutex::default(), nobody })
    }

    /// What a password is known again by; `of` is the name of its user, or what no user is named.
    fn fingerprint(&self, of: &str, password: &SecretString) -> [u8; 32] {
        let mut hash = keyed(&self.key);
        hash.update(of.as_bytes());
        // Names have no colons.
        hash.update(b":");
        hash.update(password.expose_secret().as_bytes());
        hash.finalize().into_bytes().into()
    }

    fn remembered(&self, fingerprint: &[u8; 32], now: DateTime<Utc>) -> Option<bool> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(fingerprint).filter(|(until, _)| now < *until).map(|(_, is_right)| *is_right)
    }

    fn remember(&self, fingerprint: [u8; 32], now: DateTime<Utc>, is_right: bool) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, (until, _)| now < *until);
        // Right ones are no more than there are users.
        if is_right || remembered.len() < MOST_REMEMBERED {
            remembered.insert(fingerprint, (now + TimeDelta::minutes(REMEMBERED_MINUTES), is_right));
        }
    }
}

/// What is kept of the password on the only line of a file.
fn read_password(path: &Path) -> Result<KeyHash, OpenError> {
    let facts = fs::metadata(path).map_err(OpenError::Metrics)?;
    // A pipe may never end, and a device never does.
    if !facts.is_file() || facts.len() > LONGEST_PASSWORD_FILE {
        return Err(OpenError::Metrics(io::Error::other("it is no regular file of a password's length")));
    }
    let text: SecretString = fs::read_to_string(path).map_err(OpenError::Metrics)?.into();
    let password = text.expose_secret().trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        Err(OpenError::NoMetricsPassword)
    } else {
        Ok(KeyHash::of(&normalised(password)))
    }
}
