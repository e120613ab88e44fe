//! The map of the municipalities in one period.

use std::collections::HashMap;

use crate::catalogue::period::Period;
use crate::catalogue::value::Figure;
use crate::pages::figures::Rows;
use crate::pages::measurement::choice::Choice;
use crate::pages::municipality::Municipality;
use crate::pages::tile_map::{Shown, TileMap};
use crate::pages::visit::{MUNICIPALITY, Visit};

/// How many periods can be chosen for the map.
const PERIODS: usize = 36;

pub(super) struct MapView {
    pub period: String,
    pub map: TileMap,
    pub is_coloured: bool,
    /// Periods to choose from: id, label, whether it is shown.
    pub periods: Vec<(String, String, bool)>,
}

impl MapView {
    /// `None` where no municipality has a figure.
    pub fn new(visit: &Visit, choice: &Choice<'_>, period: &Period, rows: &Rows) -> Option<Self> {
        let l = visit.language;
        let column = choice.measure_column();
        let figures: HashMap<String, Figure> =
            (0..rows.len()).map(|row| (rows.text(row, "Områdekode"), rows.figure(row, column))).collect();
        figures.values().any(Option::is_some).then_some(())?;
        let (shown_period, is_coloured) = (l.period(period), choice.is_comparable());
        let measure = choice.measure().map(|measure| measure.heading.as_str()).unwrap_or_default();
        let map = TileMap::draw(&Shown {
            description: format!(
                "{} {shown_period}: {measure}",
                l.text("Kort over kommunerne", "Map of the municipalities")
            ),
            figure: &|one: &Municipality| figures.get(one.code).copied().flatten(),
            written: &|figure| l.number(figure, choice.decimals()),
            hidden: l.text("ikke offentliggjort", "not published"),
            link: &|one: &Municipality| visit.here(&[(MUNICIPALITY, one.code)]),
            chosen: choice.municipality,
            is_coloured,
        });
        let periods = choice.periods().take(PERIODS);
        Some(Self {
            period: shown_period,
            map,
            is_coloured,
            periods: periods.map(|one| (one.id.to_string(), l.period(one), one == period)).collect(),
        })
    }
}
