//! What a table's model says of a period and of a cell in it: how a measure stands between what is known, with what chance adds, and
//! which share of the whole the cell has.

use super::{MeasureModel, Model};
use crate::simulator::chance;
use crate::simulator::periods::Period;
use crate::simulator::published::Key;
use crate::simulator::shares::{LEANINGS, Shares};
use crate::simulator::tables::Table;

/// How far the shares of members move from period to period.
const NOISE: f64 = 0.015;
/// How much members of two dimensions attract or avoid each other.
const TIES: f64 = 0.04;
/// How far a revision moves the country's made-up figures at most.
const REVISION: f64 = 0.006;
/// How many months after a published figure the shares move freely again.
const QUIET_MONTHS: f64 = 6.0;
/// How many months what was published of areas and another dimension at once is remembered.
const JOINT_MONTHS: f64 = 24.0;

/// The shares of a dimension's members in one period: between two known states, with what the period adds by chance.
#[derive(Clone, Debug)]
struct Mix {
    first: usize,
    second: usize,
    weight: f64,
    noise: [f64; LEANINGS],
}

/// A measure in a period.
#[derive(Clone, Debug)]
pub struct MeasureInPeriod {
    /// Whether anything was published of it.
    pub is_published: bool,
    /// Whether the country's figure was published as missing.
    pub is_missing: bool,
    /// The country's figure in the measure's unit, not rounded; 0 where it was published as missing.
    pub total: f64,
    mixes: Vec<Mix>,
    /// What was published of areas and another dimension at once, and how much it still counts.
    joint: Option<(usize, f64)>,
}

impl Model {
    /// How a measure stands in a period; `revision` changes whenever its figures were revised.
    pub fn standing(&self, table: &Table, measure: usize, period: Period, revision: u64) -> MeasureInPeriod {
        let about = &table.measures[measure];
        let model = &self.measures[measure];
        let month = period.last_month();
        let moved = chance::mix(chance::mix(self.seed, u64::from(period.code())), revision);
        let revised =
            if revision == 0 || about.is_whole() { 1.0 } else { 1.0 - REVISION * chance::unit(moved) };
        let known = model.known.contains_key(&period);
        let size = self.size(table, measure, period) * if known { 1.0 } else { revised };
        let mixes = (0..self.trees.len()).map(|dimension| model.mix(dimension, month, moved)).collect();
        let published = model.published.get(&period);
        MeasureInPeriod {
            is_published: published.is_some(),
            is_missing: published == Some(&true),
            total: size,
            mixes,
            joint: model.nearest_joint(month),
        }
    }

    /// The share of a cell in the whole.
    pub fn share(&self, measure: usize, standing: &MeasureInPeriod, key: Key) -> f64 {
        let joint = standing.joint.map(|(index, weight)| (&self.measures[measure].joints[index].1, weight));
        let mut plain = Product::default();
        let mut beside = Product::default();
        let mut joined = false;
        for dimension in (0..self.trees.len()).filter(|dimension| key.code(*dimension) != 0) {
            let part = self.part(measure, standing, dimension, self.range(dimension, key));
            plain.take(part);
            match joint {
                Some((joint, _)) if dimension == 0 || dimension == joint.dimension => joined = true,
                _ => beside.take(part),
            }
        }
        match joint.filter(|_| joined) {
            Some((joint, weight)) => {
                let both = joint.of(self.range(0, key), self.range(joint.dimension, key));
                weight * both * beside.share() + (1.0 - weight) * plain.share()
            }
            None => plain.share(),
        }
    }

    /// The share of a cell among those who share everything with it but the member of one dimension, summed over the
    /// leaves up to the cell's first and up to its last. So figures can be rounded without losing anything.
    pub fn bounds(
        &self,
        measure: usize,
        standing: &MeasureInPeriod,
        dimension: usize,
        key: Key,
    ) -> (f64, f64) {
        let (from, to) = self.range(dimension, key);
        let joint = standing.joint.map(|(index, weight)| (&self.measures[measure].joints[index].1, weight));
        let up_to = |leaf: usize| {
            let plain = self.part(measure, standing, dimension, (0, leaf)).0;
            let all = |dimension: usize| (0, self.trees[dimension].leaves());
            match joint {
                Some((joint, weight)) if dimension == 0 => {
                    weight * joint.of((0, leaf), all(joint.dimension)) + (1.0 - weight) * plain
                }
                Some((joint, weight)) if dimension == joint.dimension => {
                    weight * joint.of(all(0), (0, leaf)) + (1.0 - weight) * plain
                }
                _ => plain,
            }
        };
        (up_to(from), up_to(to))
    }

    /// The cell at the totals of the dimensions over whose members a measure adds up.
    pub fn whole(&self, table: &Table, measure: usize, key: Key) -> Key {
        let adds_up = &self.measures[measure].adds_up;
        (1..table.dimensions.len())
            .filter(|dimension| adds_up[*dimension])
            .fold(key, |key, dimension| key.with(dimension, 0))
    }

    /// How much more of the cases a cell has than of the people.
    pub fn lean(&self, measure: usize, standing: &MeasureInPeriod, key: Key) -> f64 {
        let people = self.people(measure, key);
        if people > 0.0 { self.share(measure, standing, key) / people } else { 0.0 }
    }

    /// Share and leaning of a range of leaves in a period.
    fn part(
        &self,
        measure: usize,
        standing: &MeasureInPeriod,
        dimension: usize,
        (from, to): (usize, usize),
    ) -> (f64, f64) {
        let mix = &standing.mixes[dimension];
        let shares = &self.measures[measure].shares[dimension];
        let of = |shares: &Shares| {
            let [share, tie, drift] = shares.between(from, to);
            (share + mix.noise[0] * tie + mix.noise[1] * drift, tie)
        };
        let first = of(&shares[mix.first]);
        if mix.weight == 0.0 {
            return first;
        }
        let second = of(&shares[mix.second]);
        let between = |a: f64, b: f64| a + (b - a) * mix.weight;
        (between(first.0, second.0), between(first.1, second.1))
    }
}

impl MeasureModel {
    /// What was published of two dimensions at once nearest to a month, and how much it still counts: all in its own month,
    /// nothing from where the shares of either dimension are known anew.
    fn nearest_joint(&self, month: u32) -> Option<(usize, f64)> {
        let nearest = self.joints.iter().enumerate().min_by_key(|(_, (known, _))| known.abs_diff(month));
        let (index, (known, joint)) = nearest?;
        let dated = self.dated[0].iter().chain(&self.dated[joint.dimension]).map(|dated| dated.month);
        let beyond = |other: &u32| if month > *known { other > known } else { other < known };
        let span =
            dated.filter(beyond).map(|other| other.abs_diff(*known)).min().map_or(JOINT_MONTHS, f64::from);
        let weight = 1.0 - f64::from(known.abs_diff(month)) / span.min(JOINT_MONTHS);
        (weight > 0.0).then_some((index, weight))
    }

    fn mix(&self, dimension: usize, month: u32, moved: u64) -> Mix {
        let dated = &self.dated[dimension];
        let after = dated.partition_point(|dated| dated.month < month);
        let before = after.checked_sub(1).map(|index| dated[index]);
        let (first, second) = (before.or(dated.first().copied()), dated.get(after).copied().or(before));
        let (Some(first), Some(second)) = (first, second) else {
            return Mix { first: 0, second: 0, weight: 0.0, noise: noise(dimension, moved, 1.0) };
        };
        if second.month == month {
            return Mix { first: second.exact, second: second.exact, weight: 0.0, noise: [0.0; LEANINGS] };
        }
        let distance = first.month.abs_diff(month).min(second.month.abs_diff(month));
        let weight = match second.month - first.month {
            0 => 0.0,
            gap => f64::from(month - first.month) / f64::from(gap),
        };
        let free = (f64::from(distance) / QUIET_MONTHS).min(1.0);
        Mix { first: first.elsewhere, second: second.elsewhere, weight, noise: noise(dimension, moved, free) }
    }
}

fn noise(dimension: usize, moved: u64, free: f64) -> [f64; LEANINGS] {
    let draw = |which: usize| chance::unit(chance::mix(chance::mix(moved, dimension as u64), which as u64));
    std::array::from_fn(|which| NOISE * free * (2.0 * draw(which) - 1.0))
}

/// A product of shares in which members of two dimensions attract or avoid each other.
#[derive(Debug)]
struct Product {
    share: f64,
    leanings: f64,
    squares: f64,
}

impl Default for Product {
    fn default() -> Self {
        Self { share: 1.0, leanings: 0.0, squares: 0.0 }
    }
}

impl Product {
    fn take(&mut self, (share, tie): (f64, f64)) {
        let leaning = if share > 0.0 { tie / share } else { 0.0 };
        self.share *= share.max(0.0);
        self.leanings += leaning;
        self.squares += leaning * leaning;
    }

    fn share(&self) -> f64 {
        // The sum over all pairs of dimensions.
        let pairs = (self.leanings * self.leanings - self.squares) / 2.0;
        self.share * (1.0 + TIES * pairs).max(0.0)
    }
}
