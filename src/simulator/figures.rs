//! The figures of a table in one edition: published ones where there are any, else made up.
//!
//! What is made up is a pure function of table, cell, measure, period and edition. A count comes down from the nearest
//! published totals by the shares of its members, a little below them, so that no part ever exceeds a total; a rate
//! leans to one side or the other of the published one nearest above it. Knows no HTTP.

use super::areas::{Areas, COUNTRY};
use super::chance;
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
}

/// How far figures scatter around what shares and leanings would give.
const NOISE: f64 = 0.01;
/// How much a count falls short of its share for each dimension that it is divided by. More than the noise, so that
/// noise never lifts a part to its total, and parts add up to a little less.
const SHORTFALL: f64 = 0.012;
/// For how many of the newest periods figures are provisional.
const PROVISIONAL: usize = 3;
/// For how many periods back an update may still change figures.
const REVISED: usize = 36;
/// How far an update moves the country's made-up figures at most.
const REVISION: f64 = 0.006;

/// How often a combination of two or more dimensions does not exist in a year.
const MISSING: f64 = 0.02;

/// A table, its published figures and the edition that stands.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub table: &'a Table,
    pub places: &'a Areas,
    pub published: &'a Published,
    pub edition: Edition,
    seed: u64,
}

/// A period as it stands in an edition.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub period: Period,
    /// How many periods are newer.
    age: usize,
    /// Changes whenever an update changed the made-up figures of the period.
    revision: u64,
}

/// A cell without period and measure, with what its figures are made from.
#[derive(Debug)]
pub struct Cell {
    pub key: Key,
    seed: u64,
    /// The part of the country's total that it makes up.
    share: f64,
    /// What its rates are, compared with the country's.
    lean: f64,
    above: Vec<Anchor>,
    pinned: bool,
}

/// A published cell that another lies below.
#[derive(Debug)]
struct Anchor {
    key: Key,
    share: f64,
    lean: f64,
}

impl<'a> View<'a> {
    pub fn new(table: &'a Table, places: &'a Areas, published: &'a Published, edition: Edition) -> Self {
        Self { table, places, published, edition, seed: chance::seed(&table.id) }
    }

    fn rank(&self) -> usize {
        (self.published.retrievals as i32 - 1 + self.edition.number.min(0)).max(0) as usize
    }

    /// The periods of a type that this edition holds, oldest first.
    pub fn periods(&self, kind: PeriodType) -> Vec<Period> {
        let Some(range) = self.table.periods.iter().find(|range| range.kind() == kind) else {
            return vec![];
        };
        let mut periods = range.periods();
        let steps = self.edition.number.unsigned_abs() as usize;
        if self.edition.number > 0 {
            let newest = periods.last().copied();
            let more = std::iter::successors(newest, |period| Some(period.next(&range.only)));
            periods.extend(more.skip(1).take(steps));
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
            Moment { period: *period, age, revision: self.revision(*period, age) }
        };
        periods.iter().enumerate().map(moment).collect()
    }

    fn revision(&self, period: Period, age: usize) -> u64 {
        let number = i64::from(self.edition.number);
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
        let mut chains = vec![self.place_chain(place)];
        let mut key = Key::default().with(0, place);
        for (index, node) in nodes.iter().enumerate() {
            let hierarchy = &self.table.dimensions[index + 1].hierarchies[0];
            key = key.with(index + 1, hierarchy.nodes[*node].code);
            chains.push(hierarchy.codes_up(*node));
        }
        let above = self.published.above(key, &chains);
        Cell {
            key,
            seed: chance::mix(self.seed, key.0),
            share: self.share(key),
            lean: self.lean(key),
            above: above
                .into_iter()
                .map(|key| Anchor { key, share: self.share(key), lean: self.lean(key) })
                .collect(),
            pinned: self.is_pinned(key),
        }
    }

    fn place_chain(&self, place: usize) -> Vec<usize> {
        let up = std::iter::successors(Some(place), |place| Some(self.places.parent(*place)));
        up.take_while(|place| *place != COUNTRY).collect()
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

    fn share(&self, key: Key) -> f64 {
        let named = (1..self.table.dimensions.len()).map(|dimension| {
            self.table.dimensions[dimension].hierarchies[0].nodes[key.code(dimension)].share
        });
        self.table.place_shares[key.code(0)] * named.product::<f64>()
    }

    fn lean(&self, key: Key) -> f64 {
        let lean = |dimension: usize| match key.code(dimension) {
            0 => 1.0,
            code => {
                0.82 + 0.36 * chance::unit(chance::mix(chance::mix(self.seed, dimension as u64), code as u64))
            }
        };
        (0..self.table.dimensions.len()).map(lean).product()
    }

    /// Whether the combination has a row in the period.
    pub fn exists(&self, cell: &Cell, moment: &Moment) -> bool {
        let year = chance::mix(cell.seed, u64::from(moment.period.year));
        let rare = cell.key.depth() >= 2 && chance::unit(year) < MISSING;
        let is_there = !rare || self.is_published(cell.key, moment);
        is_there && !self.is_left_out(cell, moment)
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
        let figure = self.published.figure(key, measure, moment.period, self.rank())?;
        let revised = self.edition.revises_published
            && key == Key::default()
            && (1..=PROVISIONAL).contains(&moment.age);
        // Only totals move, and only upward, so that no part comes to lie above one.
        Some(figure.map(|figure| if revised { figure + figure / 400 + 1 } else { figure }))
    }

    /// The figure of a cell in units of the measure's last decimal, or none where it is hidden or not yet there.
    pub fn value(&self, cell: &Cell, measure: usize, moment: &Moment) -> Figure {
        if let Some(figure) = self.looked_up(cell.key, measure, moment) {
            return figure;
        }
        let about = &self.table.measures[measure];
        if !cell.pinned || moment.age < about.lag {
            return None;
        }
        match about.kind {
            Kind::Count => Some(self.count(cell, measure, moment))
                .filter(|count| *count >= about.floor.unwrap_or(0).max(1)),
            Kind::Amount => Some(self.count(cell, measure, moment)),
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

    fn noise(&self, cell: &Cell, measure: usize, moment: &Moment) -> f64 {
        let seed = chance::mix(chance::mix(cell.seed, u64::from(moment.period.code())), measure as u64);
        chance::unit(chance::mix(seed, moment.revision))
    }

    fn count(&self, cell: &Cell, measure: usize, moment: &Moment) -> i64 {
        let mut count = f64::INFINITY;
        let mut limit = i64::MAX;
        for anchor in &cell.above {
            if let Some(figure) = self.looked_up(anchor.key, measure, moment) {
                // Below a hidden total nothing can be shown.
                let figure = figure.unwrap_or(1);
                count = count.min(figure as f64 * cell.share / anchor.share);
                limit = limit.min(figure);
            }
        }
        // The usual level counts only where the country's own total is unknown: parts and totals must agree on it.
        if self.looked_up(Key::default(), measure, moment).is_none() {
            count = count.min(self.usual(measure, moment) * cell.share);
        }
        if cell.key != Key::default() {
            count *= 1.0 - SHORTFALL * cell.key.depth() as f64 - NOISE * self.noise(cell, measure, moment);
        }
        let mut count = count.round() as i64;
        if let Some(at_least) = self.published.at_least(cell.key, measure, moment.period) {
            count = count.max(at_least);
        }
        if let Some(upper) = self.table.measures[measure].at_most {
            let upper = self
                .looked_up(cell.key, upper, moment)
                .unwrap_or_else(|| Some(self.count(cell, upper, moment)));
            count = count.min(upper.unwrap_or(0));
        }
        count.min(limit)
    }

    /// The usual size for the whole country in a period, with season and the slow swing of the economy.
    fn usual(&self, measure: usize, moment: &Moment) -> f64 {
        let period = moment.period;
        let about = &self.table.measures[measure];
        let month = f64::from(period.last_month());
        let phase = std::f64::consts::TAU * chance::unit(self.seed);
        let wave = |length: f64| (std::f64::consts::TAU * month / length + phase).sin();
        let season = if matches!(period.kind, PeriodType::M) { self.table.season * wave(12.0) } else { 0.0 };
        let swing = if about.level > 0.0 { 0.11 * wave(103.0) + 0.04 * wave(41.0) } else { 0.0 };
        let months = match (about.kind, period.kind) {
            (Kind::Amount, PeriodType::Y | PeriodType::Qmat) => 12.0,
            (Kind::Amount, PeriodType::Q) => 3.0,
            (Kind::Amount, PeriodType::Mytd) => f64::from(period.number),
            _ => 1.0,
        };
        let revised = match moment.revision {
            0 => 1.0,
            revision => {
                let seed = chance::mix(chance::mix(self.seed, u64::from(period.code())), revision);
                1.0 - REVISION * chance::unit(seed)
            }
        };
        about.level * (1.0 + season + swing) * months * revised
    }

    fn rate(&self, cell: &Cell, measure: usize, moment: &Moment) -> f64 {
        let about = &self.table.measures[measure];
        let jitter = 1.0 + 2.0 * NOISE * (self.noise(cell, measure, moment) - 0.5);
        if let Some(dimension) = self.whole_of(about) {
            let share = self.table.dimensions[dimension].hierarchies[0].nodes[cell.key.code(dimension)].share;
            return if cell.key.code(dimension) == 0 { 100.0 } else { 100.0 * share * jitter };
        }
        match self.nearest(cell, measure, moment) {
            Some((anchor, figure)) => figure * cell.lean / anchor.lean * jitter,
            None => self.usual(measure, moment) * cell.lean * jitter,
        }
    }

    /// The dimension over whose members the measure comes to 100 per cent.
    fn whole_of(&self, about: &Measure) -> Option<usize> {
        let id = about.adds_up_over.as_ref()?;
        self.table.dimensions.iter().position(|dimension| dimension.id == *id)
    }

    /// The most detailed published figure above a cell.
    fn nearest<'c>(&self, cell: &'c Cell, measure: usize, moment: &Moment) -> Option<(&'c Anchor, f64)> {
        let unit = 10f64.powi(self.table.measures[measure].decimals as i32);
        cell.above.iter().find_map(|anchor| {
            let figure = self.looked_up(anchor.key, measure, moment)??;
            Some((anchor, figure as f64 / unit))
        })
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

    /// The same bend for all measures, so that the curve keeps falling.
    fn survival(&self, cell: &Cell, measure: usize, moment: &Moment) -> f64 {
        let bend = cell.lean * (1.0 + 2.0 * NOISE * (self.noise(cell, 0, moment) - 0.5));
        let (start, bend) = match self.nearest(cell, measure, moment) {
            Some((anchor, figure)) => (figure, bend / anchor.lean),
            None => (self.table.measures[measure].level, bend),
        };
        100.0 * (start / 100.0).powf(bend)
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
    (value * 10f64.powi(measure.decimals as i32)).round() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::state::Databank;
    use super::*;

    /// A table in an edition, chosen by numbers.
    fn view(table: usize, number: i32, revises_published: bool) -> View<'static> {
        let databank = Databank::get().unwrap();
        databank.view(table % databank.metadata.tables.len(), Edition { number, revises_published }).unwrap()
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
