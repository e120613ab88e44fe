//! The figures of a table in one edition: published ones where there are any, else made up.
//!
//! What is made up is a pure function of table, cell, measure, period and edition. [`Model`] says what a cell comes to;
//! here figures are rounded so that parts never exceed their total, and hidden where they are small. Knows no HTTP.

use std::cell::OnceCell;

use super::areas::Areas;
use super::chance;
use super::model::Model;
use super::model::cell::MeasureInPeriod;
use super::periods::{Period, PeriodType};
use super::published::{Figure, Key, Published};
use super::tables::{Kind, Measure, Table};

/// Which edition of a table stands: 0 is the newest retrieval, negative ones are earlier, positive ones are updates
/// that the simulator made itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    pub number: i32,
    /// Whether published totals of recent periods were changed too.
    pub revises_published: bool,
    /// How many months have passed from the newest retrieval's update to the newest one by the calendar.
    pub months: u32,
}

/// For how many of the newest periods figures are provisional.
const PROVISIONAL: usize = 3;
/// For how many periods back an update may still change figures.
const REVISED: usize = 36;
/// How often a combination of two or more dimensions in which nothing could be shown is left out in a year.
const LEFT_OUT: f64 = 0.1;

/// A table, its published figures and the edition that stands.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub table: &'a Table,
    pub places: &'a Areas,
    pub published: &'a Published,
    pub edition: Edition,
    model: &'a Model,
    seed: u64,
}

/// A period as it stands in an edition.
#[derive(Clone, Debug)]
pub struct Moment {
    pub period: Period,
    /// How many periods are newer.
    age: usize,
    /// Changes whenever an update changed the made-up figures of the period.
    revision: u64,
    /// The state of each measure; computed at the first figure.
    standings: OnceCell<Vec<MeasureInPeriod>>,
}

/// A cell without period and measure.
#[derive(Debug)]
pub struct Cell {
    pub key: Key,
    seed: u64,
    pinned: bool,
}

impl<'a> View<'a> {
    pub fn new(
        table: &'a Table,
        places: &'a Areas,
        published: &'a Published,
        model: &'a Model,
        edition: Edition,
    ) -> Self {
        Self { table, places, published, edition, model, seed: chance::seed(&table.id) }
    }

    fn rank(&self) -> usize {
        self.published.rank(self.edition.number)
    }

    /// The periods of a type that this edition holds, oldest first.
    pub fn periods(&self, kind: PeriodType) -> Vec<Period> {
        let Some(range) = self.table.periods.iter().find(|range| range.kind() == kind) else {
            return vec![];
        };
        let mut periods = range.periods();
        let steps = self.edition.number.unsigned_abs() as usize;
        if self.edition.number >= 0 {
            let newest = periods.last().copied();
            let end = self.table.newest_month() + self.edition.months;
            let later = std::iter::successors(newest, |period| Some(period.next(&range.only))).skip(1);
            let by_calendar = later.clone().take_while(|period| period.last_month() <= end).count();
            periods.extend(later.take(by_calendar + steps));
        } else if steps > 0 && self.table.periods[0].kind() == kind {
            let published = self.published.newest(kind, self.rank());
            let kept = published.and_then(|newest| periods.iter().position(|period| *period == newest));
            let kept = kept.map_or(0, |index| index + 1).max(periods.len().saturating_sub(steps)).max(1);
            periods.truncate(kept);
        }
        periods
    }

    /// The periods of a type with their age and revision, oldest first.
    pub fn moments(&self, kind: PeriodType) -> Vec<Moment> {
        let periods = self.periods(kind);
        let newest = periods.len().saturating_sub(1);
        let moment = |(index, period): (usize, &Period)| {
            let age = newest - index;
            Moment { period: *period, age, revision: self.revision(*period, age), standings: OnceCell::new() }
        };
        periods.iter().enumerate().map(moment).collect()
    }

    fn revision(&self, period: Period, age: usize) -> u64 {
        let number =
            i64::from(self.edition.number) + i64::from(self.edition.months / self.table.update.months());
        if age < PROVISIONAL {
            return chance::mix(age as u64 + 1, number as u64);
        }
        let touched = |edition: &i64| {
            let years_ago = (number - edition) as usize;
            age.saturating_sub(years_ago) < REVISED
                && chance::mix(chance::mix(self.seed, u64::from(period.code())), *edition as u64)
                    .is_multiple_of(8)
        };
        (number - 6..=number).rev().find(touched).map_or(0, |edition| chance::mix(0, edition as u64))
    }

    /// The cell at one node of every dimension: `place` is an area, `nodes` the nodes of the named dimensions.
    pub fn cell(&self, place: usize, nodes: &[usize]) -> Cell {
        let mut key = Key::default().with(0, place);
        for (index, node) in nodes.iter().enumerate() {
            let hierarchy = &self.table.dimensions[index + 1].hierarchies[0];
            key = key.with(index + 1, hierarchy.nodes[*node].code);
        }
        Cell { key, seed: chance::mix(self.seed, key.0), pinned: self.is_pinned(key) }
    }

    fn is_pinned(&self, key: Key) -> bool {
        self.table.pinned.as_ref().is_none_or(|pin| {
            self.table
                .dimensions
                .iter()
                .enumerate()
                .filter(|(_, dimension)| dimension.id == pin.dimension)
                .all(|(index, dimension)| {
                    dimension.hierarchies[0].position(&pin.member) == Some(key.code(index))
                })
        })
    }

    /// Whether the combination has a row in the period.
    pub fn exists(&self, cell: &Cell, moment: &Moment) -> bool {
        !self.is_unseen(cell, moment) && !self.is_left_out(cell, moment)
    }

    /// Whether the combination did not occur: one in ten of those that would be hidden anyway.
    fn is_unseen(&self, cell: &Cell, moment: &Moment) -> bool {
        let year = chance::mix(cell.seed, u64::from(moment.period.year));
        cell.key.depth() >= 2
            && chance::unit(year) < LEFT_OUT
            && !self.is_published(cell.key, moment)
            && self.counts().count() > 0
            && self.counts().all(|measure| self.value(cell, measure, moment).is_none())
    }

    /// Whether a figure was published.
    #[cfg(test)]
    pub fn is_published_in(&self, cell: &Cell, measure: usize, moment: &Moment) -> bool {
        self.looked_up(cell.key, measure, moment).is_some()
    }

    fn is_published(&self, key: Key, moment: &Moment) -> bool {
        (0..self.table.measures.len()).any(|measure| self.looked_up(key, measure, moment).is_some())
    }

    /// Whether the table leaves out the row because there is nothing in it.
    fn is_left_out(&self, cell: &Cell, moment: &Moment) -> bool {
        let named = (1..self.table.dimensions.len()).any(|dimension| cell.key.code(dimension) != 0);
        if !self.table.leaves_out_empty || !named || self.is_published(cell.key, moment) {
            return false;
        }
        if self.published.holds(cell.key) && self.is_published(Key::default(), moment) {
            return true;
        }
        self.counts().all(|measure| self.value(cell, measure, moment).is_none())
    }

    fn looked_up(&self, key: Key, measure: usize, moment: &Moment) -> Option<Figure> {
        if !self.standing(measure, moment).is_published {
            return None;
        }
        let figure = self.published.figure(key, measure, moment.period, self.rank())?;
        let revised = self.edition.revises_published
            && key == Key::default()
            && (1..=PROVISIONAL).contains(&moment.age);
        // Only totals move, and only upward, so that no part comes to lie above one.
        Some(figure.map(|figure| if revised { figure + figure / 400 + 1 } else { figure }))
    }

    fn standing<'m>(&self, measure: usize, moment: &'m Moment) -> &'m MeasureInPeriod {
        let of = |measure| self.model.standing(self.table, measure, moment.period, moment.revision);
        &moment.standings.get_or_init(|| (0..self.table.measures.len()).map(of).collect())[measure]
    }

    /// The figure of a cell in units of the measure's last decimal, or none where it is hidden or not yet there.
    pub fn value(&self, cell: &Cell, measure: usize, moment: &Moment) -> Figure {
        if let Some(figure) = self.looked_up(cell.key, measure, moment) {
            return figure;
        }
        let about = &self.table.measures[measure];
        if !cell.pinned || moment.age < about.lag || self.standing(measure, moment).is_missing {
            // Below a total that was published as missing nothing can be shown.
            return None;
        }
        match about.kind {
            Kind::Count => Some(self.count(cell, measure, moment))
                .filter(|count| *count >= about.floor.unwrap_or(0).max(1)),
            Kind::Amount => Some(self.count(cell, measure, moment)),
            Kind::Rate if about.is_whole() => Some(self.part_of_a_whole(cell, measure, moment)),
            Kind::Rate => Some(scale(self.rate(cell, measure, moment).min(100.0), about)),
            Kind::Fraction => Some(scale(self.rate(cell, measure, moment).min(1.0), about)),
            Kind::Average => self.average(cell, measure, moment),
            Kind::Survival => Some(scale(self.survival(cell, measure, moment), about)),
            Kind::Difference => {
                let [total, from] = about.of?;
                Some(self.value(cell, total, moment)? - self.value(cell, from, moment)?)
            }
            Kind::Rank => self.position_in_ranking(cell, moment),
        }
    }

    fn count(&self, cell: &Cell, measure: usize, moment: &Moment) -> i64 {
        let count = self.rounded(cell.key, measure, moment).max(self.at_least(cell.key, measure, moment));
        match self.table.measures[measure].at_most {
            None => count,
            Some(upper) => match self.looked_up(cell.key, upper, moment) {
                Some(limit) => count.min(limit.unwrap_or(0)),
                None => count.min(self.count(cell, upper, moment)),
            },
        }
    }

    /// The published figure that this one must not fall below: full-time persons, where persons were not published.
    fn at_least(&self, key: Key, measure: usize, moment: &Moment) -> i64 {
        let is_below = |other: &usize| self.table.measures[*other].at_most == Some(measure);
        let below = (0..self.table.measures.len()).filter(is_below);
        let figure = |other: usize| match self.looked_up(key, other, moment) {
            Some(figure) => figure.unwrap_or(0),
            None => self.at_least(key, other, moment),
        };
        below.map(figure).max().unwrap_or(0)
    }

    /// A count in whole numbers. The members of one dimension are rounded so that nothing is lost between them; where
    /// more dimensions meet, always downward. Either way parts never come to more than what they are parts of.
    fn rounded(&self, key: Key, measure: usize, moment: &Moment) -> i64 {
        let standing = self.standing(measure, moment);
        let total = standing.total.round();
        // A figure just below a whole number counts as that number; the tolerance is smaller the more dimensions meet.
        let down = |figure: f64, depth: usize| (figure + 1e-3_f64.powi(depth as i32 + 1)).floor() as i64;
        match key.depth() {
            0 => total as i64,
            1 => {
                let dimension = key.shape().trailing_zeros() as usize;
                let (from, to) = self.model.bounds(measure, standing, dimension, key);
                down(total * to, 1) - down(total * from, 1)
            }
            depth => down(total * self.model.share(measure, standing, key), depth),
        }
    }

    fn rate(&self, cell: &Cell, measure: usize, moment: &Moment) -> f64 {
        let standing = self.standing(measure, moment);
        standing.total * self.model.lean(measure, standing, cell.key)
    }

    /// Shares of the members of a dimension that come to 100 per cent within every combination of the others.
    fn part_of_a_whole(&self, cell: &Cell, measure: usize, moment: &Moment) -> i64 {
        let standing = self.standing(measure, moment);
        let whole = self.model.whole(self.table, measure, cell.key);
        let of = self.model.share(measure, standing, whole);
        let share = if of > 0.0 { self.model.share(measure, standing, cell.key) / of } else { 0.0 };
        scale((standing.total * share).min(100.0), &self.table.measures[measure])
    }

    /// A mean over people who are too few to be counted is hidden with them.
    fn average(&self, cell: &Cell, measure: usize, moment: &Moment) -> Figure {
        if self.counts().count() > 0 && self.counts().all(|count| self.value(cell, count, moment).is_none()) {
            return None;
        }
        Some(scale(self.rate(cell, measure, moment), &self.table.measures[measure]))
    }

    /// The measures that count something.
    fn counts(&self) -> impl Iterator<Item = usize> {
        let table = self.table;
        (0..table.measures.len()).filter(|measure| table.measures[*measure].kind == Kind::Count)
    }

    /// How many per cent are left: the country's share, to a power that is the cell's own.
    fn survival(&self, cell: &Cell, measure: usize, moment: &Moment) -> f64 {
        let standing = self.standing(measure, moment);
        let bend = self.model.lean(measure, standing, cell.key);
        100.0 * (standing.total.min(100.0) / 100.0).powf(bend)
    }

    fn position_in_ranking(&self, cell: &Cell, moment: &Moment) -> Figure {
        let place = cell.key.code(0);
        if !self.places.is_municipality(place) {
            return None;
        }
        let others =
            chance::mix(chance::mix(self.seed, cell.key.with(0, 0).0), u64::from(moment.period.code()));
        let draw = |place: usize| chance::mix(others, place as u64);
        let own = draw(place);
        Some(1 + self.places.municipalities().filter(|other| draw(*other) < own).count() as i64)
    }
}

fn scale(value: f64, measure: &Measure) -> i64 {
    (value * measure.unit()).round() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::state::Databank;
    use super::*;

    /// A table in an edition, chosen by numbers.
    fn view(table: usize, number: i32, revises_published: bool) -> View<'static> {
        let databank = Databank::get().unwrap();
        databank
            .view(table % databank.metadata.tables.len(), Edition { number, revises_published, months: 0 })
            .unwrap()
    }

    fn some_nodes(view: &View<'_>, choices: &[usize]) -> Vec<usize> {
        let named = view.table.dimensions.iter().skip(1);
        // Half of the dimensions stay at their total, as in most requests.
        let pick = |(dimension, choice): (&super::super::tables::Dimension, &usize)| match choice % 2 {
            0 => 0,
            _ => choice / 2 % dimension.hierarchies[0].nodes.len(),
        };
        named.zip(choices).map(pick).collect()
    }

    fn parent_of(view: &View<'_>, place: usize, nodes: &[usize], dimension: usize) -> (usize, Vec<usize>) {
        let mut nodes = nodes.to_vec();
        if dimension == 0 || nodes.is_empty() {
            return (view.places.parent(place), nodes);
        }
        let index = (dimension - 1) % nodes.len();
        nodes[index] = view.table.dimensions[index + 1].hierarchies[0].nodes[nodes[index]].parent;
        (place, nodes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn no_part_exceeds_its_parent_in_any_edition(
            table in 0usize..103, place in 0usize..105, choices in prop::array::uniform7(0usize..400),
            dimension in 0usize..7, number in -3..4i32, revises in any::<bool>(), back in 0usize..40,
        ) {
            let view = view(table, number, revises);
            let nodes = some_nodes(&view, &choices);
            let part = view.cell(place, &nodes);
            let (place, nodes) = parent_of(&view, place, &nodes, dimension);
            let whole = view.cell(place, &nodes);
            let moments = view.moments(view.table.periods[0].kind());
            let moment = &moments[moments.len() - 1 - back % moments.len()];
            for (measure, about) in view.table.measures.iter().enumerate() {
                if !matches!(about.kind, Kind::Count | Kind::Amount) { continue }
                if let Some(figure) = view.value(&part, measure, moment) {
                    let total = view.value(&whole, measure, moment);
                    prop_assert!(
                        total.is_some_and(|total| figure <= total),
                        "{} {} {}: {figure} of {total:?} in {:?}", view.table.id, about.name, moment.period, part.key
                    );
                }
            }
        }

        #[test]
        fn full_time_persons_are_never_more_than_persons(
            table in 0usize..103, place in 0usize..105, choices in prop::array::uniform7(0usize..400), back in 0usize..40,
        ) {
            let view = view(table, 0, false);
            let cell = view.cell(place, &some_nodes(&view, &choices));
            let moments = view.moments(view.table.periods[0].kind());
            let moment = &moments[moments.len() - 1 - back % moments.len()];
            for (measure, about) in view.table.measures.iter().enumerate() {
                let Some(upper) = about.at_most else { continue };
                if let (Some(figure), Some(upper)) = (view.value(&cell, measure, moment), view.value(&cell, upper, moment)) {
                    prop_assert!(figure <= upper, "{} {}: {figure} of {upper}", view.table.id, about.name);
                }
            }
        }
    }
}
