//! What the made-up figures of a table are made from: the size of the country in time, and the shares of members.
//!
//! Both go through what was published. Where a total was published it holds; before, after and between, the usual course
//! is carried on from it without a jump. The members of a dimension divide their total completely, in every period and
//! within every member of every other dimension, so that parts of made-up figures add up to their total. Knows nothing
//! of rounding and hiding. What the model says of a period and a cell is in [`cell`].

pub mod cell;

use std::collections::{BTreeMap, HashMap};

use super::areas::Areas;
use super::chance;
use super::joint::{Joint, Part};
use super::periods::{Period, PeriodType};
use super::published::{Figure, Key, Published};
use super::shares::{Known, Shares, Tree};
use super::tables::{Dimension, Kind, Measure, Table};

/// How far the shares of two measures of a table differ.
const OF_ITS_OWN: f64 = 0.02;
/// The part of people of whom it is not known where they belong, in a dimension that has no member for them.
const UNKNOWN: f64 = 0.003;
/// How many months it takes until the level of the nearest published figure gives way to the mean of the nearest year.
const LEVELLING_MONTHS: f64 = 12.0;
/// What a published empty cell counts as inside: too little to be shown.
const HIDDEN: f64 = 0.9;

/// A table's model as of one retrieval.
#[derive(Debug)]
pub struct Model {
    seed: u64,
    trees: Vec<Tree>,
    /// For each dimension the usual shares of its members among those who belong to one.
    usual: Vec<Shares>,
    measures: Vec<MeasureModel>,
}

#[derive(Debug, Default)]
struct MeasureModel {
    level: Level,
    /// The periods in which something was published, and whether the country's figure was published as missing.
    published: HashMap<Period, bool>,
    /// The country's size in periods in which something was published.
    known: HashMap<Period, f64>,
    /// For each dimension the shares that stand at some time; the first are the usual ones.
    shares: Vec<Vec<Shares>>,
    /// For each dimension the months from which shares are known, in order.
    dated: Vec<Vec<Dated>>,
    joints: Vec<(u32, Joint)>,
    /// Whether the members of a dimension add up to its total in this measure: always for counts, for some rates.
    adds_up: Vec<bool>,
}

/// The shares of a month, by their positions: as published, and without what was published of nobody, for other months.
#[derive(Clone, Copy, Debug)]
struct Dated {
    month: u32,
    exact: usize,
    elsewhere: usize,
}

/// What was published of a measure's parts in a period, as shares of the whole.
#[derive(Debug, Default)]
struct Parts {
    own: Vec<(Key, f64)>,
    /// What stands in where nothing was published of the measure itself: full-time persons for persons.
    lent: Vec<(Key, f64)>,
    /// What a part comes to at least, because that many full-time persons were published.
    least: Vec<(Key, f64)>,
}

/// How far the country lay above its usual size in published months, in order.
#[derive(Debug, Default)]
struct Level(Vec<(u32, f64)>);

impl Level {
    fn through(mut ratios: Vec<(u32, f64)>) -> Self {
        ratios.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        ratios.dedup_by_key(|(month, _)| *month);
        Self(ratios)
    }

    fn at(&self, month: u32) -> f64 {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else {
            return 1.0;
        };
        let after = self.0.partition_point(|(known, _)| *known < month);
        if after == 0 {
            return Self::beyond(&self.0[..self.0.len().min(12)], first, month);
        }
        if after == self.0.len() {
            return Self::beyond(&self.0[self.0.len().saturating_sub(12)..], last, month);
        }
        let ((from, low), (to, high)) = (self.0[after - 1], self.0[after]);
        low + (high - low) * f64::from(month - from) / f64::from(to - from)
    }

    /// Outside of what is known: the nearest ratio at first, by and by the mean of the nearest ones.
    fn beyond(nearest: &[(u32, f64)], (edge, ratio): &(u32, f64), month: u32) -> f64 {
        let mean = nearest.iter().map(|(_, ratio)| ratio).sum::<f64>() / nearest.len() as f64;
        let settled = (f64::from(edge.abs_diff(month)) / LEVELLING_MONTHS).min(1.0);
        ratio + (mean - ratio) * settled
    }
}

/// The usual size of a measure for the whole country in a period, with season and the slow swing of the economy.
fn usual_size(table: &Table, seed: u64, about: &Measure, period: Period) -> f64 {
    // A level of nothing means that all that is known is what was published; a whole is a whole at any time.
    if about.level <= 0.0 {
        return 1.0;
    }
    if about.kind == Kind::Survival || about.is_whole() {
        return about.level;
    }
    let month = f64::from(period.last_month());
    let phase = std::f64::consts::TAU * chance::unit(seed);
    let wave = |length: f64| (std::f64::consts::TAU * month / length + phase).sin();
    let season = if period.kind == PeriodType::M { table.season * wave(12.0) } else { 0.0 };
    let months = match (about.kind, period.kind) {
        (Kind::Amount, PeriodType::Y | PeriodType::Qmat) => 12.0,
        (Kind::Amount, PeriodType::Q) => 3.0,
        (Kind::Amount, PeriodType::Mytd) => f64::from(period.number),
        _ => 1.0,
    };
    about.level * (1.0 + season + 0.11 * wave(103.0) + 0.04 * wave(41.0)) * months
}

/// The tree of a dimension's members by their codes, their weights, and the part that belongs to none.
fn divided(table: &Table, places: &Areas, dimension: usize) -> (Tree, Vec<f64>, f64) {
    if dimension == 0 {
        let parents: Vec<_> = (0..places.len()).map(|place| Some(places.parent(place))).collect();
        return (Tree::new(&parents), table.place_shares.clone(), 0.0);
    }
    let nodes = &table.dimensions[dimension].hierarchies[0].nodes;
    let parent = |(index, node): (usize, &super::hierarchy::Node)| {
        (node.code == index).then(|| nodes[node.parent].code)
    };
    let parents: Vec<_> = nodes.iter().enumerate().map(parent).collect();
    let weights = nodes.iter().map(|node| node.share).collect();
    (Tree::new(&parents), weights, unknown_part(&table.dimensions[dimension]))
}

fn unknown_part(dimension: &Dimension) -> f64 {
    let top = dimension.hierarchies[0].nodes.iter().filter(|node| node.depth == 1);
    let (mut sum, mut named) = (0.0, false);
    for node in top {
        sum += node.share;
        named |= node.name.contains("oplyst");
    }
    if named || (0.9999..1.0001).contains(&sum) { 0.0 } else { UNKNOWN }
}

/// What was published of one measure in one period.
type Slot = Vec<(Key, Figure)>;

impl Model {
    pub fn new(table: &Table, places: &Areas, published: &Published, rank: usize) -> Self {
        let seed = chance::seed(&table.id);
        let mut trees = Vec::new();
        let mut usual = Vec::new();
        let mut weights = Vec::new();
        for dimension in 0..table.dimensions.len() {
            let (tree, weight, unknown) = divided(table, places, dimension);
            let people = if dimension == 0 { places.labour_force() } else { weight.clone() };
            usual.push(Shares::new(&tree.divide(&people, 0.0), leaning_seed(seed, dimension)));
            trees.push(tree);
            weights.push((weight, unknown));
        }
        let mut model = Self { seed, trees, usual, measures: vec![] };
        let mut slots: Vec<BTreeMap<Period, Slot>> = vec![BTreeMap::new(); table.measures.len()];
        for (key, measure, period, figure) in published.standing_at(rank) {
            slots[measure].entry(period).or_default().push((key, figure));
        }
        model.measures = slots.iter().map(|_| MeasureModel::default()).collect();
        for (measure, slots) in slots.iter().enumerate() {
            model.begin(table, measure, slots, &weights);
        }
        model.size_published_periods(table, &slots);
        (0..table.measures.len()).for_each(|measure| model.carry_sizes(table, measure));
        for measure in 0..table.measures.len() {
            for period in periods_of(&relatives(table, measure), &slots) {
                let parts = model.published_parts(table, measure, period, &slots);
                (0..table.dimensions.len())
                    .for_each(|dimension| model.fit(measure, dimension, period, &parts));
                model.join(measure, period.last_month(), &parts);
            }
        }
        model
    }

    /// What is known of a measure by itself: its usual shares, and its level where it was published.
    fn begin(
        &mut self,
        table: &Table,
        measure: usize,
        slots: &BTreeMap<Period, Slot>,
        weights: &[(Vec<f64>, f64)],
    ) {
        self.measures[measure].adds_up = adding_up(table, measure);
        let level = self.level(table, measure, slots);
        let missing = |slot: &Slot| published_total(slot) == Some(None);
        let published = slots.iter().map(|(period, slot)| (*period, missing(slot))).collect();
        let shares = self.usual_shares(table, measure, weights);
        let model = &mut self.measures[measure];
        (model.level, model.published, model.shares) = (level, published, shares);
        model.dated = vec![vec![]; table.dimensions.len()];
    }

    /// The usual shares of all dimensions' members in one measure.
    fn usual_shares(&self, table: &Table, measure: usize, weights: &[(Vec<f64>, f64)]) -> Vec<Vec<Shares>> {
        let about = &table.measures[measure];
        let adds_up = &self.measures[measure].adds_up;
        let leaves = |dimension: usize| {
            let tree = &self.trees[dimension];
            let (weights, unknown) = &weights[dimension];
            let seed = chance::mix(self.seed, dimension as u64);
            if adds_up[dimension] {
                let own = chance::mix(seed, chance::seed(&about.id));
                let weight = |(code, weight): (usize, &f64)| {
                    weight * (1.0 + OF_ITS_OWN * (2.0 * chance::unit(chance::mix(own, code as u64)) - 1.0))
                };
                let weights: Vec<_> = weights.iter().enumerate().map(weight).collect();
                return tree.divide(&weights, *unknown);
            }
            let mut leaves: Vec<_> =
                (0..tree.leaves()).map(|leaf| self.usual[dimension].of((leaf, leaf + 1))).collect();
            for (leaf, share) in leaves.iter_mut().enumerate() {
                *share *= 0.82 + 0.36 * chance::unit(chance::mix(seed, leaf as u64));
            }
            let sum: f64 = leaves.iter().sum();
            leaves.iter_mut().for_each(|share| *share /= sum);
            leaves
        };
        let shares = |dimension| vec![Shares::new(&leaves(dimension), leaning_seed(self.seed, dimension))];
        (0..table.dimensions.len()).map(shares).collect()
    }

    fn level(&self, table: &Table, measure: usize, slots: &BTreeMap<Period, Slot>) -> Level {
        let about = &table.measures[measure];
        let ratio = |(period, slot): (&Period, &Slot)| {
            let size = published_total(slot)?? as f64 / about.unit();
            Some((period.last_month(), size / usual_size(table, self.seed, about, *period)))
        };
        Level::through(slots.iter().filter_map(ratio).collect())
    }

    /// Notes the country's size where something was published, so that no published part exceeds it.
    fn size_published_periods(&mut self, table: &Table, slots: &[BTreeMap<Period, Slot>]) {
        for (measure, of_measure) in slots.iter().enumerate() {
            for (period, slot) in of_measure {
                let size = match published_total(slot) {
                    Some(total) => total.map_or(0.0, |total| total as f64 / table.measures[measure].unit()),
                    None => self.size(table, measure, *period).max(self.largest_part(table, measure, slot)),
                };
                let known = &mut self.measures[measure].known;
                let size = known.get(period).map_or(size, |known| known.max(size));
                known.insert(*period, size);
                self.lift(table, measure, *period, size, slots);
            }
        }
    }

    /// Lets the course in time go through all sizes that are known, so that it does not fall back to lower ones beside them.
    fn carry_sizes(&mut self, table: &Table, measure: usize) {
        let about = &table.measures[measure];
        let model = &mut self.measures[measure];
        let known = model.known.iter().filter(|(_, size)| **size > 0.0);
        let ratio = |(period, size): (&Period, &f64)| {
            (period.last_month(), size / usual_size(table, self.seed, about, *period))
        };
        model.level = Level::through(known.map(ratio).collect());
    }

    /// The sum of the parts of the dimension whose published parts come to most.
    fn largest_part(&self, table: &Table, measure: usize, slot: &Slot) -> f64 {
        let about = &table.measures[measure];
        if !matches!(about.kind, Kind::Count | Kind::Amount) {
            return 0.0;
        }
        let sum = |dimension: usize| {
            let top = |key: &Key| key.depth() == 1 && self.trees[dimension].is_top(key.code(dimension));
            slot.iter().filter(|(key, _)| top(key)).filter_map(|(_, figure)| *figure).sum::<i64>()
        };
        (0..table.dimensions.len()).map(sum).max().unwrap_or(0) as f64
    }

    /// Lifts the measures that one must not exceed to at least its size.
    fn lift(
        &mut self,
        table: &Table,
        measure: usize,
        period: Period,
        size: f64,
        slots: &[BTreeMap<Period, Slot>],
    ) {
        for upper in limits(table, measure) {
            let is_published = slots[upper].get(&period).is_some_and(|slot| published_total(slot).is_some());
            if !is_published {
                let usual = self.size(table, upper, period).max(size);
                self.measures[upper].known.insert(period, usual);
            }
        }
    }

    /// The country's size in a period without revisions, in the measure's unit.
    fn size(&self, table: &Table, measure: usize, period: Period) -> f64 {
        let model = &self.measures[measure];
        let usual = || usual_size(table, self.seed, &table.measures[measure], period);
        model.known.get(&period).copied().unwrap_or_else(|| usual() * model.level.at(period.last_month()))
    }

    fn published_parts(
        &self,
        table: &Table,
        measure: usize,
        period: Period,
        slots: &[BTreeMap<Period, Slot>],
    ) -> Parts {
        let mut parts = Parts::default();
        for other in relatives(table, measure) {
            let Some(slot) = slots[other].get(&period) else { continue };
            let is_below = limits(table, other).any(|upper| upper == measure);
            for (key, figure) in slot {
                let Some(share) = self.share_of(table, other, period, *key, *figure) else { continue };
                if other == measure {
                    parts.own.push((*key, share));
                } else if !parts.own.iter().chain(&parts.lent).any(|(known, _)| known == key) {
                    parts.lent.push((*key, share));
                }
                if is_below {
                    let sizes = self.size(table, other, period) / self.size(table, measure, period);
                    parts.least.push((*key, share * sizes));
                }
            }
        }
        parts
    }

    /// What share a published figure makes up; for a rate, of the cases that it counts.
    fn share_of(
        &self,
        table: &Table,
        measure: usize,
        period: Period,
        key: Key,
        figure: Figure,
    ) -> Option<f64> {
        let about = &table.measures[measure];
        let total = self.size(table, measure, period);
        if key == Key::default() || total <= 0.0 {
            return None;
        }
        let figure = figure.map(|figure| figure as f64 / about.unit());
        match about.kind {
            Kind::Count | Kind::Amount => Some(figure.unwrap_or(HIDDEN) / total),
            Kind::Rate | Kind::Fraction | Kind::Average => Some(figure? / total * self.people(measure, key)),
            Kind::Survival => {
                let bend = (figure? / 100.0).ln() / (total / 100.0).ln();
                Some(bend * self.people(measure, key)).filter(|share| share.is_finite())
            }
            Kind::Difference | Kind::Rank => None,
        }
    }

    /// The usual share of the people in a cell, over the dimensions by which a rate has a denominator of its own.
    fn people(&self, measure: usize, key: Key) -> f64 {
        let adds_up = &self.measures[measure].adds_up;
        let named =
            (0..self.trees.len()).filter(|dimension| key.code(*dimension) != 0 && !adds_up[*dimension]);
        named.map(|dimension| self.usual[dimension].of(self.range(dimension, key))).product()
    }

    fn range(&self, dimension: usize, key: Key) -> (usize, usize) {
        self.trees[dimension].range(key.code(dimension))
    }

    /// Fits the shares of a dimension's members in one measure to what was published in one period.
    fn fit(&mut self, measure: usize, dimension: usize, period: Period, parts: &Parts) {
        let tree = &self.trees[dimension];
        let bounds = if self.measures[measure].adds_up[dimension] { None } else { Some((0.3, 3.0)) };
        let of = |parts: &[(Key, f64)]| {
            let mut known = Known::nothing(tree.members(), bounds);
            for (key, share) in parts.iter().filter(|(key, _)| key.shape() == 1 << dimension) {
                known.fixed[key.code(dimension)] = Some(*share);
            }
            known
        };
        let (mut own, lent) = (of(&parts.own), of(&parts.lent));
        for (key, share) in parts.least.iter().filter(|(key, _)| key.shape() == 1 << dimension) {
            let least = &mut own.least[key.code(dimension)];
            *least = share.max(*least);
        }
        let month = period.last_month();
        let is_dated = self.measures[measure].dated[dimension].last().is_some_and(|last| last.month >= month);
        if (own.is_empty() && lent.is_empty()) || is_dated {
            return;
        }
        let shares = &self.measures[measure].shares[dimension];
        let usual: Vec<_> = (0..tree.leaves()).map(|leaf| shares[0].of((leaf, leaf + 1))).collect();
        let unknown = usual[tree.leaves() - 1];
        let exact = tree.fit(&tree.fit(&usual, &lent), &own);
        let mut elsewhere = exact.clone();
        let sum: f64 = exact[..tree.leaves() - 1].iter().sum();
        if bounds.is_none() && sum > 0.0 {
            elsewhere.iter_mut().for_each(|share| *share *= (1.0 - unknown) / sum);
            elsewhere[tree.leaves() - 1] = unknown;
        }
        let seed = leaning_seed(self.seed, dimension);
        let model = &mut self.measures[measure];
        let shares = &mut model.shares[dimension];
        model.dated[dimension].push(Dated { month, exact: shares.len(), elsewhere: shares.len() + 1 });
        shares.extend([Shares::new(&exact, seed), Shares::new(&elsewhere, seed)]);
    }

    /// Divides areas and another dimension together where figures of both at once were published.
    fn join(&mut self, measure: usize, month: u32, parts: &Parts) {
        let of_both = |parts: &[(Key, f64)]| -> Vec<(Key, f64)> {
            parts.iter().filter(|(key, _)| key.depth() == 2 && key.code(0) != 0).copied().collect()
        };
        let (own, lent) = (of_both(&parts.own), of_both(&parts.lent));
        let (published, is_own) = if own.is_empty() { (lent, false) } else { (own, true) };
        let Some(shape) = published.first().map(|(key, _)| key.shape()) else {
            return;
        };
        let dimension = (shape & !1).trailing_zeros() as usize;
        let (areas, members) = (&self.trees[0], &self.trees[dimension]);
        let same = published.iter().filter(|(key, _)| key.shape() == shape);
        let known: Vec<Part> =
            same.map(|(key, share)| (self.range(0, *key), self.range(dimension, *key), *share)).collect();
        let model = &self.measures[measure];
        let standing = |dimension: usize| {
            let nearest = model.dated[dimension].last();
            let position =
                nearest.map_or(0, |last| if last.month == month { last.exact } else { last.elsewhere });
            &model.shares[dimension][position]
        };
        let certain = is_own && model.adds_up[0];
        let joint =
            Joint::fit(dimension, (areas, standing(0)), (members, standing(dimension)), &known, certain);
        self.measures[measure].joints.push((month, joint));
    }
}

fn leaning_seed(seed: u64, dimension: usize) -> u64 {
    chance::mix(seed, 1000 + dimension as u64)
}

/// The figure of the whole country among what was published.
fn published_total(slot: &Slot) -> Option<Figure> {
    slot.iter().find(|(key, _)| *key == Key::default()).map(|(_, figure)| *figure)
}

/// For each dimension whether its members add up to its total in a measure.
fn adding_up(table: &Table, measure: usize) -> Vec<bool> {
    let about = &table.measures[measure];
    let counts = matches!(about.kind, Kind::Count | Kind::Amount);
    table.dimensions.iter().map(|dimension| counts || about.adds_up_over.contains(&dimension.id)).collect()
}

/// The measures that one must not exceed, the nearest first.
fn limits(table: &Table, measure: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(table.measures[measure].at_most, |upper| table.measures[*upper].at_most)
}

/// A measure and those that it limits or is limited by, the nearest first.
fn relatives(table: &Table, measure: usize) -> Vec<usize> {
    let mut found = vec![measure];
    let mut next = 0;
    while next < found.len() {
        let at = found[next];
        let linked = |other: &usize| {
            table.measures[*other].at_most == Some(at) || table.measures[at].at_most == Some(*other)
        };
        let new: Vec<_> =
            (0..table.measures.len()).filter(linked).filter(|other| !found.contains(other)).collect();
        found.extend(new);
        next += 1;
    }
    found
}

/// The periods in which anything was published of some measures, in order of time.
fn periods_of(measures: &[usize], slots: &[BTreeMap<Period, Slot>]) -> Vec<Period> {
    let mut periods: Vec<_> = measures.iter().flat_map(|measure| slots[*measure].keys().copied()).collect();
    periods.sort_unstable_by_key(|period| (period.last_month(), *period));
    periods.dedup();
    periods
}
