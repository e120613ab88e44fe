//! A changed figure as all pages write it: its place in words, and what it was and is, with as many decimals as its unit has and the
//! change needs.

use rust_decimal::Decimal;

use crate::catalogue::measure::Unit;
use crate::catalogue::measurement::Measurement;
use crate::catalogue::period::Period;
use crate::catalogue::revised::{self, RevisedFigure};
use crate::catalogue::value::Figure;
use crate::pages::language::Language;

/// The most decimals of a figure.
const DECIMALS: u32 = 3;

/// A changed figure in words. What is not known of it is empty.
pub(super) struct Revised {
    pub seen: String,
    pub table: String,
    pub period: String,
    pub area: String,
    /// Other members than totals.
    pub members: String,
    pub measure: String,
    pub before: String,
    pub after: String,
    /// The difference with its sign, where both figures are published.
    pub change: String,
}

impl Revised {
    /// Names and units are those of the table, if it has been read.
    pub fn new(figure: &RevisedFigure, measurement: Option<&Measurement>, l: Language) -> Self {
        let decimals = decimals(figure, measurement);
        let written = |figure: Figure| {
            let hidden = || l.text("ikke offentliggjort", "not published").to_owned();
            figure.map_or_else(hidden, |figure| l.number(figure, decimals))
        };
        let change = figure.before.zip(figure.after).map(|(before, after)| after - before);
        let sign = if change.is_some_and(|change| change.is_sign_positive()) { "+" } else { "" };
        Self {
            seen: l.instant(figure.seen_at),
            table: figure.table.clone(),
            period: period_in_words(&figure.period, measurement, l),
            area: figure.area.clone().unwrap_or_default(),
            members: revised::in_words(figure.members.as_deref().unwrap_or_default(), measurement),
            measure: figure.measure.clone(),
            before: written(figure.before),
            after: written(figure.after),
            change: change.map(|change| format!("{sign}{}", l.number(change, decimals))).unwrap_or_default(),
        }
    }

    /// Parts of it that are known, as one text.
    pub fn joined(parts: &[&str]) -> String {
        let parts = parts.iter().copied().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(", ")
    }
}

/// The period of that id, if its table still has it.
pub(super) fn period<'a>(id: &str, measurement: Option<&'a Measurement>) -> Option<&'a Period> {
    measurement?.periods.iter().find(|period| period.id.as_str() == id)
}

pub(super) fn period_in_words(id: &str, measurement: Option<&Measurement>, l: Language) -> String {
    period(id, measurement).map_or_else(|| id.to_owned(), |period| l.period(period))
}

/// At least as many as the unit has, and more where the change would not be seen.
fn decimals(figure: &RevisedFigure, measurement: Option<&Measurement>) -> u8 {
    let measures = measurement.map_or(&[][..], |measurement| &measurement.measures);
    let unit = measures.iter().find(|one| one.id.as_str() == figure.measure_id).and_then(|one| one.unit);
    let figures = figure.before.into_iter().chain(figure.after);
    let exact = figures.map(|figure| Decimal::normalize(&figure).scale()).max().unwrap_or_default();
    unit.map_or(0, Unit::decimals).max(u8::try_from(exact.min(DECIMALS)).unwrap_or_default())
}
