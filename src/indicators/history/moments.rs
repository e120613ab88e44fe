//! At which moments an answer has samples. PromQL sees a sample only for a while, so a value that stands for a month needs one
//! wherever the query will look, and none elsewhere.

use std::ops::Range;

use crate::indicators::history::{Hints, HistoryError, PeriodSpan, Query, SAMPLE_LIMIT};

/// How long PromQL looks back for a sample, unless Prometheus is told otherwise.
const LOOK_BACK_MS: i64 = 5 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// The last instant of the year 9999: times beyond it, or as far before 1970, are no times of ours.
const FARTHEST_MS: i64 = 253_402_300_799_999;
/// The function that asks, over a range, for what an instant selector asks for over the look-back.
const NEWEST_OF_RANGE: &str = "last_over_time";

/// Moments that are equally far apart, from and to eternity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    /// Any of them.
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

/// Refuses times that nobody can mean.
pub(super) fn check(query: &Query) -> Result<(), HistoryError> {
    let Hints { start_ms, end_ms, .. } = query.hints;
    let far = |time: &i64| time.checked_abs().is_none_or(|distance| distance > FARTHEST_MS);
    if let Some(found_ms) = [query.start_ms, query.end_ms, start_ms, end_ms].into_iter().find(far) {
        return Err(HistoryError::OutOfTime { found_ms });
    }
    if query.start_ms > query.end_ms {
        return Err(HistoryError::Reversed { start_ms: query.start_ms, end_ms: query.end_ms });
    }
    Ok(())
}

/// The moments within the time that has figures, in order, each once.
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
        // The newest figure of a window is often of a period that ended before anybody looked.
        moments.extend(held.iter().map(|each| each.span.end - 1).filter(|at| within.contains(at)));
    }
    moments.sort_unstable();
    moments.dedup();
    Ok(moments)
}

/// Where the query will look.
fn rows(hints: &Hints) -> Vec<Row> {
    let range = hints.range_ms.clamp(0, FARTHEST_MS);
    if range > 0 && hints.function != NEWEST_OF_RANGE {
        // Two in every window, so that there is a rise to see in it; the same days whenever the query begins.
        return vec![Row { anchor: 0, spacing: (range / 2).clamp(1, DAY_MS) }];
    }
    let window = if range > 0 { range } else { LOOK_BACK_MS };
    let spacing = match hints.step_ms {
        step if step > 0 => step.min(FARTHEST_MS),
        // An instant query looks once.
        _ if hints.end_ms - hints.start_ms <= window => FARTHEST_MS,
        _ => return vec![Row { anchor: 0, spacing: DAY_MS }],
    };
    let evaluation = hints.start_ms + window;
    // Prometheus 3 leaves the oldest millisecond of the window out, so that it evaluates one sooner; a subquery evaluates at
    // the multiples of its step.
    [evaluation, evaluation - 1, 0].map(|anchor| Row { anchor, spacing }).to_vec()
}
