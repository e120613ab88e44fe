//! What a measurement is: its words, units, breakdowns, areas, periods, dates, and what readers must know of its figures.

use chrono::{DateTime, Utc};

use crate::catalogue::dimension::Dimension;
use crate::catalogue::measurement::{Measurement, MeasurementHead, SeriesBreak};
use crate::catalogue::period::Period;
use crate::pages::language::Language;

/// The most members of a breakdown that are listed.
const MEMBERS: usize = 60;

pub(super) struct Facts {
    pub rows: Vec<(String, String)>,
    pub measures: Vec<(String, String)>,
    pub breakdowns: Vec<Breakdown>,
    pub agency_page: Option<String>,
    pub floor: Option<String>,
    pub breaks: Vec<BreakText>,
}

/// A break in the series: the day in the page's language, the text in Danish.
pub(super) struct BreakText {
    pub day: String,
    pub text: String,
}

impl BreakText {
    pub fn of(l: Language, one: &SeriesBreak) -> Self {
        Self { day: l.day(one.from), text: one.text.clone() }
    }
}

/// A dimension with its members, level by level.
pub(super) struct Breakdown {
    pub label: String,
    pub number: usize,
    pub levels: Vec<(String, Vec<String>)>,
    pub more: usize,
}

impl Facts {
    pub fn of(
        l: Language,
        measurement: &Measurement,
        head: &MeasurementHead,
        fetched_at: Option<DateTime<Utc>>,
    ) -> Self {
        let unit = |unit| l.unit(unit).to_owned();
        Self {
            rows: rows(l, measurement, head, fetched_at),
            measures: measurement
                .measures
                .iter()
                .map(|measure| (measure.heading.clone(), measure.unit.map(unit).unwrap_or_default()))
                .collect(),
            breakdowns: measurement.dimensions.iter().map(|dimension| Breakdown::of(l, dimension)).collect(),
            agency_page: head
                .page_url
                .clone()
                .filter(|url| url.starts_with("https://") || url.starts_with("http://")),
            floor: head.caveats.floor.clone(),
            breaks: head.caveats.breaks.iter().map(|one| BreakText::of(l, one)).collect(),
        }
    }
}

fn rows(
    l: Language,
    measurement: &Measurement,
    head: &MeasurementHead,
    fetched_at: Option<DateTime<Utc>>,
) -> Vec<(String, String)> {
    let mut rows = vec![
        ("Id".to_owned(), head.id.to_string()),
        (l.text("Emne", "Subject").to_owned(), head.subject.clone()),
        (l.text("Gruppe", "Group").to_owned(), head.group.clone()),
    ];
    for (id, first, last) in &head.period_types {
        let [first, last] = [first, last].map(|period| Period::new(id, period));
        let kind = measurement.period_types.iter().find(|kind| kind.id == *id).map(|kind| kind.kind);
        let label = kind.map_or(id.as_str(), |kind| l.period_kind(kind));
        let capital: String =
            label.chars().take(1).flat_map(char::to_uppercase).chain(label.chars().skip(1)).collect();
        let to = l.text("til", "to");
        rows.push((capital, format!("{} {to} {}", l.period(&first), l.period(&last))));
    }
    let mut dated =
        |label: &str, text: Option<String>| rows.extend(text.map(|text| (label.to_owned(), text)));
    dated(
        l.text("Opdateret hos Jobindsats", "Updated at Jobindsats"),
        head.update_latest.map(|day| l.day(day)),
    );
    dated(l.text("Ventes opdateret", "Next update"), head.update_next.map(|day| l.day(day)));
    dated(
        l.text("Tallene her er hentet", "The figures here were fetched"),
        fetched_at.map(|at| l.instant(at)),
    );
    rows.retain(|(_, text)| !text.is_empty());
    rows
}

impl Breakdown {
    fn of(l: Language, dimension: &Dimension) -> Self {
        let mut levels: Vec<(String, Vec<String>)> = Vec::new();
        let members: Vec<_> = dimension.members.iter().filter(|member| !member.is_total()).collect();
        for member in members.iter().take(MEMBERS) {
            match levels.iter_mut().find(|(level, _)| *level == member.level) {
                Some((_, labels)) => labels.push(member.label.clone()),
                None => levels.push((member.level.clone(), vec![member.label.clone()])),
            }
        }
        let label =
            if dimension.is_area() { l.text("Område", "Area").to_owned() } else { dimension.label.clone() };
        Self { label, number: members.len(), levels, more: members.len().saturating_sub(MEMBERS) }
    }
}
