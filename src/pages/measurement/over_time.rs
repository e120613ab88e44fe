//! The chart over time and the table behind it. Counts of places of different size do not share an axis: each has a chart of its own,
//! or all are shown as index.

use chrono::Datelike;
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use crate::catalogue::measurement::MeasurementHead;
use crate::catalogue::period::Period;
use crate::pages::chart::{Drawing, LineChart};
use crate::pages::language::Language;
use crate::pages::measurement::choice::{self, Choice};
use crate::pages::measurement::facts::BreakText;
use crate::pages::measurement::series::Series;
use crate::pages::visit::Visit;

/// How many of the newest periods the table shows before the others are unfolded.
const ROWS: usize = 13;
/// About how many years stand below a chart.
const YEARS: usize = 6;

pub(super) struct OverTime {
    pub measure: String,
    pub panels: Vec<Panel>,
    /// Links to other ways to show the same: label, address, whether it is shown now.
    pub views: Vec<(String, String, bool)>,
    pub is_indexed: bool,
    /// Places that have no index, because they have no figure in the first period.
    pub without_index: Vec<String>,
    pub first_period: String,
    pub breaks: Vec<BreakText>,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    pub older: Vec<Row>,
    pub has_hidden: bool,
}

/// A chart in a size for wide screens and one for phones; small ones have the same size everywhere.
pub(super) struct Panel {
    pub title: Option<String>,
    pub wide: LineChart,
    pub narrow: Option<LineChart>,
}

pub(super) struct Row {
    pub period: String,
    /// `None` where nothing is published.
    pub figures: Vec<Option<String>>,
}

impl OverTime {
    /// `None` where there is no figure at all.
    pub fn new(
        visit: &Visit,
        choice: &Choice<'_>,
        head: &MeasurementHead,
        series: &Series<'_>,
    ) -> Option<Self> {
        let l = visit.language;
        let first = series.periods.first()?;
        let drawn = Drawn::new(l, choice, head, series);
        let mut rows: Vec<Row> =
            (0..series.periods.len()).rev().map(|at| row(l, choice, series, at)).collect();
        let older = rows.split_off(rows.len().min(ROWS));
        let is_indexed = choice.is_indexed;
        let without_index = series.places.iter().filter(|place| is_indexed && place.figures[0].is_none());
        Some(Self {
            measure: drawn.subject.clone(),
            panels: drawn.panels(),
            views: views(visit, choice),
            is_indexed,
            without_index: without_index.map(|place| place.place.name.clone()).collect(),
            first_period: l.period(first),
            breaks: drawn.break_texts,
            columns: series.places.iter().map(|place| place.place.name.clone()).collect(),
            has_hidden: rows.iter().chain(&older).any(|row| row.figures.iter().any(Option::is_none)),
            rows,
            older,
        })
    }
}

fn row(l: Language, choice: &Choice<'_>, series: &Series<'_>, at: usize) -> Row {
    let figures =
        series.places.iter().map(|place| place.figures[at].map(|figure| l.number(figure, choice.decimals())));
    Row { period: l.period(series.periods[at]), figures: figures.collect() }
}

fn views(visit: &Visit, choice: &Choice<'_>) -> Vec<(String, String, bool)> {
    let l = visit.language;
    let view =
        |label: &str, change: (&str, &str), is_shown| (label.to_owned(), visit.here(&[change]), is_shown);
    let mut views = Vec::new();
    if choice.places.len() > 1 {
        let figures = l.text("Tal", "Figures");
        views.push(view(figures, (choice::SCALE, ""), !choice.is_indexed));
        views.push(view(l.text("Indeks", "Index"), (choice::SCALE, choice::INDEX), choice.is_indexed));
    }
    views.push(view(l.text("10 år", "10 years"), (choice::YEARS, ""), !choice.all_years));
    views.push(view(l.text("Alle år", "All years"), (choice::YEARS, choice::ALL), choice.all_years));
    views
}

/// The lines of the charts.
struct Drawn<'a> {
    l: Language,
    periods: &'a [&'a Period],
    lines: Vec<(&'a str, Vec<Option<f64>>)>,
    /// Whether all lines share an axis.
    is_shared: bool,
    decimals: u8,
    subject: String,
    breaks: Vec<usize>,
    break_texts: Vec<BreakText>,
}

impl<'a> Drawn<'a> {
    fn new(l: Language, choice: &Choice<'_>, head: &MeasurementHead, series: &'a Series<'a>) -> Self {
        let figures = |place: &'a super::series::PlaceSeries<'a>| {
            let figures = place.figures.iter().map(|figure| figure.and_then(|figure| figure.to_f64()));
            (place.place.name.as_str(), figures.collect())
        };
        let lines = match choice.is_indexed {
            true => series.indexed(),
            false => series.places.iter().map(figures).collect(),
        };
        let shown = head.caveats.breaks.iter().filter_map(|one| {
            let at = series
                .periods
                .iter()
                .position(|period| period.first_day().is_some_and(|day| day >= one.from))?;
            (at > 0).then(|| (at, BreakText::of(l, one)))
        });
        let (breaks, break_texts) = shown.unzip();
        Self {
            l,
            periods: &series.periods,
            is_shared: choice.is_indexed || choice.is_comparable() || lines.len() == 1,
            lines,
            decimals: if choice.is_indexed { 0 } else { choice.decimals() },
            subject: choice.measure().map(|measure| measure.heading.clone()).unwrap_or_default(),
            breaks,
            break_texts,
        }
    }

    fn panels(&self) -> Vec<Panel> {
        if self.is_shared {
            let all: Vec<usize> = (0..self.lines.len()).collect();
            let narrow = Some(self.draw(&all, 350, 260, 3));
            return vec![Panel { title: None, wide: self.draw(&all, 880, 380, YEARS + 4), narrow }];
        }
        let panel = |index: usize| Panel {
            title: self.lines.get(index).map(|(name, _)| (*name).to_owned()),
            wide: self.draw(&[index], 350, 210, 3),
            narrow: None,
        };
        (0..self.lines.len()).map(panel).collect()
    }

    fn draw(&self, lines: &[usize], width: u32, height: u32, years: usize) -> LineChart {
        let series: Vec<(&str, &[Option<f64>])> = lines
            .iter()
            .filter_map(|&line| self.lines.get(line))
            .map(|(name, figures)| (*name, figures.as_slice()))
            .collect();
        let drawing = Drawing {
            width,
            height,
            description: self.description(&series),
            times: self.times(years),
            breaks: self.breaks.clone(),
            first_look: lines.first().copied().unwrap_or_default(),
            series,
        };
        LineChart::draw(&drawing, |value, decimals| {
            Decimal::from_f64(value).map(|value| self.l.number(value, decimals)).unwrap_or_default()
        })
    }

    /// A description of the chart for readers who do not see it: where each line begins and ends.
    fn description(&self, series: &[(&str, &[Option<f64>])]) -> String {
        let l = self.l;
        let written = |value: f64| {
            Decimal::from_f64(value).map(|value| l.number(value, self.decimals)).unwrap_or_default()
        };
        let line = |(name, figures): &(&str, &[Option<f64>])| {
            let mut known = figures.iter().enumerate().filter_map(|(at, figure)| Some((at, (*figure)?)));
            let first = known.next()?;
            let last = known.next_back().unwrap_or(first);
            let at = |(at, value): (usize, f64)| {
                Some(format!("{} ({})", written(value), l.period(self.periods.get(at)?)))
            };
            Some(format!(
                "{name} {} {} {} {}",
                l.text("fra", "from"),
                at(first)?,
                l.text("til", "to"),
                at(last)?
            ))
        };
        let lines: Vec<String> = series.iter().filter_map(line).collect();
        format!("{}. {}: {}.", l.text("Kurvediagram", "Line chart"), self.subject, lines.join("; "))
    }

    /// The first periods of years, no more of them than have room.
    fn times(&self, most: usize) -> Vec<(usize, String)> {
        let mut years: Vec<(usize, i32)> = Vec::new();
        for (at, period) in self.periods.iter().enumerate() {
            let year = period.last_day().map(|day| day.year());
            if let Some(year) = year.filter(|year| years.last().is_none_or(|(_, last)| last != year)) {
                years.push((at, year));
            }
        }
        // A year that is cut off at the left would stand beside the next one.
        if years.len() > 2 && years[1].0 < (years[2].0 - years[1].0) {
            years.remove(0);
        }
        let every = years.len().div_ceil(most.max(1)).max(1);
        let last = years.len().saturating_sub(1);
        let kept = years.into_iter().enumerate().filter(|(index, _)| (last - index).is_multiple_of(every));
        kept.map(|(_, (at, year))| (at, year.to_string())).collect()
    }
}
