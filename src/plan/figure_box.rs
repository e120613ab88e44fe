//! Boxes of figures, and what is left of them where others are taken away.
//!
//! Every figure of a table has a position on each axis: its period, its member of each dimension, its measure. A box lists
//! positions for each axis and holds all figures at their combinations. Pure arithmetic: the callers know what the positions mean.

use std::borrow::Borrow;
use std::iter::repeat_n;
use std::ops::Range;

/// A set of positions on one axis, as bits from the first to the last: sets that are far apart are told apart without a look at their bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Positions {
    /// The word that the first one is in; zero if there is none.
    first: usize,
    /// The words from there on. Neither the first nor the last of them is zero.
    words: Vec<u64>,
}

impl Positions {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a position is among them.
    #[must_use]
    pub fn contains(&self, position: usize) -> bool {
        self.word(position / 64) & (1 << (position % 64)) != 0
    }

    /// The positions, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let of_word = |(at, &word): (usize, &u64)| {
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| at * 64 + bit)
        };
        (self.first..).zip(&self.words).flat_map(of_word)
    }

    fn meets(&self, other: &Self) -> bool {
        self.range_in_both(other).any(|at| self.word(at) & other.word(at) != 0)
    }

    fn covers(&self, other: &Self) -> bool {
        other.range().all(|at| other.word(at) & !self.word(at) == 0)
    }

    fn and(&self, other: &Self) -> Self {
        Self::of_words(self.range_in_both(other), |at| self.word(at) & other.word(at))
    }

    fn or(&self, other: &Self) -> Self {
        let range = match (self.is_empty(), other.is_empty()) {
            (true, _) => other.range(),
            (_, true) => self.range(),
            _ => self.first.min(other.first)..self.range().end.max(other.range().end),
        };
        Self::of_words(range, |at| self.word(at) | other.word(at))
    }

    fn without(&self, other: &Self) -> Self {
        Self::of_words(self.range(), |at| self.word(at) & !other.word(at))
    }

    /// The word at a place on the axis.
    fn word(&self, at: usize) -> u64 {
        at.checked_sub(self.first).and_then(|at| self.words.get(at)).copied().unwrap_or_default()
    }

    fn range(&self) -> Range<usize> {
        self.first..self.first + self.words.len()
    }

    fn range_in_both(&self, other: &Self) -> Range<usize> {
        self.first.max(other.first)..self.range().end.min(other.range().end)
    }

    fn of_words(range: Range<usize>, word: impl Fn(usize) -> u64) -> Self {
        let is_used = |at: &usize| word(*at) != 0;
        let Some(first) = range.clone().find(is_used) else { return Self::default() };
        let last = (first..range.end).rfind(is_used).unwrap_or(first);
        Self { first, words: (first..=last).map(word).collect() }
    }
}

impl FromIterator<usize> for Positions {
    fn from_iter<I: IntoIterator<Item = usize>>(positions: I) -> Self {
        let mut set = Self::default();
        for position in positions {
            let at = position / 64;
            if set.is_empty() {
                set.first = at;
            }
            if at < set.first {
                set.words.splice(0..0, repeat_n(0, set.first - at));
                set.first = at;
            }
            if set.range().end <= at {
                set.words.resize(at - set.first + 1, 0);
            }
            set.words[at - set.first] |= 1 << (position % 64);
        }
        set
    }
}

/// All figures with a listed position on every axis. Boxes of one table have the same axes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FigureBox {
    axes: Vec<Positions>,
}

impl FigureBox {
    /// The box of these positions, axis by axis.
    #[must_use]
    pub fn new(axes: Vec<Positions>) -> Self {
        Self { axes }
    }

    /// The positions on each axis.
    #[must_use]
    pub fn axes(&self) -> &[Positions] {
        &self.axes
    }

    /// The same box in a table that has one axis more, on which it stands at one position.
    pub fn add_axis(&mut self, position: usize) {
        self.axes.push([position].into_iter().collect());
    }

    /// The same box with other positions on one axis.
    #[must_use]
    pub fn with(&self, axis: usize, positions: Positions) -> Self {
        let mut changed = self.clone();
        if let Some(changed) = changed.axes.get_mut(axis) {
            *changed = positions;
        }
        changed
    }

    /// Whether no figure is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.axes.iter().any(Positions::is_empty)
    }

    /// How many figures are in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.axes.iter().fold(1, |count: u64, positions| count.saturating_mul(positions.len() as u64))
    }

    /// Whether some figure is in both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.axes.iter().zip(&other.axes).all(|(a, b)| a.meets(b))
    }

    /// Whether every figure of the other box is in this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.is_empty() || self.axes.iter().zip(&other.axes).all(|(a, b)| a.covers(b))
    }

    /// The smallest box around both.
    #[must_use]
    pub fn around(&self, other: &Self) -> Self {
        Self { axes: self.axes.iter().zip(&other.axes).map(|(a, b)| a.or(b)).collect() }
    }

    /// What is left without the figures of another box, in boxes that have none in common: what lies outside on one axis,
    /// then of what is inside there what lies outside on the next. The axes are gone through in that order.
    fn minus(&self, other: &Self, order: &[usize]) -> Vec<Self> {
        if !self.meets(other) {
            return vec![self.clone()];
        }
        let (mut left, mut inside) = (Vec::new(), self.clone());
        for &axis in order {
            let outside = inside.axes[axis].without(&other.axes[axis]);
            if !outside.is_empty() {
                left.push(inside.with(axis, outside));
                inside.axes[axis] = inside.axes[axis].and(&other.axes[axis]);
            }
        }
        left
    }

    /// Of positions on an axis those at which the box would have no figure in common with any of the others.
    #[must_use]
    pub fn free_positions<'a>(
        &self,
        axis: usize,
        positions: &Positions,
        others: impl Iterator<Item = &'a Self>,
    ) -> Positions {
        others
            .filter(|other| self.meets_beside(other, axis))
            .fold(positions.clone(), |free, other| free.without(&other.axes[axis]))
    }

    /// The box with more positions on each axis, one axis after the other: those at which something of the missing boxes is, and
    /// nothing that is held.
    #[must_use]
    pub fn grown(&self, order: &[usize], missing: &[Self], held: &[Self]) -> Self {
        let mut grown = self.clone();
        for &axis in order {
            let useful = missing.iter().filter(|one| grown.meets_beside(one, axis));
            let useful = useful.fold(Positions::default(), |useful, one| useful.or(&one.axes[axis]));
            let free = grown.free_positions(axis, &useful, held.iter());
            grown.axes[axis] = grown.axes[axis].or(&free);
        }
        grown
    }

    /// Whether the boxes meet on all axes but one.
    fn meets_beside(&self, other: &Self, axis: usize) -> bool {
        let mut axes = self.axes.iter().zip(&other.axes).enumerate();
        axes.all(|(at, (a, b))| at == axis || a.meets(b))
    }

    /// Both as one box, where that has no figure that neither has and they have none in common.
    fn joined(&self, other: &Self) -> Option<Self> {
        let mut differing = (0..self.axes.len()).filter(|&axis| self.axes[axis] != other.axes[axis]);
        let axis = differing.next()?;
        let fits = differing.next().is_none() && !self.axes[axis].meets(&other.axes[axis]);
        fits.then(|| self.with(axis, self.axes[axis].or(&other.axes[axis])))
    }
}

/// The indexes of those boxes that hold a wanted figure that no box before them holds; and what none of the boxes holds.
#[must_use]
pub fn first_holding(
    wanted: &FigureBox,
    boxes: impl IntoIterator<Item = impl Borrow<FigureBox>>,
) -> (Vec<usize>, Vec<FigureBox>) {
    let (mut used, mut left) = (Vec::new(), missing(wanted, []));
    for (index, holding) in boxes.into_iter().enumerate() {
        if left.is_empty() {
            break;
        }
        let holding = holding.borrow();
        if left.iter().any(|left| left.meets(holding)) {
            used.push(index);
            left = left.iter().flat_map(|left| missing(left, [holding])).collect();
        }
    }
    (used, left)
}

/// The figures of a box that none of the others holds, in as few boxes as are easily found; they have none in common.
#[must_use]
pub fn missing<'a>(wanted: &FigureBox, held: impl IntoIterator<Item = &'a FigureBox>) -> Vec<FigureBox> {
    let held: Vec<&FigureBox> = held.into_iter().filter(|held| held.meets(wanted)).collect();
    let mut order: Vec<usize> = (0..wanted.axes.len()).collect();
    let first = without(wanted, &held, &order);
    if first.len() < 2 {
        return first;
    }
    order.reverse();
    let second = without(wanted, &held, &order);
    if second.len() < first.len() { second } else { first }
}

fn without(wanted: &FigureBox, held: &[&FigureBox], order: &[usize]) -> Vec<FigureBox> {
    let mut left = if wanted.is_empty() { Vec::new() } else { vec![wanted.clone()] };
    for held in held {
        left = left.iter().flat_map(|left| left.minus(held, order)).collect();
        left = joined(left);
    }
    left
}

/// The same figures in fewer boxes, where two differ on one axis alone.
fn joined(mut boxes: Vec<FigureBox>) -> Vec<FigureBox> {
    let mut at = 0;
    while at < boxes.len() {
        let found = (at + 1..boxes.len()).find_map(|other| Some((other, boxes[at].joined(&boxes[other])?)));
        match found {
            Some((other, both)) => {
                boxes.swap_remove(other);
                boxes[at] = both;
                at = 0;
            }
            None => at += 1,
        }
    }
    boxes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Boxes on three axes of a few positions; one crosses the border of a word.
    fn some_box() -> impl Strategy<Value = FigureBox> {
        let axis = |first: usize| {
            prop::collection::btree_set(0..6_usize, 1..5)
                .prop_map(move |positions| positions.into_iter().map(|position| position + first).collect())
        };
        (axis(0), axis(61), axis(0)).prop_map(|(a, b, c)| FigureBox::new(vec![a, b, c]))
    }

    fn figures(whole: &FigureBox) -> BTreeSet<Vec<usize>> {
        let [a, b, c] = whole.axes() else { panic!("three axes") };
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
        pairs.flat_map(|(a, b)| c.iter().map(move |c| vec![a, b, c])).collect()
    }

    /// Positions in any order, some of them far apart.
    fn some_positions() -> impl Strategy<Value = Vec<usize>> {
        let near = |first: usize| prop::collection::vec(first..first + 130, 0..4);
        (near(0), near(300), near(120)).prop_map(|(a, b, c)| [b, a, c].concat())
    }

    proptest! {
        #[test]
        fn positions_are_a_set_whatever_their_order_and_however_far_apart(a in some_positions(), b in some_positions()) {
            let set = |list: &[usize]| list.iter().copied().collect::<BTreeSet<usize>>();
            let of = |set: BTreeSet<usize>| set.into_iter().collect::<Positions>();
            let (one, other) = (a.iter().copied().collect::<Positions>(), b.iter().copied().collect::<Positions>());
            let (a, b) = (set(&a), set(&b));
            prop_assert_eq!(&one, &of(a.clone()));
            prop_assert_eq!(one.iter().collect::<BTreeSet<_>>(), a.clone());
            prop_assert_eq!((one.len(), one.is_empty()), (a.len(), a.is_empty()));
            prop_assert!((0..450).all(|at| one.contains(at) == a.contains(&at)));
            prop_assert_eq!(one.meets(&other), !a.is_disjoint(&b));
            prop_assert_eq!(one.covers(&other), a.is_superset(&b));
            prop_assert_eq!(one.and(&other), of(&a & &b));
            prop_assert_eq!(one.or(&other), of(&a | &b));
            prop_assert_eq!(one.without(&other), of(&a - &b));
        }

        #[test]
        fn what_is_missing_is_what_no_box_holds_and_every_figure_of_it_once(
            wanted in some_box(), held in prop::collection::vec(some_box(), 0..8)
        ) {
            let left = missing(&wanted, held.iter());
            let mut expected = figures(&wanted);
            for held in &held {
                expected = expected.difference(&figures(held)).cloned().collect();
            }
            let count: u64 = left.iter().map(FigureBox::count).sum();
            let found: BTreeSet<Vec<usize>> = left.iter().flat_map(figures).collect();
            prop_assert_eq!(count, found.len() as u64, "none twice");
            prop_assert_eq!(found, expected);
            prop_assert!(left.iter().all(|left| !left.is_empty()));
        }

        #[test]
        fn boxes_meet_cover_and_surround_as_their_figures_do(a in some_box(), b in some_box()) {
            let (of_a, of_b) = (figures(&a), figures(&b));
            prop_assert_eq!(a.meets(&b), !of_a.is_disjoint(&of_b));
            prop_assert_eq!(a.covers(&b), of_a.is_superset(&of_b));
            prop_assert_eq!(a.count(), of_a.len() as u64);
            let around = a.around(&b);
            prop_assert!(around.covers(&a) && around.covers(&b));
        }
    }

    #[test]
    fn of_several_boxes_the_first_that_hold_something_new_are_used() {
        let of = |periods: std::ops::Range<usize>, members: std::ops::Range<usize>| {
            FigureBox::new(vec![periods.collect(), members.collect()])
        };
        let wanted = of(0..4, 0..10);
        let boxes = [of(5..9, 0..10), of(0..2, 0..10), of(0..2, 3..7), of(1..4, 0..9), of(3..4, 0..10)];
        assert_eq!(first_holding(&wanted, &boxes[..3]), (vec![1], vec![of(2..4, 0..10)]));
        assert_eq!(first_holding(&wanted, &boxes[..4]), (vec![1, 3], vec![of(2..4, 9..10)]));
        let whole = [&boxes[..], &[of(2..3, 9..10), of(0..9, 0..10)]].concat();
        assert_eq!(
            first_holding(&wanted, &whole),
            (vec![1, 3, 4, 5], vec![]),
            "none is used once all is held"
        );
        assert_eq!(first_holding(&of(0..0, 0..10), &boxes), (vec![], vec![]));
    }

    #[test]
    fn a_box_in_the_corner_of_another_leaves_two_and_a_slice_leaves_one() {
        let of = |axes: [std::ops::Range<usize>; 3]| FigureBox::new(axes.map(|axis| axis.collect()).to_vec());
        let wanted = of([0..10, 0..10, 0..1]);
        assert_eq!(missing(&wanted, [of([0..5, 0..5, 0..1])].iter()).len(), 2);
        assert_eq!(missing(&wanted, [of([0..5, 0..10, 0..1])].iter()), [of([5..10, 0..10, 0..1])]);
        let slices: Vec<_> = (0..10).map(|at| of([at..at + 1, 0..10, 0..3])).collect();
        assert_eq!(missing(&wanted, slices.iter()), []);
        assert_eq!(missing(&wanted, slices.iter().step_by(2)).len(), 1, "every second period is one box");
    }
}
