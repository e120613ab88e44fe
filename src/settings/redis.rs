//! The address of Redis or Valkey. It may have a password in it, so it has no `Display`, its `Debug` hides it, and it is only given to the
//! client that connects.

use std::fmt;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::de::{Deserialize, Deserializer, Error};

use crate::settings::redact::remember;

/// A shorter password would be found by chance in text that has nothing to do with it.
const LEAST_LENGTH: usize = 8;

/// Where bridges share what they know.
#[derive(Clone)]
pub struct RedisUrl {
    url: SecretString,
    /// Host and port, for the log.
    place: String,
}

impl RedisUrl {
    /// Reads an address such as `redis://:password@host:6379/0`, or `rediss://…` for TLS.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let database = url.path().trim_matches('/');
        let is_scheme = ["redis", "rediss"].contains(&url.scheme());
        let is_whole = is_scheme && url.query().is_none() && url.fragment().is_none();
        let is_database = database.is_empty() || database.parse::<u8>().is_ok();
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let place = format!("{host}:{}", url.port().unwrap_or(6379));
        if let Some(password) = url.password().filter(|password| password.len() >= LEAST_LENGTH) {
            // What Redis says of itself is logged.
            remember(&SecretString::from(percent_decode_str(password).decode_utf8_lossy().into_owned()));
        }
        (is_whole && is_database).then(|| Self { url: SecretString::from(text), place })
    }

    /// The address with its password, for the client that connects.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }

    /// Host and port.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.place)
    }
}

impl<'de> Deserialize<'de> for RedisUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("not an address of Redis"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password() {
        let url = RedisUrl::parse("redis://user:hemmelig@cache.example:6380/3").unwrap();
        assert_eq!(
            (url.place(), format!("{url:?}").as_str()),
            ("cache.example:6380", "RedisUrl(cache.example:6380)")
        );
        assert_eq!(RedisUrl::parse("rediss://cache.example").unwrap().place(), "cache.example:6379");
        assert_eq!(RedisUrl::parse("redis://[::1]").unwrap().place(), "[::1]:6379");
        for wrong in [
            "",
            "cache:6379",
            "http://cache",
            "redis://",
            "redis://cache/x",
            "redis://cache/1?a=b",
            "redis://cache/0#x",
            // With this the client of Redis would believe any certificate.
            "rediss://cache/#insecure",
            "valkey://cache",
        ] {
            assert!(RedisUrl::parse(wrong).is_none(), "{wrong}");
        }
    }
}
