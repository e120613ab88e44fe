//! Passwords and keys, and what is kept of them.

use std::fmt;
use std::hash::{Hash, Hasher};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::settings::redact::USER_KEY_BEGINS;

/// The fewest characters of a password.
const SHORTEST: usize = 8;
/// The most bytes of a password.
pub(super) const LONGEST: usize = 1024;
const KEY_FORM: &str = "$sha256$";
/// The most memory that one hash may take, in kilobytes. A file with greater demands would stop the service.
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;
/// A hash of a password that nobody has.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzIQ$\
                      Ua3kB5SjD5eu4kLwM1eRD4aD2kR6wP0FhVxW3wqTtbc";

/// A password in one spelling of Unicode: a Mac composes letters differently from Windows.
#[must_use]
pub fn normalised(password: &str) -> SecretString {
    // What is too long is no password, and is not worth normalising.
    if password.len() > LONGEST { SecretString::default() } else { password.nfc().collect::<String>().into() }
}

/// Why a text is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidPassword {
    #[error("a password has at least {SHORTEST} characters")]
    TooShort,
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    #[error("a password has no control characters")]
    Control,
    #[error("the hash could not be computed: {0}")]
    Hash(argon2::password_hash::Error),
}

/// The argon2 hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash of a new password.
    ///
    /// # Errors
    /// If it is too short, too long or has control characters.
    pub fn new(password: &SecretString) -> Result<Self, InvalidPassword> {
        let text = password.expose_secret();
        if text.len() > LONGEST {
            return Err(InvalidPassword::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidPassword::Control);
        }
        if text.chars().count() < SHORTEST {
            return Err(InvalidPassword::TooShort);
        }
        let normalised = normalised(text);
        let hash = Argon2::default().hash_password(normalised.expose_secret().as_bytes());
        hash.map(|hash| Self(hash.to_string())).map_err(InvalidPassword::Hash)
    }

    /// Reads a hash as the file of users has it; `None` if it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let hash = Phc::new(text).ok().filter(|hash| hash.salt.is_some() && hash.hash.is_some())?;
        let cost = argon2::Params::try_from(&hash).ok()?;
        argon2::Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let is_bearable = cost.m_cost() <= MOST_MEMORY && cost.t_cost() <= MOST_PASSES;
        is_bearable.then(|| Self(text.to_owned()))
    }

    /// One that is no password's.
    #[must_use]
    pub fn of_nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// Whether it is that password's. Takes as long as it was made to.
    #[must_use]
    pub fn is_of(&self, password: &SecretString) -> bool {
        let password = password.expose_secret();
        let Ok(hash) = Phc::new(&self.0) else { return false };
        let is_right = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        is_right && !password.is_empty()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// The SHA-256 of a key. Keys are random, so that a slow hash would protect them no better.
#[derive(Clone, Eq)]
pub struct KeyHash([u8; 32]);

/// Compared in constant time.
impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// A new key, to be shown once.
///
/// # Errors
/// When the system gives no random numbers.
pub fn generate_key() -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{USER_KEY_BEGINS}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
}

impl KeyHash {
    /// What is kept of a key.
    #[must_use]
    pub fn of(key: &SecretString) -> Self {
        Self(Sha256::digest(key.expose_secret().as_bytes()).into())
    }

    /// Reads what the file of users has of a key; `None` if it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(KEY_FORM)?).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KEY_FORM}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[test]
    fn a_password_is_found_again_in_either_spelling_of_its_letters() {
        let hash = PasswordHash::new(&secret("bl\u{e5}b\u{e6}r: gr\u{f8}d")).unwrap();
        let read = PasswordHash::read(hash.as_str()).unwrap();
        assert!(read.is_of(&normalised("bla\u{30a}b\u{e6}r: gr\u{f8}d")));
        assert!(!read.is_of(&normalised("blabær: grød")));
        assert_ne!(
            PasswordHash::new(&secret("samme kode")),
            PasswordHash::new(&secret("samme kode")),
            "salted"
        );
    }

    #[test]
    fn what_is_no_password_is_refused() {
        assert_eq!(PasswordHash::new(&secret("")), Err(InvalidPassword::TooShort));
        assert_eq!(PasswordHash::new(&secret("syv tgn")), Err(InvalidPassword::TooShort));
        assert_eq!(PasswordHash::new(&secret("to linjer\n")), Err(InvalidPassword::Control));
        assert_eq!(PasswordHash::new(&secret(&"x".repeat(LONGEST + 1))), Err(InvalidPassword::TooLong));
        assert!(!PasswordHash::of_nobody().is_of(&normalised("")));
    }

    #[test]
    fn who_is_no_user_is_looked_at_for_as_long_as_a_user() {
        let cost = |hash: &PasswordHash| {
            let hash = Phc::new(&hash.0).unwrap();
            let lengths = (hash.salt.unwrap().as_ref().len(), hash.hash.unwrap().len());
            (hash.algorithm.to_string(), hash.version, argon2::Params::try_from(&hash).unwrap(), lengths)
        };
        let made = PasswordHash::new(&secret("hemmelig kode")).unwrap();
        assert_eq!(cost(&PasswordHash::of_nobody()), cost(&made));
    }

    #[test]
    fn a_hash_that_nobody_can_compute_is_refused() {
        assert!(PasswordHash::read(NOBODY).is_some());
        for text in [
            "",
            "hemmelig",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ",
            "$argon2id$v=19$m=9999999,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$Ua3kB5SjD5eu4kLwM1eRD4aD2kR6wP0FhVxW3wqTtbc",
            "$argon2id$v=19$m=19456,t=900,p=1$bm9ib2R5IGhhcyB0aGlz$Ua3kB5SjD5eu4kLwM1eRD4aD2kR6wP0FhVxW3wqTtbc",
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        ] {
            assert!(PasswordHash::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn keys_are_long_random_and_never_shown() {
        let (one, other) = (generate_key().unwrap(), generate_key().unwrap());
        assert_eq!(one.expose_secret().len(), 46);
        let (kept, other) = (KeyHash::of(&one), KeyHash::of(&other));
        assert!(kept != other);
        assert!(KeyHash::read(&kept.to_string()) == Some(kept.clone()));
        assert_eq!(format!("{one:?} {kept:?}"), "SecretBox<str>([REDACTED]) KeyHash");
        assert!(KeyHash::read("$sha256$AAAA").is_none());
    }
}
