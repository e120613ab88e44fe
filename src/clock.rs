//! The only source of "now". Everything that depends on time takes a [`Clock`], so that tests can fix it or move it.
//!
//! Instants are UTC; wall time is Copenhagen's, the clock that the upstream and its users live by.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use chrono_tz::Europe::Copenhagen;
use chrono_tz::Tz;

/// An instant on the Copenhagen wall clock.
pub type CopenhagenTime = DateTime<Tz>;

/// Where the present comes from. Cheap to clone; clones share the same time.
#[derive(Clone, Default)]
pub enum Clock {
    /// The machine's own time.
    #[default]
    System,
    /// A time that moves only when a test moves it.
    Fixed(Arc<Mutex<DateTime<Utc>>>),
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("Clock::System"),
            Self::Fixed(_) => write!(f, "Clock::Fixed({})", self.now()),
        }
    }
}

impl Clock {
    /// A clock that stands at `instant` until it is moved.
    #[must_use]
    pub fn fixed(instant: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(Mutex::new(instant)))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::System => Utc::now(),
            Self::Fixed(instant) => *instant.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The present on the Copenhagen wall clock.
    #[must_use]
    pub fn copenhagen(&self) -> CopenhagenTime {
        self.now().with_timezone(&Copenhagen)
    }

    /// Moves a fixed clock forward; the machine's own time is left alone.
    pub fn advance(&self, by: Duration) {
        if let Self::Fixed(instant) = self {
            let mut now = instant.lock().unwrap_or_else(PoisonError::into_inner);
            *now += by;
        }
    }

    /// Sets a fixed clock; the machine's own time is left alone.
    pub fn set(&self, to: DateTime<Utc>) {
        if let Self::Fixed(instant) = self {
            *instant.lock().unwrap_or_else(PoisonError::into_inner) = to;
        }
    }
}

/// The first instant of a day in Copenhagen. Midnight always exists there: clocks change at two and three.
#[must_use]
pub fn start_of_day(day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    Copenhagen
        .from_local_datetime(&midnight)
        .earliest()
        .map_or_else(|| midnight.and_utc(), |local| local.with_timezone(&Utc))
}
