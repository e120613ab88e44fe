//! Judges guesses: whether a password or a key is right. What was found is known again for five minutes without being computed or kept,
//! and a client has a number of wrong guesses in an hour.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use hmac::Mac;
use secrecy::{ExposeSecret, SecretString};

use crate::budget::Exhausted;
use crate::budget::client::Client;
use crate::budget::hourly::HourlyBudget;
use crate::clock::Clock;
use crate::sign_in::link::keyed;

/// How long a guess that was found right or wrong is known to be so, in minutes: computing a password's hash is made to take long.
const REMEMBERED_MINUTES: i64 = 5;
/// The most guesses that are remembered; beyond it, wrong ones are computed each time.
const MOST_REMEMBERED: usize = 10_000;

/// What a guess is known again by.
pub(super) type Fingerprint = [u8; 32];

/// Judges the guesses that are made while the users stay the same.
pub(super) struct Judge {
    /// With the key, guesses are known again without being kept.
    key: [u8; 64],
    found: Mutex<HashMap<Fingerprint, Found>>,
    guesses: Arc<HourlyBudget>,
    clock: Clock,
}

/// What was found of a guess.
struct Found {
    is_right: bool,
    until: DateTime<Utc>,
}

impl Judge {
    /// Of guesses that cost a client a part of that budget if they are wrong.
    pub fn new(guesses: Arc<HourlyBudget>, clock: Clock) -> Result<Self, getrandom::Error> {
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        Ok(Self { key, found: Mutex::default(), guesses, clock })
    }

    /// What a guess is known again by; `of` is the name of its user, or what no user is named.
    pub fn fingerprint(&self, of: &str, guess: &SecretString) -> Fingerprint {
        let mut hash = keyed(&self.key);
        hash.update(of.as_bytes());
        // Names have no colons.
        hash.update(b":");
        hash.update(guess.expose_secret().as_bytes());
        hash.finalize().into_bytes().into()
    }

    /// Whether a guess was right that was judged within the last minutes.
    pub fn remembered(&self, guess: &Fingerprint) -> Option<bool> {
        let now = self.clock.now();
        self.found().get(guess).filter(|found| now < found.until).map(|found| found.is_right)
    }

    /// Whether a guess is right: as it is remembered, or else as `compare` says. A wrong one that is not remembered costs its client one of
    /// its guesses, and who has none left is not told.
    pub fn judge(
        &self,
        guess: Fingerprint,
        client: Client,
        compare: impl FnOnce() -> bool,
    ) -> Result<bool, Exhausted> {
        if let Some(is_right) = self.remembered(&guess) {
            return Ok(is_right);
        }
        // First of all, so that several at once cannot all be compared with the last guess.
        self.guesses.spend(Some(client), 1)?;
        let is_right = compare();
        self.remember(guess, is_right);
        if is_right {
            self.guesses.give_back(Some(client), 1);
        }
        Ok(is_right)
    }

    fn remember(&self, guess: Fingerprint, is_right: bool) {
        let now = self.clock.now();
        let mut found = self.found();
        found.retain(|_, found| now < found.until);
        // Right ones are no more than there are users.
        if is_right || found.len() < MOST_REMEMBERED {
            found.insert(guess, Found { is_right, until: now + TimeDelta::minutes(REMEMBERED_MINUTES) });
        }
    }

    fn found(&self) -> MutexGuard<'_, HashMap<Fingerprint, Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
