//! Judges guesses: whether a password or a key is right. What was found is remembered, because computing a password's hash is made to take
//! long; and a client has a number of wrong guesses in an hour.

use std::sync::Arc;

use secrecy::SecretString;

use crate::budget::Exhausted;
use crate::budget::client::Client;
use crate::budget::hourly::HourlyBudget;
use crate::clock::Clock;
use crate::observe::news::{Announcements, Topic};
use crate::sign_in::memory::{Fingerprint, Memory};

/// Judges the guesses that are made while the users stay the same.
pub(super) struct Judge {
    /// Whether a guess was right.
    found: Memory<bool>,
    guesses: Arc<HourlyBudget>,
    announcements: Announcements,
}

impl Judge {
    /// Of guesses that cost a client a part of that budget if they are wrong.
    pub fn new(
        guesses: Arc<HourlyBudget>,
        clock: Clock,
        announcements: Announcements,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self { found: Memory::new(clock)?, guesses, announcements })
    }

    /// What a guess is known again by; `of` is the name of its user, or what no user is named.
    pub fn fingerprint(&self, of: &str, guess: &SecretString) -> Fingerprint {
        self.found.fingerprint(of, guess)
    }

    /// Whether a guess was right that was judged within the last minutes.
    pub fn remembered(&self, guess: &Fingerprint) -> Option<bool> {
        self.found.recall(guess)
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
        // Right ones are no more than there are users. Wrong ones beyond the room are computed each time.
        if is_right || self.found.has_room() {
            self.found.keep(guess, is_right, None);
        }
        match is_right {
            true => self.guesses.give_back(Some(client), 1),
            false => self.announcements.tell(Topic::Guesses, || {
                serde_json::to_string(&client).into_iter().map(|client| (client, String::new())).collect()
            }),
        }
        Ok(is_right)
    }
}
