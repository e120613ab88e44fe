//! Changed figures, counted by table and day, with the largest change of each measure.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::Copenhagen;
use rust_decimal::Decimal;

use crate::catalogue::Catalogue;
use crate::catalogue::measurement::{Measurement, MeasurementHead};
use crate::catalogue::period::Period;
use crate::catalogue::revised::{self, RevisedFigure};
use crate::pages::language::Language;
use crate::pages::news::interest::Interest;

/// How many measures are told of with their largest change.
const MEASURES: usize = 3;
/// The most decimals of a figure.
const DECIMALS: u32 = 3;

/// Figures of one table whose change was seen on one day.
#[derive(Debug)]
pub(super) struct Change {
    pub head: Arc<MeasurementHead>,
    /// The day in Denmark.
    pub day: NaiveDate,
    /// When the last of them was seen.
    pub seen_at: DateTime<Utc>,
    figures: usize,
    /// Figures that were not published before, and those that are no longer.
    appeared: usize,
    vanished: usize,
    /// By id.
    periods: BTreeMap<String, Option<Period>>,
    /// The largest change of each measure, by its id.
    largest: BTreeMap<String, Largest>,
}

/// A figure before and after.
#[derive(Debug)]
struct Largest {
    figure: Arc<RevisedFigure>,
    /// Other members than totals, in words.
    members: Option<String>,
    period: Option<Period>,
    before: Decimal,
    after: Decimal,
}

/// The changes that somebody wants to hear of, the newest first. Those of tables that are no longer listed are left out.
pub(super) fn grouped(
    catalogue: &Catalogue,
    interest: &Interest,
    figures: &[Arc<RevisedFigure>],
) -> Vec<Change> {
    let mut changes: BTreeMap<(NaiveDate, &str), Change> = BTreeMap::new();
    for figure in figures.iter().filter(|figure| interest.has_figure(figure)) {
        let Some(head) = catalogue.head(&figure.table) else { continue };
        let day = figure.seen_at.with_timezone(&Copenhagen).date_naive();
        let change = changes.entry((day, &figure.table)).or_insert_with(|| Change {
            head: Arc::clone(head),
            day,
            seen_at: figure.seen_at,
            figures: 0,
            appeared: 0,
            vanished: 0,
            periods: BTreeMap::new(),
            largest: BTreeMap::new(),
        });
        change.add(figure, catalogue.measurement(&figure.table).map(|table| &**table));
    }
    let is_wanted = |change: &Change| interest.has_table(catalogue, &change.head);
    changes.into_values().rev().filter(is_wanted).collect()
}

/// The period of a figure, if its table still has it.
fn period(measurement: Option<&Measurement>, figure: &RevisedFigure) -> Option<Period> {
    measurement?.periods.iter().find(|period| period.id.as_str() == figure.period).cloned()
}

impl Change {
    fn add(&mut self, figure: &Arc<RevisedFigure>, measurement: Option<&Measurement>) {
        let period = period(measurement, figure);
        self.figures += 1;
        self.seen_at = self.seen_at.max(figure.seen_at);
        match (figure.before, figure.after) {
            (Some(before), Some(after)) => {
                let size = (after - before).abs();
                let largest = self.largest.get(&figure.measure_id);
                if largest.is_none_or(|largest| largest.size() < size) {
                    let members =
                        figure.members.as_deref().map(|members| revised::in_words(members, measurement));
                    let (figure, period) = (Arc::clone(figure), period.clone());
                    let largest = Largest { figure, members, period, before, after };
                    self.largest.insert(largest.figure.measure_id.clone(), largest);
                }
            }
            (None, _) => self.appeared += 1,
            (_, None) => self.vanished += 1,
        }
        self.periods.entry(figure.period.clone()).or_insert(period);
    }

    /// How many figures were changed, and of which periods.
    pub fn summary(&self, l: Language) -> String {
        let figures = match self.figures {
            1 => l.text("1 tal er ændret", "1 figure was changed").to_owned(),
            many => format!("{many} {}", l.text("tal er ændret", "figures were changed")),
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
        let mut names: Vec<_> = self.periods.iter().collect();
        names.sort_by_key(|(id, period)| (period.as_ref().and_then(Period::first_day), id.as_str()));
        let name = |(id, period): &(&String, &Option<Period>)| named(id, period.as_ref(), l);
        match names.as_slice() {
            [one] => format!(" {} {}", l.text("for", "for"), name(one)),
            [first, .., last] => {
                let number = names.len();
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
        self.largest.values().take(MEASURES).map(|largest| largest.sentence(l)).collect()
    }
}

fn named(id: &str, period: Option<&Period>, l: Language) -> String {
    period.map_or_else(|| id.to_owned(), |period| l.period(period))
}

impl Largest {
    fn size(&self) -> Decimal {
        (self.after - self.before).abs()
    }

    /// Where, and from what to what.
    fn sentence(&self, l: Language) -> String {
        let figure = &self.figure;
        let decimals = self.before.scale().max(self.after.scale()).min(DECIMALS);
        let number = |figure| l.number(figure, u8::try_from(decimals).unwrap_or_default());
        let change = self.after - self.before;
        let sign = if change.is_sign_positive() { "+" } else { "" };
        let place = [figure.area.as_deref(), self.members.as_deref()];
        let mut place: Vec<String> = place.into_iter().flatten().map(str::to_owned).collect();
        place.push(named(&figure.period, self.period.as_ref(), l));
        format!(
            "{}: {} {} {} {} ({sign}{}), {}",
            figure.measure,
            l.text("største ændring fra", "largest change from"),
            number(self.before),
            l.text("til", "to"),
            number(self.after),
            number(change),
            place.join(", ")
        )
    }
}
