//! Changed figures, counted by table and day, with the largest change of each measure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Copenhagen;
use rust_decimal::Decimal;

use crate::catalogue::Catalogue;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::catalogue::period::Period;
use crate::catalogue::revised::RevisedFigure;
use crate::pages::language::Language;
use crate::pages::revised::{self, Revised};

/// How many measures are told of with their largest change.
const MEASURES: usize = 3;

/// Figures of one table whose change was seen on one day.
#[derive(Debug)]
pub(super) struct Change {
    pub head: Arc<MeasurementHead>,
    /// `None` until it has been read.
    measurement: Option<Arc<Measurement>>,
    /// The day in Denmark.
    pub day: NaiveDate,
    /// When the last of them was seen.
    pub seen_at: DateTime<Utc>,
    figures: usize,
    /// Figures that were not published before, and those that are no longer.
    appeared: usize,
    vanished: usize,
    /// By id.
    periods: BTreeSet<String>,
    /// The largest change of each measure, by its id.
    largest: BTreeMap<String, Arc<RevisedFigure>>,
}

/// Changed figures by table and day, the newest first.
pub(super) fn grouped<'a>(
    catalogue: &Catalogue,
    figures: impl Iterator<Item = (&'a Arc<MeasurementHead>, &'a Arc<RevisedFigure>)>,
) -> Vec<Change> {
    let mut changes: BTreeMap<(NaiveDate, &str), Change> = BTreeMap::new();
    for (head, figure) in figures {
        let day = day(figure);
        let change = changes.entry((day, &figure.table)).or_insert_with(|| Change {
            head: Arc::clone(head),
            measurement: catalogue.measurement(&figure.table).cloned(),
            day,
            seen_at: figure.seen_at,
            figures: 0,
            appeared: 0,
            vanished: 0,
            periods: BTreeSet::new(),
            largest: BTreeMap::new(),
        });
        change.add(figure);
    }
    changes.into_values().rev().collect()
}

/// The day in Denmark on which a change was seen.
pub(super) fn day(figure: &RevisedFigure) -> NaiveDate {
    figure.seen_at.with_timezone(&Copenhagen).date_naive()
}

/// How much a figure changed; `None` where it was not published before, or is no longer.
fn size(figure: &RevisedFigure) -> Option<Decimal> {
    Some((figure.after? - figure.before?).abs())
}

impl Change {
    fn add(&mut self, figure: &Arc<RevisedFigure>) {
        self.figures += 1;
        self.seen_at = self.seen_at.max(figure.seen_at);
        self.appeared += usize::from(figure.before.is_none());
        self.vanished += usize::from(figure.before.is_some() && figure.after.is_none());
        let largest = self.largest.get(&figure.measure_id).and_then(|largest| size(largest));
        if size(figure) > largest {
            self.largest.insert(figure.measure_id.clone(), Arc::clone(figure));
        }
        self.periods.insert(figure.period.clone());
    }

    /// How many figures were changed, and of which periods.
    pub fn summary(&self, l: Language) -> String {
        let figures = match self.figures {
            1 => l.text("1 tal er ændret", "1 figure was revised").to_owned(),
            many => format!("{many} {}", l.text("tal er ændret", "figures were revised")),
        };
        let mut summary = format!("{figures}{}", self.of_periods(l));
        for (number, danish, english) in [
            (self.appeared, "er nu offentliggjort", "are published now"),
            (self.vanished, "er ikke længere offentliggjort", "are no longer published"),
        ] {
            if number > 0 {
                summary += &format!("; {number} {}", l.text(danish, english));
            }
        }
        summary
    }

    fn of_periods(&self, l: Language) -> String {
        let table = self.measurement.as_deref();
        let mut ids: Vec<_> = self.periods.iter().collect();
        ids.sort_by_key(|id| (revised::period(id, table).and_then(Period::first_day), *id));
        let name = |id: &str| revised::period_in_words(id, table, l);
        match ids.as_slice() {
            [one] => format!(" {} {}", l.text("for", "for"), name(one)),
            [first, .., last] => {
                let number = ids.len();
                format!(
                    " {} {number} {} ({} – {})",
                    l.text("i", "in"),
                    l.text("perioder", "periods"),
                    name(first),
                    name(last)
                )
            }
            [] => String::new(),
        }
    }

    /// The largest change of each measure in words, the first of many.
    pub fn largest(&self, l: Language) -> Vec<String> {
        self.largest.values().take(MEASURES).map(|figure| self.sentence(figure, l)).collect()
    }

    /// What one figure was and is, and which it is.
    fn sentence(&self, figure: &RevisedFigure, l: Language) -> String {
        let one = Revised::new(figure, self.measurement.as_deref(), l);
        format!(
            "{}: {} {} {} {} ({}), {}",
            one.measure,
            l.text("største ændring fra", "largest change from"),
            one.before,
            l.text("til", "to"),
            one.after,
            one.change,
            Revised::joined(&[&one.area, &one.members, &one.period])
        )
    }
}
