//! The chosen breakdown in one period: a row for each member, for the place that is looked at and those beside it.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::catalogue::period::Period;
use crate::catalogue::value::Figure;
use crate::pages::figures::Rows;
use crate::pages::measurement::choice::Choice;
use crate::pages::visit::Visit;

/// The most members that are shown.
const MEMBERS: usize = 100;

pub(super) struct Parts {
    pub label: String,
    pub period: String,
    pub places: Vec<String>,
    pub rows: Vec<PartRow>,
    /// How many members are not shown.
    pub more: usize,
}

pub(super) struct PartRow {
    pub label: String,
    /// Its depth among the levels of the dimension, from 0.
    pub depth: usize,
    /// The figure of the first place, as a part of a hundred of the greatest of its level.
    pub bar: u32,
    pub figures: Vec<Option<String>>,
}

impl Parts {
    pub fn new(visit: &Visit, choice: &Choice<'_>, period: &Period, rows: &Rows) -> Self {
        let l = visit.language;
        let dimension = choice.breakdown.unwrap_or_default();
        let name = choice.dimension_column(dimension);
        let places = choice.main_places();
        let mut members: Vec<(String, String, String)> = Vec::new();
        let mut listed: HashSet<String> = HashSet::new();
        let mut figures: HashMap<(String, String), Figure> = HashMap::new();
        for row in 0..rows.len() {
            let id = rows.text(row, &format!("{name}_id"));
            let key = (id.clone(), rows.text(row, "Områdekode"));
            figures.insert(key, rows.figure(row, choice.measure_column()));
            if listed.insert(id.clone()) {
                members.push((id, rows.text(row, name), rows.text(row, &format!("{name}_niveau"))));
            }
        }
        let of = |id: &str, code: &str| figures.get(&(id.to_owned(), code.to_owned())).copied().flatten();
        let first = places.first().map_or("", |place| place.code);
        let mut levels: Vec<(&str, Decimal)> = Vec::new();
        for (id, _, level) in &members {
            let figure = of(id, first).unwrap_or_default().abs();
            match levels.iter_mut().find(|(known, _)| known == level) {
                Some((_, most)) => *most = figure.max(*most),
                None => levels.push((level, figure)),
            }
        }
        let row = |(id, label, level): &(String, String, String)| {
            let depth = levels.iter().position(|(known, _)| known == level).unwrap_or_default();
            let most = levels.get(depth).map(|(_, most)| *most).unwrap_or_default();
            let share =
                of(id, first).and_then(|figure| (figure.abs() * Decimal::ONE_HUNDRED).checked_div(most));
            PartRow {
                label: label.clone(),
                depth: depth.min(3),
                bar: share.and_then(|share| share.to_u32()).unwrap_or_default(),
                figures: places
                    .iter()
                    .map(|place| of(id, place.code).map(|figure| l.number(figure, choice.decimals())))
                    .collect(),
            }
        };
        Self {
            label: choice
                .measurement
                .dimensions
                .get(dimension)
                .map(|it| it.label.clone())
                .unwrap_or_default(),
            period: l.period(period),
            places: places.iter().map(|place| place.name.clone()).collect(),
            rows: members.iter().take(MEMBERS).map(row).collect(),
            more: members.len().saturating_sub(MEMBERS),
        }
    }
}
