//! Grants of links: who follows a link to the next page within 60 to 70 minutes reads that page as the user whom it was given to. It is
//! not known that clients repeat a key on links, and a link must have none. A grant is good for one address and one user, and is worth nothing
//! without the key of this process. The links of a page that was reached by a link end when that one does: nobody reads on for longer
//! without signing in.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::sign_in::SignInError;
use crate::sign_in::name::UserName;
use crate::sign_in::reader::{Account, Identity};

/// How long a grant is good at least, in seconds.
const GOOD_FOR: i64 = 3600;
/// Grants of the same ten minutes are equal, and end as the last of them does, so that an answer stays the same for a while; the first is good
/// for that much longer, in seconds.
const STEP: i64 = 600;
const TIME_BYTES: usize = 8;
const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 64;

/// What a link says of who may follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub user: Identity,
    /// When it ends, in seconds of Unix time.
    pub until: i64,
}

/// When a grant ends that is given to who has just signed in, in seconds of Unix time. An account's ends with its token.
#[must_use]
pub fn end(user: &Identity, now: DateTime<Utc>) -> i64 {
    let end = (now.timestamp().div_euclid(STEP) + 1) * STEP + GOOD_FOR;
    match user {
        Identity::User(_) => end,
        Identity::Account(account) => end.min(account.until.timestamp()),
    }
}

/// Grants links, and knows its own.
pub struct Links {
    keys: RwLock<Keys>,
}

/// The key that links are granted with, and the one before.
#[derive(Clone, Copy)]
struct Keys {
    current: [u8; KEY_BYTES],
    earlier: Option<[u8; KEY_BYTES]>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links")
    }
}

impl Links {
    /// With a key of its own.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut current = [0; KEY_BYTES];
        getrandom::fill(&mut current)?;
        Ok(Self { keys: RwLock::new(Keys { current, earlier: None }) })
    }

    /// The key, as text.
    #[must_use]
    pub fn key(&self) -> SecretString {
        URL_SAFE_NO_PAD.encode(self.keys().current).into()
    }

    /// Grants with that key from now on. Links with the one before are known still. False if it is no key.
    pub fn share(&self, key: &SecretString) -> bool {
        let decoded = URL_SAFE_NO_PAD.decode(key.expose_secret()).ok();
        let Some(current) = decoded.and_then(|key| key.try_into().ok()) else { return false };
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.current != current {
            *keys = Keys { current, earlier: Some(keys.current) };
        }
        true
    }

    fn keys(&self) -> Keys {
        *self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// A grant that is good for an address until a second of Unix time. `secret` is what is kept of the user's: who gets a new one ends
    /// earlier grants. `target` is the address as it is compared: the same for every spelling.
    #[must_use]
    pub fn grant(&self, user: &Identity, secret: &str, target: &str, until: i64) -> String {
        let (until, user) = (until.to_be_bytes(), written(user));
        let mac = mac_of(&self.keys().current, &until, &user, secret, target).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([until.as_slice(), mac.as_slice(), user.as_bytes()].concat())
    }

    /// Reads a grant for that address.
    ///
    /// # Errors
    /// When it is none of this process, belongs to another address, or its time is over.
    pub fn read(
        &self,
        grant: &str,
        secret_of: impl FnOnce(&Identity) -> Option<String>,
        target: &str,
        now: DateTime<Utc>,
    ) -> Result<Grant, SignInError> {
        let bytes = URL_SAFE_NO_PAD.decode(grant).map_err(|_| SignInError::ForeignLink)?;
        let (until, rest) = bytes.split_first_chunk::<TIME_BYTES>().ok_or(SignInError::ForeignLink)?;
        let (mac, text) = rest.split_first_chunk::<MAC_BYTES>().ok_or(SignInError::ForeignLink)?;
        let text = std::str::from_utf8(text).map_err(|_| SignInError::ForeignLink)?;
        let user = read(text).ok_or(SignInError::ForeignLink)?;
        let secret = secret_of(&user).ok_or(SignInError::ForeignLink)?;
        let keys = self.keys();
        // Compared in constant time.
        let is_of =
            |key: &[u8; KEY_BYTES]| mac_of(key, until, text, &secret, target).verify_slice(mac).is_ok();
        if !is_of(&keys.current) && !keys.earlier.as_ref().is_some_and(is_of) {
            return Err(SignInError::ForeignLink);
        }
        let until = i64::from_be_bytes(*until);
        if now.timestamp() < until { Ok(Grant { user, until }) } else { Err(SignInError::ExpiredLink) }
    }
}

fn mac_of(
    key: &[u8; KEY_BYTES],
    until: &[u8; TIME_BYTES],
    user: &str,
    secret: &str,
    target: &str,
) -> Hmac<Sha256> {
    let mut mac = keyed(key);
    mac.update(until);
    mac.update(user.as_bytes());
    // Names, accounts as they are written and secrets have no line breaks.
    mac.update(b"\n");
    mac.update(secret.as_bytes());
    mac.update(b"\n");
    mac.update(target.as_bytes());
    mac
}

/// A user in a grant: the name, or the account as JSON, with which no name begins.
fn written(user: &Identity) -> String {
    match user {
        Identity::User(name) => name.to_string(),
        Identity::Account(account) => serde_json::to_string(account).unwrap_or_default(),
    }
}

fn read(text: &str) -> Option<Identity> {
    if text.starts_with('{') {
        return serde_json::from_str::<Account>(text).ok().map(Identity::Account);
    }
    UserName::new(text).ok().map(Identity::User)
}

/// A hash with a key.
pub(super) fn keyed(key: &[u8; 64]) -> Hmac<Sha256> {
    Hmac::new(key.into())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_grant_is_good_for_its_address_and_sixty_to_seventy_minutes() {
        let (links, now) = (Links::new().unwrap(), "2026-09-15T07:00:00Z".parse::<DateTime<Utc>>().unwrap());
        let anne = Identity::User(UserName::new("anne").unwrap());
        let until = end(&anne, now);
        let kept = |_: &Identity| Some("kept".to_owned());
        let grant = links.grant(&anne, "kept", "/a?b", until);
        assert_eq!(until - now.timestamp(), 70 * 60);
        let last = now + TimeDelta::seconds(STEP - 1);
        assert_eq!(end(&anne, last), until, "the same for a while");
        assert_eq!(end(&anne, last) - last.timestamp(), 60 * 60 + 1);
        let read = |at, target| links.read(&grant, kept, target, now + TimeDelta::minutes(at));
        assert_eq!(read(69, "/a?b"), Ok(Grant { user: anne, until }));
        let account = Account {
            subject: "a".to_owned(),
            groups: Default::default(),
            until: now + TimeDelta::minutes(3),
        };
        assert_eq!(end(&Identity::Account(account), now), now.timestamp() + 180, "not beyond its token");
        assert_eq!(read(70, "/a?b"), Err(SignInError::ExpiredLink));
        assert_eq!(read(0, "/a?c"), Err(SignInError::ForeignLink));
        let others = Links::new().unwrap().read(&grant, kept, "/a?b", now);
        assert_eq!(others, Err(SignInError::ForeignLink));
        let other = |_: &Identity| Some("new".to_owned());
        assert_eq!(links.read(&grant, other, "/a?b", now), Err(SignInError::ForeignLink), "a new password");
        let bytes = URL_SAFE_NO_PAD.decode(&grant).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(links.read(&changed, kept, "/a?b", now), Err(SignInError::ForeignLink), "{at}");
        }
        for text in ["", "x", "AAAA", "æ"] {
            assert_eq!(links.read(text, kept, "/a?b", now), Err(SignInError::ForeignLink), "{text}");
        }
    }
}
