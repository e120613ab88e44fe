//! The only source of the current time. Everything that depends on time takes a [`Clock`], so that tests can fix it or move it.
//!
//! Instants are in UTC. Local time is Copenhagen's, because the upstream's closed hour and working hours are defined in it, and
//! because the days on which figures are published are days there.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::Europe::Copenhagen;
use chrono_tz::Tz;
use tokio::sync::watch;

/// An instant on the Copenhagen wall clock.
pub type CopenhagenTime = DateTime<Tz>;

/// A source of the current time. Cheap to clone; clones share the same time.
#[derive(Clone, Default)]
pub enum Clock {
    /// The machine's own time.
    #[default]
    System,
    /// A time that moves only when a test moves it.
    Fixed(Arc<FixedTime>),
}

/// A time that changes only when it is set, and the instants that sleepers wait for.
#[derive(Debug)]
pub struct FixedTime {
    now: watch::Sender<DateTime<Utc>>,
    awaited: Mutex<Vec<DateTime<Utc>>>,
}

/// A running wait. Dropping it, also when its task is cancelled, takes it off the list of sleepers.
struct Wait<'a>(&'a FixedTime, DateTime<Utc>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("Clock::System"),
            Self::Fixed(_) => write!(f, "Clock::Fixed({})", self.now()),
        }
    }
}

impl Clock {
    /// A clock that shows `instant` until it is moved.
    #[must_use]
    pub fn fixed(instant: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(FixedTime { now: watch::Sender::new(instant), awaited: Mutex::default() }))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            // `Utc::now` would panic before 1970.
            Self::System => SystemTime::now().into(),
            Self::Fixed(time) => *time.now.borrow(),
        }
    }

    /// The present on the Copenhagen wall clock.
    #[must_use]
    pub fn copenhagen(&self) -> CopenhagenTime {
        self.now().with_timezone(&Copenhagen)
    }

    /// Waits until that much time has passed on this clock. Setting the machine's clock neither shortens nor lengthens the wait.
    pub async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Fixed(time) => time.sleep(duration).await,
        }
    }

    /// How many tasks sleep on a fixed clock. After moving the clock, a test waits for this number to know that every woken task has
    /// finished its work and sleeps again.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        match self {
            Self::System => 0,
            Self::Fixed(time) => {
                let now = self.now();
                time.awaited().iter().filter(|due| **due > now).count()
            }
        }
    }

    /// Moves a fixed clock forward; the machine's own time is left alone.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets a fixed clock; the machine's own time is left alone.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Self::Fixed(time) = self {
            time.now.send_replace(to);
        }
    }
}

impl FixedTime {
    async fn sleep(&self, duration: Duration) {
        let due = *self.now.borrow() + duration;
        self.awaited().push(due);
        let _wait = Wait(self, due);
        // The sender lives as long as the clock does.
        let _ = self.now.subscribe().wait_for(|now| *now >= due).await;
    }

    fn awaited(&self) -> MutexGuard<'_, Vec<DateTime<Utc>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut awaited = self.0.awaited();
        if let Some(at) = awaited.iter().position(|due| *due == self.1) {
            awaited.swap_remove(at);
        }
    }
}

/// Whether less than `longest` has passed since an instant. An instant in the future was recorded before the machine's clock was
/// set back; its age is unknown, so the answer is no.
#[must_use]
pub fn is_within(longest: Duration, since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (now - since).to_std().is_ok_and(|passed| passed < longest)
}

/// The first instant of a day in Copenhagen.
#[must_use]
pub fn start_of_day(day: NaiveDate) -> DateTime<Utc> {
    at_hour(day, 0)
}

/// The instant at which an hour of a day begins in Copenhagen, for hours that exist every day: clocks change at two and three.
#[must_use]
pub fn at_hour(day: NaiveDate, hour: u32) -> DateTime<Utc> {
    at_local(day.and_time(NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default()))
}

/// The first instant at which the clocks in Copenhagen show this; read as UTC where they never do.
#[must_use]
pub fn at_local(shown: NaiveDateTime) -> DateTime<Utc> {
    let at = Copenhagen.from_local_datetime(&shown).earliest();
    at.map_or_else(|| shown.and_utc(), |at| at.with_timezone(&Utc))
}

/// The instant with the offset that a time zone has then.
///
/// It stays in UTC where no text of an instant can have that offset or year: where clocks differed from UTC by no whole minute (in
/// Copenhagen before 1894), and where the zone's year is before 1 or after 9999.
#[must_use]
pub fn in_zone(instant: DateTime<Utc>, zone: Tz) -> DateTime<FixedOffset> {
    let utc = instant.fixed_offset();
    let shift = zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
    let shown =
        instant.naive_utc().checked_add_offset(shift).filter(|shown| (1..=9999).contains(&shown.year()));
    let is_whole = shift.local_minus_utc() % 60 == 0;
    if is_whole && shown.is_some() { utc.with_timezone(&shift) } else { utc }
}

/// The instant with Copenhagen's offset.
#[must_use]
pub fn local(instant: DateTime<Utc>) -> DateTime<FixedOffset> {
    in_zone(instant, Copenhagen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_sleeps_by_a_fixed_clock_wakes_when_it_has_moved_far_enough_and_not_before() {
        let clock = Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap());
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Duration::from_secs(60)).await }
        });
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(59));
        tokio::task::yield_now().await;
        assert_eq!((clock.sleepers(), sleeper.is_finished()), (1, false));
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.sleepers(), 0, "awake, though it may not have had its turn yet");
        sleeper.await.unwrap();
    }

    #[tokio::test]
    async fn a_sleep_that_is_given_up_is_no_longer_waited_for() {
        let clock = Clock::fixed("2026-09-01T08:00:00Z".parse().unwrap());
        let given_up = tokio::time::timeout(Duration::ZERO, clock.sleep(Duration::from_secs(60)));
        assert!(given_up.await.is_err());
        assert_eq!(clock.sleepers(), 0);
    }
}
