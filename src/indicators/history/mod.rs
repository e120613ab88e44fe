//! The history of the indicators for Prometheus' remote read: a series per area with a sample for every period, and its change
//! since an earlier period. Selects the series that a query matches and makes as many samples as PromQL needs to see a value for
//! the whole of its period. Pure functions: the HTTP side is in `web/remote_read`.

mod matcher;
mod moments;
mod pattern;

use std::ops::Range;
use std::sync::Arc;

use chrono::{Months, NaiveDate};

use crate::catalogue::period::{Period, PeriodKind};
use crate::clock::start_of_day;
use crate::error::{DescribeError, ErrorDescription};
use crate::indicators::exposition::number;
use crate::indicators::figures::{Baseline, ChangeUnit, Figures};
use crate::indicators::quantity::{AreaLevel, Quantity};
use crate::indicators::resolve::Area;
use crate::indicators::snapshot::{IndicatorState, Snapshot};

pub use matcher::Matcher;
pub use moments::SAMPLE_LIMIT;

/// The cost of a series' labels, in samples.
const SERIES_COST: usize = 32;
/// The most conditions of one query.
pub const MATCHER_LIMIT: usize = 64;
/// The most regular expressions of one request: each may take a mebibyte when it is compiled.
pub const PATTERN_COUNT_LIMIT: usize = 64;

/// Prometheus' staleness marker: a NaN that ends a series and is not shown.
const ENDED: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Why a query cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    #[error("the range ends at {end_ms} ms, before its start at {start_ms} ms")]
    Reversed { start_ms: i64, end_ms: i64 },
    #[error("the regular expression on the label `{label}` cannot be used: {reason}")]
    Pattern { label: String, reason: String },
    #[error("a query has {found} matchers, above the limit of {MATCHER_LIMIT}")]
    TooManyMatchers { found: usize },
    #[error("a request has {found} regular expressions, above the limit of {PATTERN_COUNT_LIMIT}")]
    TooManyPatterns { found: usize },
    #[error(
        "the answer would have more than {SAMPLE_LIMIT} samples; ask for fewer series, a shorter range or a longer step"
    )]
    TooManySamples,
}

impl DescribeError for HistoryError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Reversed { .. } => ErrorDescription::new(
                400,
                "ReversedRange",
                "Tidsrummet slutter, før det begynder; byt om på start og slut.",
            ),
            Self::Pattern { .. } => ErrorDescription::new(
                400,
                "InvalidPattern",
                "Et regulært udtryk kan ikke bruges; ret det, eller gør det kortere.",
            ),
            Self::TooManyMatchers { .. } => {
                ErrorDescription::new(400, "TooManyMatchers", "Der er for mange betingelser; brug færre.")
            }
            Self::TooManyPatterns { .. } => ErrorDescription::new(
                400,
                "TooManyPatterns",
                "Der er for mange regulære udtryk på én gang; brug færre, eller skriv værdierne ud.",
            ),
            Self::TooManySamples => ErrorDescription::new(
                400,
                "TooManySamples",
                "Svaret bliver for stort; vælg færre tidsserier, et kortere tidsrum eller et længere trin.",
            ),
        }
    }
}

/// A query: matchers and a range of time.
#[derive(Debug, Clone)]
pub struct Query {
    pub start_ms: i64,
    pub end_ms: i64,
    pub matchers: Vec<Matcher>,
    pub hints: Hints,
}

/// What Prometheus will do with the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hints {
    /// The start of the range that evaluations look at.
    pub start_ms: i64,
    pub end_ms: i64,
    /// Between two evaluations; 0 where there is only one.
    pub step_ms: i64,
    /// The range that each evaluation looks back; 0 for the default look-back.
    pub range_ms: i64,
    pub function: String,
}

/// One series with its samples in order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Ordered by name.
    pub labels: Vec<(&'static str, String)>,
    pub samples: Vec<Sample>,
}

/// A published figure at an instant of its period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub at_ms: i64,
    pub value: f64,
}

/// What a series shows of each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SampleKind {
    Figure,
    Change(ChangeUnit, Baseline),
}

impl SampleKind {
    /// Those of figures of that kind.
    fn all(quantity: Quantity) -> impl Iterator<Item = Self> {
        let units = ChangeUnit::ALL.into_iter().filter(move |unit| unit.fits(quantity));
        let changes = units.flat_map(|unit| Baseline::ALL.map(|baseline| Self::Change(unit, baseline)));
        std::iter::once(Self::Figure).chain(changes)
    }
}

/// A period's index, the time for which its value is shown, and the index of the period that its change is measured from.
struct PeriodSpan {
    span: Range<i64>,
    period: usize,
    baseline: Option<usize>,
}

/// The series of one indicator that the query matches and that have samples. Subtracts their cost from the budget.
///
/// # Errors
/// When the query's range is invalid or its answer would exceed the budget.
pub fn read_indicator(
    snapshot: &Snapshot,
    indicator: usize,
    query: &Query,
    budget: &mut usize,
) -> Result<Vec<Series>, HistoryError> {
    let query = &moments::within_calendar(query)?;
    if query.matchers.len() > MATCHER_LIMIT {
        return Err(HistoryError::TooManyMatchers { found: query.matchers.len() });
    }
    let state = snapshot.indicators.get(indicator);
    match state.and_then(|state| Some((state, state.figures.as_ref()?))) {
        Some((state, figures)) => series_of(&snapshot.origin, state, figures, query, budget),
        None => Ok(Vec::new()),
    }
}

fn series_of(
    origin: &Arc<str>,
    state: &IndicatorState,
    figures: &Figures,
    query: &Query,
    budget: &mut usize,
) -> Result<Vec<Series>, HistoryError> {
    let mut series = Vec::new();
    for shown in SampleKind::all(state.definition.quantity) {
        let asked: Vec<_> = (0..figures.areas.len())
            .map(|area| (area, labels(origin, state, &figures.areas[area], shown)))
            .filter(|(_, labels)| query.matchers.iter().all(|matcher| matcher.accepts(labels)))
            .collect();
        if asked.is_empty() {
            continue;
        }
        let held = held(figures, shown);
        let moments = moments::moments(query, &held)?;
        let end_ms = query.end_ms.min(query.hints.end_ms);
        for (area, labels) in asked {
            let samples = samples(|held| value(state, figures, area, held, shown), &held, &moments, end_ms);
            if !samples.is_empty() {
                let cost = samples.len() + SERIES_COST;
                *budget = budget.checked_sub(cost).ok_or(HistoryError::TooManySamples)?;
                series.push(Series { labels, samples });
            }
        }
    }
    Ok(series)
}

fn labels(
    origin: &str,
    state: &IndicatorState,
    area: &Area,
    shown: SampleKind,
) -> Vec<(&'static str, String)> {
    let definition = &state.definition;
    let (unit, baseline) = match shown {
        SampleKind::Figure => (definition.quantity.base().suffix(), None),
        SampleKind::Change(unit, baseline) => (unit.suffix(), Some(baseline.word())),
    };
    let mut labels = vec![("__name__", format!("jobindsats_history_{}_{unit}", area.level.word()))];
    if area.level != AreaLevel::Country {
        labels.extend([("area", area.name.clone()), ("area_code", area.code.clone())]);
    }
    labels.extend(baseline.map(|word| ("baseline", word.to_owned())));
    labels.extend([("indicator", definition.id.to_string()), ("source", origin.to_owned())]);
    labels
}

/// The periods in order of time.
fn held(figures: &Figures, shown: SampleKind) -> Vec<PeriodSpan> {
    let baselines = match shown {
        SampleKind::Figure => vec![None; figures.periods.len()],
        SampleKind::Change(_, baseline) => figures.baselines(baseline),
    };
    let of = |(index, period): (usize, &Period)| {
        let instant = |day: NaiveDate| start_of_day(day).timestamp_millis();
        let span = instant(held_from(period)?)..instant(period.day_after()?);
        Some(PeriodSpan { span, period: index, baseline: baselines[index] })
    };
    let mut held: Vec<_> = figures.periods.iter().enumerate().filter_map(of).collect();
    held.sort_unstable_by_key(|held| held.span.start);
    held
}

fn value(
    state: &IndicatorState,
    figures: &Figures,
    area: usize,
    held: &PeriodSpan,
    shown: SampleKind,
) -> Option<f64> {
    let value = match shown {
        SampleKind::Figure => state.definition.quantity.in_base_unit(figures.figure(area, held.period)?),
        SampleKind::Change(unit, _) => {
            figures.change(area, (held.period, held.baseline?), (unit, state.definition.quantity))?
        }
    };
    number(value)
}

/// The first day on which a period's value is shown. Periods that overlap, such as rolling years, are shown for the part that they
/// add to the one before: their last quarter or month.
fn held_from(period: &Period) -> Option<NaiveDate> {
    let last = |months| period.day_after()?.checked_sub_months(Months::new(months));
    match period.kind {
        PeriodKind::RollingYear => last(3),
        PeriodKind::YearToDate => last(1),
        PeriodKind::Month | PeriodKind::Quarter | PeriodKind::Year | PeriodKind::Unknown => {
            period.first_day()
        }
    }
}

/// The samples of one area. Where a period has no figure, a staleness marker ends the series, because PromQL would otherwise show
/// the last value for the look-back time. Only instants that the query evaluates get samples.
fn samples(
    value: impl Fn(&PeriodSpan) -> Option<f64>,
    held: &[PeriodSpan],
    moments: &[i64],
    end_ms: i64,
) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut rest = moments;
    let mut stands_until = i64::MAX;
    for each in held {
        let span = &each.span;
        let waiting = &rest[rest.partition_point(|&at| at < span.start)..];
        let (within, after) = waiting.split_at(waiting.partition_point(|&at| at < span.end));
        if within.is_empty() {
            continue;
        }
        let Some(value) = value(each) else { continue };
        rest = after;
        if stands_until < span.start && !samples.is_empty() {
            samples.push(Sample { at_ms: stands_until, value: ENDED });
        }
        samples.extend(within.iter().map(|&at_ms| Sample { at_ms, value }));
        stands_until = span.end;
    }
    if !samples.is_empty() {
        samples.push(Sample { at_ms: stands_until, value: ENDED });
    }
    samples.truncate(samples.partition_point(|sample| sample.at_ms <= end_ms));
    samples
}

#[cfg(test)]
mod tests;
