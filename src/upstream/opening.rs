//! The upstream's daily closed hour, 22 to 23 in Copenhagen.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Timelike, Utc};
use chrono_tz::Europe::Copenhagen;

use crate::clock::at_hour;

pub const CLOSES: u32 = 22;
pub const OPENS: u32 = 23;

/// The upstream is closed, or would close before a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upstream is closed until {opens_at}")]
pub struct Closed {
    pub opens_at: DateTime<Utc>,
}

/// Whether a call that takes at most `longest` may start at that instant: it must be over before the upstream closes.
///
/// # Errors
/// With the instant at which the upstream opens, if not.
pub fn may_start(at: DateTime<Utc>, longest: Duration) -> Result<(), Closed> {
    let day = closing_day(at);
    let over = chrono::Duration::from_std(longest).ok().and_then(|longest| at.checked_add_signed(longest));
    match over {
        Some(over) if over < at_hour(day, CLOSES) => Ok(()),
        _ => Err(Closed { opens_at: at_hour(day, OPENS) }),
    }
}

/// The day of the first closed hour that is not over.
fn closing_day(at: DateTime<Utc>) -> NaiveDate {
    let local = at.with_timezone(&Copenhagen);
    let today = local.date_naive();
    if local.hour() < OPENS { today } else { today.checked_add_days(Days::new(1)).unwrap_or(today) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn is_closed(at: DateTime<Utc>) -> bool {
        at.with_timezone(&Copenhagen).hour() == CLOSES
    }

    /// When the upstream opens after that instant, as a refused caller is told.
    fn opens_at(at: DateTime<Utc>) -> DateTime<Utc> {
        may_start(at, Duration::MAX).unwrap_err().opens_at
    }

    #[test]
    fn the_closed_hour_follows_the_wall_clock_through_both_clock_changes() {
        let cases = [
            ("winter", "2026-01-15T21:00:00Z", "2026-01-15T22:00:00Z"),
            ("summer", "2026-07-15T20:00:00Z", "2026-07-15T21:00:00Z"),
            ("the evening before summer time", "2026-03-28T21:00:00Z", "2026-03-28T22:00:00Z"),
            ("the first evening of summer time", "2026-03-29T20:00:00Z", "2026-03-29T21:00:00Z"),
            ("the evening before winter time", "2026-10-24T20:00:00Z", "2026-10-24T21:00:00Z"),
            ("the first evening of winter time", "2026-10-25T21:00:00Z", "2026-10-25T22:00:00Z"),
        ];
        let second = chrono::Duration::seconds(1);
        for (evening, closes, opens) in cases {
            let (closes, opens) = (at(closes), at(opens));
            let around = [closes - second, closes, opens - second, opens];
            assert_eq!(around.map(is_closed), [false, true, true, false], "{evening}");
            assert_eq!(opens_at(closes), opens, "{evening}");
        }
    }

    #[test]
    fn no_call_starts_that_would_run_into_the_closed_hour() {
        let closes = at("2026-10-25T21:00:00Z");
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let before = |n: i64| closes - chrono::Duration::minutes(n);
        assert_eq!(may_start(before(3), minutes(2)), Ok(()));
        let closed = Err(Closed { opens_at: at("2026-10-25T22:00:00Z") });
        assert_eq!(may_start(before(2), minutes(2)), closed);
        assert_eq!(may_start(closes, Duration::ZERO), closed);
        assert_eq!(may_start(at("2026-10-25T22:00:00Z"), minutes(2)), Ok(()));
        assert_eq!(may_start(closes, Duration::MAX), closed);
    }

    proptest! {
        #[test]
        fn what_may_start_touches_no_closed_minute(seconds in 1_700_000_000_i64..2_100_000_000, longest in 0_u64..30_000) {
            let start = DateTime::from_timestamp(seconds, 0).unwrap();
            let touches = (0..=longest).step_by(60).chain([longest])
                .any(|passed| is_closed(start + Duration::from_secs(passed)));
            prop_assert_eq!(may_start(start, Duration::from_secs(longest)).is_err(), touches);
        }

        #[test]
        fn the_upstream_opens_after_a_closed_hour_and_not_within_one(seconds in 1_700_000_000_i64..2_100_000_000) {
            let start = DateTime::from_timestamp(seconds, 0).unwrap();
            let opens = opens_at(start);
            prop_assert!(opens > start && opens - start <= chrono::Duration::hours(25));
            prop_assert!(!is_closed(opens));
            prop_assert!(is_closed(opens - chrono::Duration::seconds(1)));
            prop_assert!(is_closed(opens - chrono::Duration::hours(1)));
        }
    }
}
