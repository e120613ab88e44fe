//! What was found of credentials, known again for five minutes without being computed or kept: under a hash with a key of its own, which is
//! in memory alone. A memory is replaced together with what its credentials were compared with.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use hmac::Mac;
use secrecy::{ExposeSecret, SecretString};

use crate::clock::Clock;
use crate::sign_in::link::keyed;

/// How long a finding is known, in minutes: long enough for a refresh, and short enough that little is kept.
const MINUTES: i64 = 5;
/// The most findings that there is room for.
const MOST: usize = 10_000;

/// What credentials are known again by.
pub(super) type Fingerprint = [u8; 32];

/// What was found of credentials of one kind.
pub(super) struct Memory<T> {
    key: [u8; 64],
    found: Mutex<HashMap<Fingerprint, Finding<T>>>,
    clock: Clock,
}

struct Finding<T> {
    found: T,
    until: DateTime<Utc>,
}

impl<T: Clone> Memory<T> {
    /// An empty one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new(clock: Clock) -> Result<Self, getrandom::Error> {
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        Ok(Self { key, found: Mutex::default(), clock })
    }

    /// What a secret is known again by; `of` is whose it is said to be, and has no colon.
    pub fn fingerprint(&self, of: &str, secret: &SecretString) -> Fingerprint {
        let mut hash = keyed(&self.key);
        hash.update(of.as_bytes());
        hash.update(b":");
        hash.update(secret.expose_secret().as_bytes());
        hash.finalize().into_bytes().into()
    }

    /// What was found of a secret within the last minutes.
    pub fn recall(&self, secret: &Fingerprint) -> Option<T> {
        let now = self.clock.now();
        self.found().get(secret).filter(|finding| now < finding.until).map(|finding| finding.found.clone())
    }

    /// Whether there is room for another finding.
    pub fn has_room(&self) -> bool {
        self.still_known(self.clock.now()).len() < MOST
    }

    /// Keeps what was found of a secret, whether or not there is room for it, and never beyond `end`.
    pub fn keep(&self, secret: Fingerprint, found: T, end: Option<DateTime<Utc>>) {
        let now = self.clock.now();
        let until = now + TimeDelta::minutes(MINUTES);
        let until = end.map_or(until, |end| until.min(end));
        self.still_known(now).insert(secret, Finding { found, until });
    }

    fn still_known(&self, now: DateTime<Utc>) -> MutexGuard<'_, HashMap<Fingerprint, Finding<T>>> {
        let mut found = self.found();
        found.retain(|_, finding| now < finding.until);
        found
    }

    fn found(&self) -> MutexGuard<'_, HashMap<Fingerprint, Finding<T>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn memory() -> (Clock, Memory<usize>) {
        let clock = Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap());
        (clock.clone(), Memory::new(clock).unwrap())
    }

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[test]
    fn what_was_found_is_known_for_five_minutes_and_never_beyond_its_end() {
        let (clock, memory) = memory();
        let [lasting, ending] = ["a", "b"].map(|of| memory.fingerprint(of, &secret("hemmelig")));
        memory.keep(lasting, 1, Some(clock.now() + TimeDelta::hours(1)));
        memory.keep(ending, 2, Some(clock.now() + TimeDelta::seconds(2)));
        assert_eq!((memory.recall(&lasting), memory.recall(&ending)), (Some(1), Some(2)));
        clock.advance(Duration::from_secs(2));
        assert_eq!((memory.recall(&lasting), memory.recall(&ending)), (Some(1), None));
        clock.advance(Duration::from_secs(297));
        assert_eq!(memory.recall(&lasting), Some(1));
        clock.advance(Duration::from_secs(1));
        assert_eq!(memory.recall(&lasting), None);
        assert!(memory.has_room() && memory.found().is_empty(), "what is over is forgotten");
    }

    #[test]
    fn secrets_are_known_by_whose_they_are_and_in_their_own_memory_alone() {
        let ((_, memory), (_, other)) = (memory(), memory());
        let print = memory.fingerprint("anne", &secret("hemmelig"));
        assert_eq!(print, memory.fingerprint("anne", &secret("hemmelig")));
        assert_ne!(print, memory.fingerprint("ann", &secret("ehemmelig")));
        assert_ne!(print, memory.fingerprint("bo", &secret("hemmelig")));
        assert_ne!(print, other.fingerprint("anne", &secret("hemmelig")));
    }

    #[test]
    fn room_is_made_by_time_and_what_must_be_kept_is_kept_without_it() {
        let (clock, memory) = memory();
        let print = |number: usize| {
            let mut print = [0; 32];
            print[..8].copy_from_slice(&number.to_be_bytes());
            print
        };
        memory.keep(print(0), 0, None);
        clock.advance(Duration::from_secs(60));
        assert!(memory.has_room());
        let until = clock.now() + TimeDelta::minutes(MINUTES);
        memory.found().extend((1..MOST).map(|number| (print(number), Finding { found: number, until })));
        assert!(!memory.has_room());
        memory.keep(print(MOST), MOST, None);
        assert_eq!(memory.recall(&print(MOST)), Some(MOST));
        clock.advance(Duration::from_secs(240));
        assert!(!memory.has_room(), "the first is over, and one more was kept");
        clock.advance(Duration::from_secs(60));
        assert!(memory.has_room());
    }
}
