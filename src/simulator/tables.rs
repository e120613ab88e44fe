//! The simulator's tables: subjects, measures, period types, dimensions.
//!
//! Knows how a table is made up; knows neither the file that it comes from nor any figure.

use chrono::{Months, NaiveDate};
use serde::Deserialize;

use super::hierarchy::Hierarchy;
use super::periods::{Period, PeriodType};

/// The first year that is written with four digits.
const FIRST_YEAR: u32 = 1000;

/// A subject of the databank's menu.
#[derive(Clone, Debug, Deserialize)]
pub struct Subject {
    pub id: String,
    pub name: String,
    pub group: String,
    pub group_id: String,
    #[serde(default)]
    pub made_up: Vec<String>,
}

/// What sort of number a measure is, which decides how it is made up and hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// People, spells, cases: parts are smaller than their total, small ones are hidden.
    Count,
    /// Money: adds up like a count, never hidden, grows with the length of the period.
    Amount,
    /// Per cent, 0-100.
    Rate,
    /// A share, 0-1.
    Fraction,
    /// A mean, such as weeks or kroner per person.
    Average,
    /// Per cent still there after some weeks; falls from one measure to the next.
    Survival,
    /// One measure minus another.
    Difference,
    /// A municipality's place in a ranking.
    Rank,
}

/// One figure of a table.
#[derive(Clone, Debug, Deserialize)]
pub struct Measure {
    pub id: String,
    pub name: String,
    pub group: String,
    pub group_name: String,
    pub kind: Kind,
    /// The usual size for the whole country.
    pub level: f64,
    pub decimals: u32,
    /// Counts below this are hidden.
    pub floor: Option<i64>,
    /// The measure that this one never exceeds: full-time persons are at most as many as persons.
    pub at_most: Option<usize>,
    /// How many of the newest periods are not yet observable.
    #[serde(default)]
    pub lag: usize,
    /// What a difference is taken between.
    pub of: Option<[usize; 2]>,
    /// The dimensions over whose members a rate comes to that of the total, because the denominator stays the same.
    #[serde(default)]
    pub adds_up_over: Vec<String>,
}

impl Measure {
    /// What a figure is divided by to come from units of the last decimal to the measure's unit.
    pub fn unit(&self) -> f64 {
        10f64.powi(self.decimals as i32)
    }

    /// Whether the total is 100 per cent at any time.
    pub fn is_whole(&self) -> bool {
        self.kind == Kind::Rate && self.level >= 100.0
    }
}

/// When a table is updated.
#[derive(Clone, Debug, Deserialize)]
pub struct Update {
    pub freq: String,
    pub latest: NaiveDate,
    /// A scheduled date; empty for a table that is no longer updated.
    pub next: String,
}

impl Update {
    /// How many months lie between two updates.
    pub fn months(&self) -> u32 {
        match self.freq.as_str() {
            "Y" => 12,
            "Q" => 3,
            _ => 1,
        }
    }

    /// The scheduled dates after the newest retrieval; none for a table that is no longer updated.
    pub fn scheduled(&self) -> impl Iterator<Item = NaiveDate> {
        let step = self.months();
        let first = self.next.parse::<NaiveDate>().into_iter();
        first.flat_map(move |first| (0..).map_while(move |n| first.checked_add_months(Months::new(n * step))))
    }

    /// How many months of figures the scheduled updates up to a day have brought.
    pub fn months_until(&self, day: NaiveDate) -> u32 {
        self.scheduled().take_while(|date| *date <= day).count() as u32 * self.months()
    }
}

/// A period type of a table and the periods it began with.
#[derive(Clone, Debug, Deserialize)]
pub struct PeriodRange {
    #[serde(rename = "type")]
    kind: String,
    first: Period,
    last: Period,
    /// The only numbers within a year that exist; empty: all.
    #[serde(default)]
    pub only: Vec<u32>,
}

impl PeriodRange {
    pub fn kind(&self) -> PeriodType {
        self.first.kind
    }

    /// Whether first and last are of the type that the range says it has.
    pub fn is_consistent(&self) -> bool {
        PeriodType::from_id(&self.kind) == Some(self.first.kind) && self.last.kind == self.first.kind
    }

    fn last_month(&self) -> u32 {
        self.last.last_month()
    }

    /// The same with the periods of so many years before.
    fn earlier(&self, years: u32) -> Self {
        let first = Period { year: self.first.year.saturating_sub(years).max(FIRST_YEAR), ..self.first };
        Self { first, ..self.clone() }
    }

    /// The periods of the newest edition, oldest first.
    pub fn periods(&self) -> Vec<Period> {
        Period::range(self.first, self.last, &self.only)
    }
}

/// The member that a dimension must stand at for the figures to mean anything.
#[derive(Clone, Debug, Deserialize)]
pub struct Pin {
    pub dimension: String,
    pub member: String,
}

/// In which order a table delivers its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowOrder {
    #[default]
    ByPeriod,
    /// Dimension by dimension, the periods in odd blocks.
    ByDimension,
}

/// A theme to divide by. Areas are the first dimension of every table.
#[derive(Clone, Debug)]
pub struct Dimension {
    pub id: String,
    pub name: String,
    pub hierarchies: Vec<Hierarchy>,
    /// The parts that were filled in because nothing real was known.
    pub made_up: Vec<String>,
}

/// A table as the simulator knows it before any edition of it.
#[derive(Clone, Debug)]
pub struct Table {
    pub id: String,
    pub title: String,
    pub subject: String,
    pub group: String,
    pub update: Update,
    pub periods: Vec<PeriodRange>,
    /// The area dimension first, then the named ones in the order of their columns.
    pub dimensions: Vec<Dimension>,
    pub pinned: Option<Pin>,
    pub order: RowOrder,
    /// Whether combinations without any figure have no row.
    pub leaves_out_empty: bool,
    /// How much the figures swing over a year.
    pub season: f64,
    /// What part of the country each place makes up here.
    pub place_shares: Vec<f64>,
    pub measures: Vec<Measure>,
    /// The parts that were filled in because nothing real was known.
    pub made_up: Vec<String>,
}

impl Table {
    /// The same table with the periods of so many years before its first ones, for loads.
    pub fn longer(&self, years: u32) -> Self {
        Self { periods: self.periods.iter().map(|range| range.earlier(years)).collect(), ..self.clone() }
    }

    pub fn measure_named(&self, heading: &str) -> Option<usize> {
        (0..self.measures.len()).find(|index| self.heading(*index) == heading)
    }

    /// The column heading of a measure: with its group in front when the group has several.
    pub fn heading(&self, measure: usize) -> String {
        let measure = &self.measures[measure];
        let fellows = self.measures.iter().filter(|other| other.group == measure.group).count();
        if fellows > 1 { format!("{}: {}", measure.group_name, measure.name) } else { measure.name.clone() }
    }

    /// The last month of the newest period that was retrieved. Longer periods follow when they are over.
    pub fn newest_month(&self) -> u32 {
        self.periods.iter().map(PeriodRange::last_month).max().unwrap_or(0)
    }

    pub fn dimension_named(&self, name: &str) -> Option<usize> {
        self.dimensions.iter().position(|dimension| dimension.name == name)
    }
}
