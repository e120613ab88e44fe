//! How long stored data is fresh. Figures are revised, so cells are fresh while their table's revision is current, and for at most a
//! day: then they are fetched again even if the update date has not changed.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock::is_within;

/// The longest time that cells and a table's metadata are fresh.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The shortest pause between two requests for the list of tables.
pub const LOOK_UP_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Whether data read at that instant is still fresh.
#[must_use]
pub fn is_believed(read_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    is_within(LONGEST, read_at, now)
}

/// Whether the list of tables was read so recently that it is not read again.
#[must_use]
pub fn is_looked_up(read_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    is_within(LOOK_UP_PAUSE, read_at, now)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn what_was_read_is_believed_for_a_day_and_not_at_all_if_the_clock_says_it_is_yet_to_be_read() {
        let now: DateTime<Utc> = "2026-09-01T08:00:00Z".parse().unwrap();
        let ago = |seconds| is_believed(now - TimeDelta::seconds(seconds), now);
        assert_eq!([0, 86_399, 86_400, -1, -400 * 86_400].map(ago), [true, true, false, false, false]);
    }
}
