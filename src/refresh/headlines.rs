//! Which requests bring the newest figures of a table's main sets: the chunks that a client's query for them is cut into as well, so
//! that its answer comes from the store.

use std::sync::Arc;

use chrono::Months;

use crate::answer::error::BridgeError;
use crate::catalogue::measurement::Measurement;
use crate::feed::set_names::{COUNTRY, MUNICIPALITIES, OVERVIEW, REGIONS};
use crate::feed::{CellSource, RowSource};
use crate::plan::chunk::{Chunk, ChunkError};
use crate::plan::cut;
use crate::plan::selection::Selection;
use crate::refresh::feeds::FeedKeeper;
use crate::sign_in::reader::Tables;
use crate::store::key::CellKey;

/// The main sets, the one with all areas first.
const SETS: [&str; 4] = [OVERVIEW, COUNTRY, REGIONS, MUNICIPALITIES];
/// How far back the newest figures reach: to the same period of the year before.
const REACH: Months = Months::new(12);

/// The chunks with the newest periods of a table's main sets, each with cells that those before it do not have.
///
/// # Errors
/// When there is no such table, or its metadata cannot be read.
pub async fn chunks(
    feeds: &FeedKeeper,
    table: &str,
    cell_limit: u64,
) -> Result<(Arc<Measurement>, Vec<Chunk>), BridgeError> {
    let feed = feeds.table(table, &Tables::All).await?;
    let named = |name: &&str| feed.set_index(name).and_then(|index| feed.sets.get(index));
    let sources = SETS.iter().filter_map(named).filter_map(|set| match &set.rows {
        RowSource::Cells(source) => Some(source),
        RowSource::List(_) => None,
    });
    let mut measurement = None;
    let mut chosen: Vec<(CellKey, Chunk)> = Vec::new();
    for source in sources {
        for chunk in newest(source, cell_limit)? {
            let key = CellKey::of(&source.measurement, &chunk);
            if !chosen.iter().any(|(other, _)| other.covers(&key)) {
                chosen.push((key, chunk));
            }
        }
        measurement = Some(Arc::clone(&source.measurement));
    }
    let measurement = measurement.ok_or_else(|| BridgeError::UnknownPath(table.to_owned()))?;
    Ok((measurement, chosen.into_iter().map(|(_, chunk)| chunk).collect()))
}

/// The chunks of a whole set that have one of its newest periods.
fn newest(source: &CellSource, cell_limit: u64) -> Result<Vec<Chunk>, ChunkError> {
    let measurement = &source.measurement;
    let mut selection = Selection::of_set(source);
    selection.put_at_totals(measurement);
    let newest = newest_periods(measurement, &selection.periods);
    let chunks = cut::cut(measurement, &selection, cell_limit)?;
    Ok(chunks.iter().filter(|chunk| chunk.periods.iter().any(|period| newest.contains(period))).collect())
}

/// The periods that begin at most a year before the newest one; that one alone if its dates are unknown.
fn newest_periods(measurement: &Measurement, periods: &[usize]) -> Vec<usize> {
    let first_day = |index: &usize| measurement.periods.get(*index).and_then(|period| period.first_day());
    let Some(newest) = periods.first() else { return Vec::new() };
    let Some(begin) = first_day(newest).and_then(|day| day.checked_sub_months(REACH)) else {
        return vec![*newest];
    };
    periods.iter().copied().filter(|index| first_day(index).is_some_and(|day| day >= begin)).collect()
}
