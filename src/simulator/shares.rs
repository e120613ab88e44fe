//! How a whole is divided among the members of one dimension.
//!
//! Every member is a range of the leaves of its tree, so the members of a group add up to it by construction. Knows no
//! table, no measure and no period.

use super::chance;

/// How many random leanings a leaf has: one for its ties to other dimensions, one for its own course in time.
pub const LEANINGS: usize = 2;

/// The tree of a dimension with its leaves in a row. Behind the last leaf stands one more: those of whom nothing is
/// known, who belong to no member.
#[derive(Debug)]
pub struct Tree {
    /// For each member by its code the leaves that it holds: from, to.
    ranges: Vec<(usize, usize)>,
    children: Vec<Vec<usize>>,
    leaves: usize,
}

impl Tree {
    /// The tree in which each code lies below the one that `parents` names; the root is code 0. A code without a parent
    /// is no member of its own.
    pub fn new(parents: &[Option<usize>]) -> Self {
        let mut children = vec![Vec::new(); parents.len().max(1)];
        for (code, parent) in parents.iter().enumerate().skip(1) {
            if let Some(parent) = parent {
                children[*parent].push(code);
            }
        }
        let mut tree = Self { ranges: vec![(0, 0); children.len()], children, leaves: 0 };
        tree.number(0);
        tree.leaves += 1;
        tree.ranges[0].1 = tree.leaves;
        tree
    }

    /// Numbers the leaves below a member.
    fn number(&mut self, code: usize) {
        let start = self.leaves;
        let children = self.children[code].clone();
        if children.is_empty() {
            self.leaves += 1;
        }
        children.iter().for_each(|child| self.number(*child));
        self.ranges[code] = (start, self.leaves);
    }

    pub fn range(&self, code: usize) -> (usize, usize) {
        self.ranges[code]
    }

    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// How many members there are, with the root.
    pub fn members(&self) -> usize {
        self.ranges.len()
    }

    /// Whether a member lies directly below the root.
    pub fn is_top(&self, code: usize) -> bool {
        self.children[0].contains(&code)
    }

    /// The part of the whole that each leaf makes up: every group is divided by the weights of its members, and
    /// `unknown` belongs to none.
    pub fn divide(&self, weights: &[f64], unknown: f64) -> Vec<f64> {
        let mut leaves = vec![0.0; self.leaves];
        leaves[self.leaves - 1] = unknown;
        self.divide_below(0, 1.0 - unknown, weights, &mut leaves);
        leaves
    }

    fn divide_below(&self, code: usize, whole: f64, weights: &[f64], leaves: &mut [f64]) {
        let children = &self.children[code];
        let sum: f64 = children.iter().map(|child| weights[*child]).sum();
        if children.is_empty() {
            leaves[self.ranges[code].0] = whole;
        }
        for child in children {
            let part = if sum > 0.0 { weights[*child] / sum } else { 1.0 / children.len() as f64 };
            self.divide_below(*child, whole * part, weights, leaves);
        }
    }

    /// Divides the whole anew by what is known; all others keep their proportions as far as they can.
    pub fn fit(&self, usual: &[f64], known: &Known) -> Vec<f64> {
        let unknown = usual[self.leaves - 1];
        let fixed = self.determined(known);
        let estimates = vec![0.0; self.ranges.len()];
        let mut fit = Fit { tree: self, usual, known, fixed, estimates, leaves: vec![0.0; self.leaves] };
        let (taken, replaced) = fit.taken(0);
        let (left, usually_left) = (1.0 - unknown - taken, 1.0 - unknown - replaced);
        let scale = if usually_left > 1e-9 { (left / usually_left).clamp(0.02, 20.0) } else { 1.0 };
        fit.estimate(0, scale);
        fit.assign(0, 1.0 - unknown);
        let sum: f64 = fit.leaves.iter().sum();
        fit.leaves[self.leaves - 1] = (1.0 - sum).max(0.0);
        fit.leaves
    }

    /// What is fixed, and with it every member whose own members are all fixed.
    fn determined(&self, known: &Known) -> Vec<Option<f64>> {
        let mut fixed = known.fixed.clone();
        self.determine(0, &mut fixed);
        fixed
    }

    fn determine(&self, code: usize, fixed: &mut [Option<f64>]) {
        let children = &self.children[code];
        children.iter().for_each(|child| self.determine(*child, fixed));
        if code != 0 && fixed[code].is_none() && !children.is_empty() {
            fixed[code] = children.iter().map(|child| fixed[*child]).sum();
        }
    }
}

/// What is known of a dimension's members, by their codes.
#[derive(Clone, Debug)]
pub struct Known {
    /// The parts of the whole that are certain.
    pub fixed: Vec<Option<f64>>,
    /// What members make up at least.
    pub least: Vec<f64>,
    /// How far others may be stretched to make up for what is fixed, from and to; none: as far as it takes.
    pub bounds: Option<(f64, f64)>,
}

impl Known {
    pub fn nothing(members: usize, bounds: Option<(f64, f64)>) -> Self {
        Self { fixed: vec![None; members], least: vec![0.0; members], bounds }
    }

    pub fn is_empty(&self) -> bool {
        self.fixed.iter().all(Option::is_none)
    }
}

/// The state of [`Tree::fit`].
struct Fit<'a> {
    tree: &'a Tree,
    usual: &'a [f64],
    known: &'a Known,
    fixed: Vec<Option<f64>>,
    estimates: Vec<f64>,
    leaves: Vec<f64>,
}

impl Fit<'_> {
    /// What the topmost fixed members below a member make up, and what they usually do.
    fn taken(&self, code: usize) -> (f64, f64) {
        let sum = |child: &usize| match self.fixed[*child] {
            Some(part) => (part, self.usual_part(*child)),
            None => self.taken(*child),
        };
        self.tree.children[code].iter().map(sum).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
    }

    fn usual_part(&self, code: usize) -> f64 {
        let (from, to) = self.tree.ranges[code];
        self.usual[from..to].iter().sum()
    }

    /// What a member makes up, seen from below: fixed, else the sum of its members.
    fn estimate(&mut self, code: usize, scale: f64) -> f64 {
        let tree = self.tree;
        let children = &tree.children[code];
        let below: f64 = children.iter().map(|child| self.estimate(*child, scale)).sum();
        let own = if children.is_empty() { self.usual[tree.ranges[code].0] * scale } else { below };
        self.estimates[code] = self.fixed[code].unwrap_or(own);
        self.estimates[code]
    }

    /// Divides what a member makes up among its members.
    fn assign(&mut self, code: usize, whole: f64) {
        let tree = self.tree;
        let children = &tree.children[code];
        if children.is_empty() {
            self.leaves[tree.ranges[code].0] = whole;
            return;
        }
        let parts = self.parts(children, whole);
        for (child, part) in children.iter().zip(parts) {
            self.assign(*child, part);
        }
    }

    fn parts(&self, children: &[usize], whole: f64) -> Vec<f64> {
        let fixed: f64 = children.iter().filter_map(|child| self.fixed[*child]).sum();
        // Published parts can overlap: then they are made smaller where they divide something else.
        let shrink = if fixed > whole && self.known.bounds.is_none() { whole / fixed } else { 1.0 };
        let usual: f64 = children.iter().map(|child| self.usual_part(*child)).sum();
        let expected = |child: usize| match self.known.bounds {
            Some(_) => self.usual_part(child) * whole / usual,
            None => self.estimates[child],
        };
        // Those who would come to less than they must are given that, and the others what is left.
        let mut least: Vec<usize> = Vec::new();
        loop {
            let held: f64 = least.iter().map(|child| self.known.least[*child]).sum();
            let free =
                || children.iter().filter(|child| self.fixed[**child].is_none() && !least.contains(child));
            let sum: f64 = free().map(|child| expected(*child)).sum();
            let stretch = if sum > 0.0 { (whole - fixed - held).max(0.0) / sum } else { 1.0 };
            let stretch = self.known.bounds.map_or(stretch, |(from, to)| stretch.clamp(from, to));
            let short: Vec<_> = free()
                .filter(|child| expected(**child) * stretch < self.known.least[**child])
                .copied()
                .collect();
            if short.is_empty() {
                let part = |child: &usize| match self.fixed[*child] {
                    Some(part) => part * shrink,
                    None if least.contains(child) => self.known.least[*child],
                    None => expected(*child) * stretch,
                };
                return children.iter().map(part).collect();
            }
            least.extend(short);
        }
    }
}

/// The shares of the leaves, added up from the first, and with them what each leaf leans.
///
/// Leanings weighted by shares come to nothing over all leaves, so that they move figures between members and never
/// change the whole.
#[derive(Debug)]
pub struct Shares {
    sums: Vec<[f64; 1 + LEANINGS]>,
}

impl Shares {
    pub fn new(leaves: &[f64], seed: u64) -> Self {
        let whole: f64 = leaves.iter().sum();
        let leaning = |leaf: usize, which: usize| {
            2.0 * chance::unit(chance::mix(chance::mix(seed, leaf as u64), which as u64)) - 1.0
        };
        let mut means = [0.0; LEANINGS];
        for (leaf, share) in leaves.iter().enumerate() {
            for (which, mean) in means.iter_mut().enumerate() {
                *mean += share * leaning(leaf, which) / whole.max(f64::MIN_POSITIVE);
            }
        }
        let mut sums = vec![[0.0; 1 + LEANINGS]];
        let mut sum = [0.0; 1 + LEANINGS];
        for (leaf, share) in leaves.iter().enumerate() {
            sum[0] += share;
            for which in 0..LEANINGS {
                sum[1 + which] += share * (leaning(leaf, which) - means[which]);
            }
            sums.push(sum);
        }
        Self { sums }
    }

    /// Share and leanings of the leaves from one up to, but not, another.
    pub fn between(&self, from: usize, to: usize) -> [f64; 1 + LEANINGS] {
        let (from, to) = (&self.sums[from], &self.sums[to]);
        [to[0] - from[0], to[1] - from[1], to[2] - from[2]]
    }

    /// The share of a range of leaves.
    pub fn of(&self, (from, to): (usize, usize)) -> f64 {
        self.sums[to][0] - self.sums[from][0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with two groups: one of two members, one of one.
    fn tree() -> Tree {
        Tree::new(&[None, Some(0), Some(0), Some(1), Some(1), Some(2)])
    }

    fn of(tree: &Tree, leaves: &[f64], code: usize) -> f64 {
        let (from, to) = tree.range(code);
        leaves[from..to].iter().sum()
    }

    fn known(fixed: [Option<f64>; 6]) -> Known {
        Known { fixed: fixed.to_vec(), ..Known::nothing(6, None) }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn members_are_ranges_of_leaves_and_the_unknown_come_last() {
        let tree = tree();
        assert_eq!(tree.leaves(), 4);
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(|code| tree.range(code)),
            [(0, 4), (0, 2), (2, 3), (0, 1), (1, 2), (2, 3)]
        );
        let leaves = tree.divide(&[0.0, 3.0, 1.0, 1.0, 1.0, 9.0], 0.2);
        assert!(near(of(&tree, &leaves, 1), 0.6) && near(of(&tree, &leaves, 5), 0.2) && near(leaves[3], 0.2));
    }

    #[test]
    fn what_is_fixed_stays_and_the_rest_is_divided_as_usual() {
        let tree = tree();
        let usual = tree.divide(&[0.0, 1.0, 1.0, 1.0, 3.0, 1.0], 0.0);
        let leaves = tree.fit(&usual, &known([None, None, None, Some(0.4), None, None]));
        assert!(near(of(&tree, &leaves, 3), 0.4) && near(leaves.iter().sum(), 1.0));
        assert!(near(of(&tree, &leaves, 4) / of(&tree, &leaves, 5), 0.375 / 0.5));
    }

    #[test]
    fn parts_that_come_to_more_than_the_whole_are_made_smaller() {
        let tree = tree();
        let usual = tree.divide(&[0.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.0);
        let leaves = tree.fit(&usual, &known([None, Some(0.9), Some(0.3), None, None, None]));
        assert!(near(of(&tree, &leaves, 1), 0.75) && near(of(&tree, &leaves, 2), 0.25));
    }

    #[test]
    fn nobody_comes_to_less_than_they_must() {
        let tree = tree();
        let usual = tree.divide(&[0.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.0);
        let least = vec![0.0, 0.0, 0.6, 0.1, 0.3, 0.0];
        let leaves = tree.fit(&usual, &Known { least, ..known([None; 6]) });
        assert!(
            near(of(&tree, &leaves, 2), 0.6)
                && near(of(&tree, &leaves, 4), 0.3)
                && near(of(&tree, &leaves, 3), 0.1)
        );
    }

    #[test]
    fn leanings_come_to_nothing_over_the_whole() {
        let shares = Shares::new(&tree().divide(&[0.0, 2.0, 1.0, 1.0, 5.0, 1.0], 0.01), 7);
        let [share, first, second] = shares.between(0, 4);
        assert!(near(share, 1.0) && near(first, 0.0) && near(second, 0.0));
        assert!(shares.between(0, 1)[1].abs() > 1e-3);
    }
}
