//! The instants at which an answer has samples. PromQL looks back only five minutes for a sample, so a value that is shown for a
//! month needs one near every instant that the query evaluates, and none elsewhere.

use std::ops::Range;

use crate::indicators::history::{Hints, HistoryError, PeriodSpan, Query};

/// The most samples of one answer: about sixty megabytes.
pub const SAMPLE_LIMIT: usize = 4_000_000;
/// How long PromQL looks back for a sample by default.
const LOOK_BACK_MS: i64 = 5 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The last instant of the year 9999. Times beyond it, or as far before 1970, stand for it: Prometheus itself sends such ones where
/// a query has no start or no end.
const FARTHEST_MS: i64 = 253_402_300_799_999;
/// The function that takes the newest sample of a range, as an instant selector takes the newest of the look-back.
const NEWEST_OF_RANGE: &str = "last_over_time";

/// An endless sequence of instants with equal spacing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    /// Any one of the instants.
    anchor: i64,
    spacing: i64,
}

impl Row {
    fn first_from(self, from: i64) -> i64 {
        from + (self.anchor - from).rem_euclid(self.spacing)
    }

    fn count(self, within: &Range<i64>) -> usize {
        let first = self.first_from(within.start);
        if first >= within.end {
            return 0;
        }
        usize::try_from((within.end - 1 - first) / self.spacing + 1).unwrap_or(usize::MAX)
    }

    fn within(self, within: &Range<i64>) -> impl Iterator<Item = i64> {
        (0_i64..)
            .zip(0..self.count(within))
            .map(move |(step, _)| self.first_from(within.start) + step * self.spacing)
    }
}

/// The query with all times within the calendar. Refuses ranges that end before they start.
pub(super) fn within_calendar(query: &Query) -> Result<Query, HistoryError> {
    if query.start_ms > query.end_ms {
        return Err(HistoryError::Reversed { start_ms: query.start_ms, end_ms: query.end_ms });
    }
    let clamped = |time: i64| time.clamp(-FARTHEST_MS, FARTHEST_MS);
    let hints = Hints {
        start_ms: clamped(query.hints.start_ms),
        end_ms: clamped(query.hints.end_ms),
        ..query.hints.clone()
    };
    let (start_ms, end_ms) = (clamped(query.start_ms), clamped(query.end_ms));
    Ok(Query { start_ms, end_ms, hints, matchers: query.matchers.clone() })
}

/// The instants at which samples are made: sorted, without duplicates, and only within the time that has figures.
pub(super) fn moments(query: &Query, held: &[PeriodSpan]) -> Result<Vec<i64>, HistoryError> {
    let (Some(oldest), Some(newest)) = (held.first(), held.last()) else { return Ok(Vec::new()) };
    let first = query.start_ms.max(query.hints.start_ms).max(oldest.span.start);
    let end = (query.end_ms + 1).min(query.hints.end_ms + 1).min(newest.span.end);
    let within = first..end;
    let rows = rows(&query.hints);
    let count = rows.iter().fold(0_usize, |sum, row| sum.saturating_add(row.count(&within)));
    if count > SAMPLE_LIMIT {
        return Err(HistoryError::TooManySamples);
    }
    let mut moments: Vec<_> = rows.iter().flat_map(|row| row.within(&within)).collect();
    if query.hints.function == NEWEST_OF_RANGE {
        // The newest figure in a range is often that of a period that ended before the evaluation.
        moments.extend(held.iter().map(|each| each.span.end - 1).filter(|at| within.contains(at)));
    }
    moments.sort_unstable();
    moments.dedup();
    Ok(moments)
}

/// The instants that the query evaluates.
fn rows(hints: &Hints) -> Vec<Row> {
    let range = hints.range_ms.clamp(0, FARTHEST_MS);
    if range > 0 && hints.function != NEWEST_OF_RANGE {
        // Two samples in every window, because functions such as rate() need two; anchored at 0, so that the instants do not depend on
        // the start of the query.
        return vec![Row { anchor: 0, spacing: (range / 2).clamp(1, DAY_MS) }];
    }
    let window = if range > 0 { range } else { LOOK_BACK_MS };
    let spacing = match hints.step_ms {
        step if step > 0 => step.min(FARTHEST_MS),
        // An instant query evaluates once.
        _ if hints.end_ms - hints.start_ms <= window => FARTHEST_MS,
        _ => return vec![Row { anchor: 0, spacing: DAY_MS }],
    };
    let evaluation = hints.start_ms + window;
    // Prometheus 3 excludes the oldest millisecond of the window and so sends a start one millisecond later; a subquery evaluates
    // at multiples of its step.
    [evaluation, evaluation - 1, 0].map(|anchor| Row { anchor, spacing }).to_vec()
}
