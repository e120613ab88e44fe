//! Figures of places over time, and what is said of the newest of them.

use std::collections::HashMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::catalogue::measure::Unit;
use crate::catalogue::period::Period;
use crate::catalogue::value::Figure;
use crate::pages::figures::Rows;
use crate::pages::language::{Language, rounded};
use crate::pages::measurement::choice::{Choice, ShownArea};

/// The figures of places, side by side.
pub(super) struct Series<'a> {
    /// The oldest first.
    pub periods: Vec<&'a Period>,
    pub places: Vec<PlaceSeries<'a>>,
}

pub(super) struct PlaceSeries<'a> {
    pub place: &'a ShownArea,
    /// One per period; `None` where nothing is published.
    pub figures: Vec<Figure>,
}

/// The newest figure of a place in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headline {
    pub place: String,
    pub figure: String,
    pub unit: String,
    pub period: String,
    /// How it differs from the year before.
    pub change: String,
}

impl<'a> Series<'a> {
    /// Puts rows in order. Periods before the first published figure are left out.
    pub fn new(choice: &'a Choice<'a>, rows: &Rows) -> Self {
        let mut figures: HashMap<(String, String), Figure> = HashMap::new();
        for row in 0..rows.len() {
            let key = (rows.text(row, "Områdekode"), rows.text(row, "Periode"));
            figures.insert(key, rows.figure(row, choice.measure_column()));
        }
        let mut periods: Vec<&Period> = choice.periods().collect();
        periods.reverse();
        let of =
            |place: &ShownArea, period: &Period| figures.get(&(place.code.to_owned(), period.id.to_string()));
        let is_listed =
            |period: &&Period| choice.places.iter().any(|place| matches!(of(place, period), Some(Some(_))));
        let first = periods.iter().position(is_listed).unwrap_or(periods.len());
        let periods = periods.split_off(first);
        let places = choice
            .places
            .iter()
            .map(|place| PlaceSeries {
                place,
                figures: periods.iter().map(|period| of(place, period).copied().flatten()).collect(),
            })
            .collect();
        Self { periods, places }
    }

    /// The newest period with a figure of any of the places.
    pub fn newest(&self) -> Option<usize> {
        (0..self.periods.len()).rev().find(|&at| self.places.iter().any(|place| place.figures[at].is_some()))
    }

    /// The same as index: 100 at the first period shown. A place without a figure there has no index.
    pub fn indexed(&self) -> Vec<(&str, Vec<Option<f64>>)> {
        let index = |place: &PlaceSeries<'a>| {
            let base = place.figures.first().copied().flatten().filter(|base| !base.is_zero());
            let index =
                |figure: &Figure| (figure.as_ref()?.checked_div(base?)? * Decimal::ONE_HUNDRED).to_f64();
            place.figures.iter().map(index).collect()
        };
        self.places.iter().map(|place| (place.place.name.as_str(), index(place))).collect()
    }

    /// The newest figure of each place.
    pub fn headlines(&self, l: Language, choice: &Choice<'_>) -> Vec<Headline> {
        let Some(newest) = self.newest() else { return Vec::new() };
        let headline = |place: &PlaceSeries<'a>| {
            let (now, period) = (place.figures[newest], self.periods[newest]);
            let hidden = || l.text("ikke offentliggjort", "not published").to_owned();
            Headline {
                place: place.place.name.clone(),
                figure: now.map_or_else(hidden, |now| l.number(now, choice.decimals())),
                unit: now.and(choice.unit()).map(|unit| l.unit(unit).to_owned()).unwrap_or_default(),
                period: l.period(period),
                change: now.map(|now| self.change(l, choice, place, newest, now)).unwrap_or_default(),
            }
        };
        self.places.iter().map(headline).collect()
    }

    /// How a figure differs from that of the same period a year before.
    fn change(
        &self,
        l: Language,
        choice: &Choice<'_>,
        place: &PlaceSeries<'a>,
        newest: usize,
        now: Decimal,
    ) -> String {
        let before = self.periods[newest].sequence_a_year_before();
        let Some(at) = self.periods.iter().position(|period| before.is_some() && period.sequence() == before)
        else {
            return String::new();
        };
        let period = l.period(self.periods[at]);
        match place.figures[at] {
            Some(before) => changed(l, choice.unit(), choice.decimals(), now, before, &period),
            None => match l {
                Language::Danish => format!("Tallet for {period} er ikke offentliggjort."),
                Language::English => format!("The figure for {period} is not published."),
            },
        }
    }
}

/// A change in words: "56 flere (+4,8 %) end i juli 2025".
fn changed(
    l: Language,
    unit: Option<Unit>,
    decimals: u8,
    now: Decimal,
    before: Decimal,
    period: &str,
) -> String {
    let (now, before) = (rounded(now, decimals), rounded(before, decimals));
    let difference = now - before;
    let than = |more: &str| match l {
        Language::Danish => format!("{more} end i {period}"),
        Language::English => format!("{more} than in {period}"),
    };
    if difference.is_zero() {
        return match l {
            Language::Danish => format!("uændret siden {period}"),
            Language::English => format!("unchanged since {period}"),
        };
    }
    let is_more = difference.is_sign_positive();
    let pick = |more: (&'static str, &'static str), less: (&'static str, &'static str)| {
        let (danish, english) = if is_more { more } else { less };
        l.text(danish, english)
    };
    let amount = if unit == Some(Unit::Fraction) {
        l.number(difference.abs() * Decimal::ONE_HUNDRED, decimals.saturating_sub(2))
    } else {
        l.number(difference.abs(), decimals)
    };
    match unit {
        Some(Unit::Percent | Unit::PercentagePoints | Unit::Fraction) => {
            let word = pick(
                ("procentpoint højere", "percentage points higher"),
                ("procentpoint lavere", "percentage points lower"),
            );
            than(&format!("{amount} {word}"))
        }
        Some(Unit::Weeks) => than(&format!(
            "{amount} {}",
            pick(("uger længere", "weeks longer"), ("uger kortere", "weeks shorter"))
        )),
        Some(Unit::Hours) => {
            than(&format!("{amount} {}", pick(("timer mere", "hours more"), ("timer mindre", "hours less"))))
        }
        Some(Unit::Kroner) => {
            let word = pick(("kr. mere", "DKK more"), ("kr. mindre", "DKK less"));
            than(&format!("{amount} {word}{}", percent(l, difference, before)))
        }
        Some(Unit::Persons | Unit::FullTimePersons | Unit::Spells | Unit::Count) | None => {
            let word = pick(("flere", "more"), ("færre", "fewer"));
            than(&format!("{amount} {word}{}", percent(l, difference, before)))
        }
    }
}

/// A difference as a share of what was before.
fn percent(l: Language, difference: Decimal, before: Decimal) -> String {
    let Some(share) = difference.checked_div(before.abs()) else { return String::new() };
    let sign = if difference.is_sign_positive() { "+" } else { "" };
    format!(" ({sign}{} %)", l.number(share * Decimal::ONE_HUNDRED, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_said_in_the_words_of_their_unit() {
        let figure = |text: &str| text.parse::<Decimal>().unwrap();
        let cases = [
            (Some(Unit::Persons), 0, "1234", "1178", "56 flere (+4,8 %) end i juli 2025"),
            (Some(Unit::Persons), 0, "100", "200", "100 færre (−50,0 %) end i juli 2025"),
            (Some(Unit::Percent), 1, "4.26", "3.1", "1,2 procentpoint højere end i juli 2025"),
            (Some(Unit::Percent), 1, "3.12", "3.14", "uændret siden juli 2025"),
            (Some(Unit::Weeks), 1, "12.5", "14", "1,5 uger kortere end i juli 2025"),
            (Some(Unit::Count), 0, "5", "0", "5 flere end i juli 2025"),
            (Some(Unit::Percent), 1, "4.25", "4.15", "0,1 procentpoint højere end i juli 2025"),
            (Some(Unit::Persons), 0, "2.5", "2", "1 flere (+50,0 %) end i juli 2025"),
        ];
        for (unit, decimals, now, before, expected) in cases {
            let said = changed(Language::Danish, unit, decimals, figure(now), figure(before), "juli 2025");
            assert_eq!(said, expected);
        }
        let english =
            changed(Language::English, Some(Unit::Fraction), 3, figure("0.12"), figure("0.2"), "Q2 2025");
        assert_eq!(english, "8.0 percentage points lower than in Q2 2025");
    }
}
