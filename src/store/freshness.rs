//! How long cells may be believed. Figures are revised, so cells stand while their table's revision stands, and for a day at
//! most: then they are read again even if the upstream names no new date.

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::block::{CellBlock, Revision};

/// The longest that cells are believed without being read again.
pub const LONGEST: TimeDelta = TimeDelta::hours(24);
/// The shortest pause between two look-ups of the list of tables.
pub const LOOK_UP_PAUSE: TimeDelta = TimeDelta::minutes(15);

/// Whether a block can answer without asking the upstream.
#[must_use]
pub fn is_fresh(block: &CellBlock, current: Revision, now: DateTime<Utc>) -> bool {
    block.revision == current && now - block.fetched_at < LONGEST
}
