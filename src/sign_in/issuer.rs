//! The organisation's sign-in, an OpenID Connect provider: its discovery document and its keys, fetched, kept and renewed; and the tokens
//! that they were found to have signed. While it cannot be reached, what is known of it stays.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, Url, redirect};
use secrecy::SecretString;
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::watch;

use crate::clock::{Clock, is_within};
use crate::error::{excerpt, innermost};
use crate::settings::{is_loopback, is_protected};
use crate::sign_in::memory::Memory;
use crate::sign_in::reader::Account;
use crate::sign_in::token::{Accepted, KeySet, TokenError};

/// Where the discovery document is, below the issuer.
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// How often the documents are fetched anew.
const RENEWAL: Duration = Duration::from_secs(3600);
/// The shortest time between two tries.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest fetch of one document.
const LONGEST_FETCH: Duration = Duration::from_secs(5);
/// The largest document, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Why the documents of the issuer cannot be used.
#[derive(Debug, Error)]
enum IssuerError {
    #[error("{url} cannot be fetched: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} is no such document as OpenID Connect demands: {reason}")]
    Document { url: String, reason: String },
    #[error("the discovery document is of the issuer {found:?}, which is not BRIDGE_TOKEN_ISSUER")]
    Other { found: String },
    #[error("the discovery document names {found:?}; expected an address with https and without commas")]
    Address { found: String },
    #[error("{url} has no key with which tokens are signed")]
    NoKeys { url: String },
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// What is used of the discovery document.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    jwks_uri: String,
}

/// What is known of the issuer at a time. A token is remembered no longer than its key is known.
struct Documents {
    authorization_endpoint: String,
    keys: KeySet,
    remembered: Memory<Account>,
}

/// The issuer of tokens.
pub struct Issuer {
    accepted: Accepted,
    http: Client,
    documents: RwLock<Option<Arc<Documents>>>,
    /// When the documents were last asked for, and whether they came. It is held while they are fetched: one does, others wait.
    tried: tokio::sync::Mutex<Option<(DateTime<Utc>, bool)>>,
    clock: Clock,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("accepted", &self.accepted).finish_non_exhaustive()
    }
}

/// Why an issuer cannot be asked at all.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error("the HTTP client cannot be set up: {0}")]
    Http(#[from] reqwest::Error),
}

impl Issuer {
    /// An issuer of which nothing is known yet.
    ///
    /// # Errors
    /// When the system lacks what HTTP needs.
    pub fn new(accepted: Accepted, clock: Clock) -> Result<Self, SetupError> {
        let mut builder = Client::builder()
            .user_agent(concat!("jobindsats-bridge/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .timeout(LONGEST_FETCH);
        if Url::parse(&accepted.issuer).is_ok_and(|url| is_loopback(&url)) {
            builder = builder.no_proxy();
        }
        let (http, documents, tried) = (builder.build()?, RwLock::default(), tokio::sync::Mutex::default());
        Ok(Self { accepted, http, documents, tried, clock })
    }

    /// Whom a token belongs to. One with a key that is not known yet waits until the keys were fetched anew, unless they just were.
    ///
    /// # Errors
    /// When it is not to be believed, or the keys of the issuer are not known.
    pub async fn account(self: &Arc<Self>, token: &SecretString) -> Result<Account, TokenError> {
        let known = match self.documents() {
            Some(documents) => self.checked(&documents, token),
            None => Err(TokenError::UnknownKey),
        };
        if known != Err(TokenError::UnknownKey) {
            return known;
        }
        self.renew_apart().await;
        self.checked(&*self.documents().ok_or(TokenError::NoKeys)?, token)
    }

    /// Where people sign in, once that is known.
    #[must_use]
    pub fn authorization_endpoint(&self) -> Option<String> {
        self.documents().map(|documents| documents.authorization_endpoint.clone())
    }

    /// The same; asks for it if it is not known yet.
    ///
    /// # Errors
    /// When the issuer does not tell.
    pub async fn sign_in_address(self: &Arc<Self>) -> Result<String, TokenError> {
        if self.documents().is_none() {
            self.renew_apart().await;
        }
        self.authorization_endpoint().ok_or(TokenError::NoKeys)
    }

    /// Fetches the documents anew from time to time, until `stop` becomes true or its sender is dropped.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let renew = async {
            loop {
                let pause = if self.renew().await { RENEWAL } else { PAUSE };
                self.clock.sleep(pause).await;
            }
        };
        tokio::select! {
            () = renew => {}
            _ = stop.wait_for(|stopped| *stopped) => {}
        }
    }

    fn documents(&self) -> Option<Arc<Documents>> {
        self.documents.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whom a token belongs to, as far as the keys are known.
    fn checked(&self, documents: &Documents, token: &SecretString) -> Result<Account, TokenError> {
        let Documents { keys, remembered, .. } = documents;
        let fingerprint = remembered.fingerprint("", token);
        if let Some(account) = remembered.recall(&fingerprint) {
            return Ok(account);
        }
        let account = self.accepted.account(token, keys, self.clock.now())?;
        if remembered.has_room() {
            remembered.keep(fingerprint, account.clone(), Some(account.until));
        }
        Ok(account)
    }

    /// Fetches the documents anew in a task of its own, which a client that leaves does not end.
    async fn renew_apart(self: &Arc<Self>) {
        let issuer = Arc::clone(self);
        // It does not panic; if it did, the earlier documents would stay.
        let _ = tokio::spawn(async move { issuer.renew().await }).await;
    }

    /// Fetches the documents anew, unless that was tried a moment ago; whether it succeeded last.
    async fn renew(&self) -> bool {
        let mut tried = self.tried.lock().await;
        let now = self.clock.now();
        if let Some((at, succeeded)) = *tried
            && is_within(PAUSE, at, now)
        {
            return succeeded;
        }
        let fetched = self.fetch().await;
        *tried = Some((now, fetched.is_ok()));
        match fetched {
            Ok(documents) => {
                let mut known = self.documents.write().unwrap_or_else(PoisonError::into_inner);
                *known = Some(Arc::new(documents));
                true
            }
            Err(error) => {
                tracing::error!(%error, "BRIDGE_TOKEN_ISSUER: the issuer cannot be read; what is known of it stays");
                false
            }
        }
    }

    async fn fetch(&self) -> Result<Documents, IssuerError> {
        let url = format!("{}{DISCOVERY}", self.accepted.issuer.trim_end_matches('/'));
        let read = self.body(&url).await?;
        let discovery: Discovery = serde_json::from_slice(&read).map_err(|error| unreadable(&url, &error))?;
        if discovery.issuer != self.accepted.issuer {
            return Err(IssuerError::Other { found: excerpt(&discovery.issuer) });
        }
        let authorization_endpoint = address(&discovery.authorization_endpoint)?;
        let url = address(&discovery.jwks_uri)?;
        let keys = KeySet::read(&self.body(&url).await?).map_err(|error| unreadable(&url, &error))?;
        if keys.is_empty() {
            return Err(IssuerError::NoKeys { url });
        }
        Ok(Documents { authorization_endpoint, keys, remembered: Memory::new(self.clock.clone())? })
    }

    async fn body(&self, url: &str) -> Result<Vec<u8>, IssuerError> {
        let failed = |reason: String| IssuerError::Unreachable { url: url.to_owned(), reason };
        let http = |error: reqwest::Error| failed(innermost(&error.without_url()));
        let mut response = self.http.get(url).send().await.map_err(http)?;
        if !response.status().is_success() {
            return Err(failed(format!("it is answered with {}", response.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(http)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(failed(format!("it has more than {LARGEST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn unreadable(url: &str, error: &serde_json::Error) -> IssuerError {
    IssuerError::Document { url: url.to_owned(), reason: excerpt(&error.to_string()) }
}

/// An address of the discovery document, as it may stand in a header.
fn address(text: &str) -> Result<String, IssuerError> {
    let url = Url::parse(text).ok().filter(is_protected).map(String::from);
    url.filter(|url| !url.contains(',')).ok_or_else(|| IssuerError::Address { found: excerpt(text) })
}
