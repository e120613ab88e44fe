//! Renders a snapshot in Prometheus' text format: metric families in a fixed order, a sample only where there is a figure, no
//! timestamps. Rendered and gzipped once per refresh; a scrape only copies the bytes.

use std::fmt;
use std::io::Write;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use rust_decimal::Decimal;

use crate::catalogue::id::MeasurementId;
use crate::catalogue::period::{Period, PeriodKind};
use crate::clock::start_of_day;
use crate::indicators::figures::{Baseline, ChangeUnit, Figures};
use crate::indicators::quantity::{AreaLevel, BaseUnit};
use crate::indicators::resolve::Area;
use crate::indicators::snapshot::{IndicatorState, Snapshot};
use crate::observe::upstream_observer::FailureReason;
use crate::upstream::TableHints;

/// Scrapers limit the length of labels: so many bytes pass all of them.
const LABEL_BYTES: usize = 200;

/// The body of a scrape, plain and compressed.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    pub text: Bytes,
    pub gzip: Bytes,
    /// How many samples the body has.
    pub series: usize,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendered({} series, {} bytes)", self.series, self.text.len())
    }
}

impl Rendered {
    /// Renders a snapshot.
    #[must_use]
    pub fn of(snapshot: &Snapshot, hints: &TableHints) -> Self {
        let families = families(snapshot, hints);
        let series = families.iter().map(|family| family.get_metric().len()).sum();
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&families, &mut text) {
            tracing::error!(%error, "indicators cannot be rendered in full");
        }
        let gzip = compressed(&text);
        Self { text: text.into(), gzip: gzip.into(), series }
    }
}

fn compressed(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to a `Vec` cannot fail.
    encoder.write_all(text).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Name, type and help of every family that indicators may have, for the list of metrics.
#[cfg(feature = "insides")]
#[must_use]
pub fn described() -> Vec<(String, &'static str, String)> {
    let kind = |family: &MetricFamily| {
        if family.get_field_type() == MetricType::COUNTER { "counter" } else { "gauge" }
    };
    let all = all_families(&Snapshot::default(), &TableHints::built_in());
    all.iter().map(|family| (family.name().to_owned(), kind(family), family.help().to_owned())).collect()
}

/// Every family that has a sample.
fn families(snapshot: &Snapshot, hints: &TableHints) -> Vec<MetricFamily> {
    let mut families = all_families(snapshot, hints);
    families.retain(|family| !family.get_metric().is_empty());
    families
}

fn all_families(snapshot: &Snapshot, hints: &TableHints) -> Vec<MetricFamily> {
    let values = AreaLevel::ALL
        .into_iter()
        .flat_map(|level| BaseUnit::ALL.into_iter().map(move |unit| value_family(snapshot, level, unit)));
    let changes = AreaLevel::ALL
        .into_iter()
        .flat_map(|level| ChangeUnit::ALL.into_iter().map(move |unit| change_family(snapshot, level, unit)));
    let about = ABOUT.iter().map(|about| about.family(snapshot));
    let reasons = [failures_family(snapshot), breaks_family(snapshot, hints)];
    values.chain(changes).chain(about).chain(reasons).collect()
}

fn value_family(snapshot: &Snapshot, level: AreaLevel, unit: BaseUnit) -> MetricFamily {
    let name = format!("jobindsats_{}_{}", level.word(), unit.suffix());
    let help = format!(
        "{}, newest published period, {}. Cached by the bridge; see jobindsats_indicator_period_end_timestamp_seconds.",
        unit_help(unit),
        level_help(level)
    );
    let mut samples = Vec::new();
    for (state, figures, newest) in current(snapshot) {
        let quantity = state.definition.quantity;
        if quantity.base() != unit {
            continue;
        }
        for (index, area) in areas_of(figures, level) {
            let figure = figures.figure(index, newest).map(|figure| quantity.in_base_unit(figure));
            if let Some(value) = figure.and_then(number) {
                samples.push(gauge(value_labels(snapshot, state, area), value));
            }
        }
    }
    family(name, help, MetricType::GAUGE, samples)
}

fn change_family(snapshot: &Snapshot, level: AreaLevel, unit: ChangeUnit) -> MetricFamily {
    let name = format!("jobindsats_{}_{}", level.word(), unit.suffix());
    let measured = match unit {
        ChangeUnit::Ratio => "as a share of the baseline",
        ChangeUnit::Points => "in percentage points",
    };
    let help = format!(
        "Change of the newest published figure from the baseline, {measured}, {}.",
        level_help(level)
    );
    let mut samples = Vec::new();
    for (state, figures, newest) in current(snapshot) {
        let quantity = state.definition.quantity;
        if !unit.fits(quantity) {
            continue;
        }
        for baseline in Baseline::ALL {
            let Some(earlier) = figures.baselines(baseline)[newest] else { continue };
            for (index, area) in areas_of(figures, level) {
                let change = figures.change(index, (newest, earlier), (unit, quantity));
                if let Some(change) = change.and_then(number) {
                    let mut labels = value_labels(snapshot, state, area);
                    labels.push(label("baseline", baseline.word()));
                    samples.push(gauge(labels, change));
                }
            }
        }
    }
    family(name, help, MetricType::GAUGE, samples)
}

/// Indicators that have a newest period, with its index.
fn current(snapshot: &Snapshot) -> impl Iterator<Item = (&IndicatorState, &Figures, usize)> {
    snapshot.indicators.iter().filter_map(|state| {
        let figures = state.figures.as_deref()?;
        Some((state.as_ref(), figures, figures.newest()?))
    })
}

fn areas_of(figures: &Figures, level: AreaLevel) -> impl Iterator<Item = (usize, &Area)> {
    figures.areas.iter().enumerate().filter(move |(_, area)| area.level == level)
}

fn value_labels(snapshot: &Snapshot, state: &IndicatorState, area: &Area) -> Vec<LabelPair> {
    let mut labels =
        vec![label("source", &snapshot.origin), label("indicator", state.definition.id.as_str())];
    if area.level != AreaLevel::Country {
        labels.push(label("area_code", &area.code));
        labels.push(label("area", &area.name));
    }
    labels
}

fn unit_help(unit: BaseUnit) -> &'static str {
    match unit {
        BaseUnit::Persons => "Persons",
        BaseUnit::FullTimePersons => "Full-time persons",
        BaseUnit::Spells => "Spells or cases",
        BaseUnit::Ratio => "Share from 0 to 1",
        BaseUnit::DurationSeconds => "Average duration in seconds",
        BaseUnit::Kroner => "Danish kroner",
        BaseUnit::Value => "Published figure without a unit",
    }
}

fn level_help(level: AreaLevel) -> &'static str {
    match level {
        AreaLevel::Country => "whole country as published (not the sum of municipalities)",
        AreaLevel::Region => "one region",
        AreaLevel::Municipality => "one municipality",
    }
}

/// Labels in addition to the indicator's, and the value.
type Sample = (Vec<LabelPair>, f64);

/// A family about the indicators, with at most one sample for each.
struct IndicatorFamily {
    name: &'static str,
    help: &'static str,
    counter: bool,
    sample: fn(&IndicatorState) -> Option<Sample>,
}

impl IndicatorFamily {
    fn family(&self, snapshot: &Snapshot) -> MetricFamily {
        let samples = snapshot.indicators.iter().filter_map(|state| {
            let (extra, value) = (self.sample)(state)?;
            let mut labels = vec![label("indicator", state.definition.id.as_str())];
            labels.extend(extra);
            Some(if self.counter { counter(labels, value) } else { gauge(labels, value) })
        });
        let kind = if self.counter { MetricType::COUNTER } else { MetricType::GAUGE };
        family(format!("jobindsats_indicator_{}", self.name), self.help.to_owned(), kind, samples.collect())
    }
}

const ABOUT: [IndicatorFamily; 13] = [
    IndicatorFamily {
        name: "info",
        help: "Describes one published indicator; always 1.",
        counter: false,
        sample: |state| Some((info_labels(state), 1.0)),
    },
    IndicatorFamily {
        name: "period_info",
        help: "The newest published period as Jobindsats writes it; always 1.",
        counter: false,
        sample: |state| {
            let figures = state.figures.as_deref()?;
            Some((vec![label("period", figures.periods[figures.newest()?].id.as_str())], 1.0))
        },
    },
    IndicatorFamily {
        name: "period_start_timestamp_seconds",
        help: "First instant of the newest published period, Europe/Copenhagen.",
        counter: false,
        sample: |state| newest_period(state)?.first_day().map(day),
    },
    IndicatorFamily {
        name: "period_end_timestamp_seconds",
        help: "First instant after the newest published period, Europe/Copenhagen.",
        counter: false,
        sample: |state| newest_period(state)?.day_after().map(day),
    },
    IndicatorFamily {
        name: "source_update_timestamp_seconds",
        help: "When Jobindsats last updated the table, as it says.",
        counter: false,
        sample: |state| state.figures.as_deref()?.update_latest.map(day),
    },
    IndicatorFamily {
        name: "source_next_update_timestamp_seconds",
        help: "When Jobindsats will next update the table, as it says.",
        counter: false,
        sample: |state| state.health.update_next.map(day),
    },
    IndicatorFamily {
        name: "areas",
        help: "Areas that have a published value in the newest period.",
        counter: false,
        sample: |state| {
            let figures = state.figures.as_deref()?;
            Some(plain(figures.published(figures.newest()?) as f64))
        },
    },
    IndicatorFamily {
        name: "suppressed_areas",
        help: "Areas whose value is withheld or not available in the newest period; they have no sample.",
        counter: false,
        sample: |state| {
            let figures = state.figures.as_deref()?;
            Some(plain((figures.areas.len() - figures.published(figures.newest()?)) as f64))
        },
    },
    IndicatorFamily {
        name: "revisions_total",
        help: "Values of an already published period that a refresh found changed.",
        counter: true,
        sample: |state| Some(plain(state.health.revisions as f64)),
    },
    IndicatorFamily {
        name: "up",
        help: "Whether the last refresh succeeded (1) or the value served is kept from an earlier one (0).",
        counter: false,
        sample: |state| Some(plain(f64::from(u8::from(state.health.up)))),
    },
    IndicatorFamily {
        name: "last_success_timestamp_seconds",
        help: "When this indicator was last refreshed successfully; 0 if never.",
        counter: false,
        sample: |state| Some(plain(state.health.last_success.map_or(0.0, seconds))),
    },
    IndicatorFamily {
        name: "last_refresh_duration_seconds",
        help: "How long the last refresh took.",
        counter: false,
        sample: |state| Some(plain(state.health.last_duration.as_secs_f64())),
    },
    IndicatorFamily {
        name: "refreshes_total",
        help: "Refresh attempts.",
        counter: true,
        sample: |state| Some(plain(state.health.refreshes as f64)),
    },
];

/// Failures by reason. Every reason has a sample from the start, so that `increase()` sees the first failure.
fn failures_family(snapshot: &Snapshot) -> MetricFamily {
    let mut samples = Vec::new();
    for state in &snapshot.indicators {
        for reason in FailureReason::ALL {
            let labels =
                vec![label("indicator", state.definition.id.as_str()), label("reason", reason.as_str())];
            let count = state.health.failures.get(&reason).copied().unwrap_or_default();
            samples.push(counter(labels, count as f64));
        }
    }
    let name = "jobindsats_indicator_refresh_failures_total".to_owned();
    family(name, "Refresh attempts that failed.".to_owned(), MetricType::COUNTER, samples)
}

/// Where the series of indicators break: the first instant of the new way of counting.
fn breaks_family(snapshot: &Snapshot, hints: &TableHints) -> MetricFamily {
    let mut samples = Vec::new();
    for state in &snapshot.indicators {
        let table = MeasurementId::from(state.definition.table.to_lowercase());
        for it in hints.caveats(&table).breaks {
            let labels = vec![
                label("source", &snapshot.origin),
                label("indicator", state.definition.id.as_str()),
                label("text", shortened(&it.text)),
            ];
            samples.push(gauge(labels, seconds(start_of_day(it.from))));
        }
    }
    let name = "jobindsats_indicator_break_timestamp_seconds".to_owned();
    let help = "From when on the figures are counted in another way; `text` says which.".to_owned();
    family(name, help, MetricType::GAUGE, samples)
}

/// A text that every scraper takes as a label.
fn shortened(text: &str) -> &str {
    let end = (0..=LABEL_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

fn newest_period(state: &IndicatorState) -> Option<&Period> {
    let figures = state.figures.as_deref()?;
    figures.periods.get(figures.newest()?)
}

fn info_labels(state: &IndicatorState) -> Vec<LabelPair> {
    let definition = &state.definition;
    let measure = state.figures.as_deref().map_or(definition.measure.first(), |figures| &figures.measure);
    vec![
        label("table", &definition.table),
        label("measure", measure),
        label("title", &definition.title),
        label("unit", definition.quantity.base().suffix()),
        label("frequency", frequency(&definition.period_type)),
    ]
}

fn frequency(period_type: &str) -> &str {
    match PeriodKind::of(period_type) {
        PeriodKind::Month => "month",
        PeriodKind::Quarter => "quarter",
        PeriodKind::Year => "year",
        PeriodKind::RollingYear => "rolling_year",
        PeriodKind::YearToDate => "year_to_date",
        PeriodKind::Unknown => period_type,
    }
}

fn plain(value: f64) -> Sample {
    (Vec::new(), value)
}

fn day(day: NaiveDate) -> Sample {
    plain(seconds(start_of_day(day)))
}

fn seconds(instant: DateTime<Utc>) -> f64 {
    instant.timestamp_millis() as f64 / 1000.0
}

/// The nearest double, parsed from the decimal's text: dividing mantissa by scale is off in the last digit for some.
pub(super) fn number(decimal: Decimal) -> Option<f64> {
    decimal.to_string().parse().ok()
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn gauge(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_gauge(gauge);
    metric.set_label(labels);
    metric
}

fn counter(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_counter(counter);
    metric
}

fn family(name: String, help: String, kind: MetricType, samples: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name);
    family.set_help(help);
    family.set_field_type(kind);
    family.set_metric(samples);
    family
}
