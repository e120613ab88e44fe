//! Where rows stand in the order of their set: the newest period first, then the upstream's order of members, then what tells
//! labels without a member apart, then, in the long form, the order of measures. A place is also a row's identity, so pages begin at it.

use std::cmp::Ordering;

/// The places of rows: one list of positions per axis, the first axis weighing most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SortKeys {
    pub axes: Vec<Vec<u32>>,
}

impl SortKeys {
    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.axes.first().map_or(0, Vec::len)
    }

    /// How the row stands to a place.
    #[must_use]
    pub fn compare_to(&self, row: usize, sort_key: &[u32]) -> Ordering {
        self.axes.iter().map(|axis| axis[row]).cmp(sort_key.iter().copied())
    }

    /// How two rows stand to each other.
    #[must_use]
    pub fn compare(&self, a: usize, b: usize) -> Ordering {
        let differs = self.axes.iter().map(|axis| axis[a].cmp(&axis[b])).find(|ordering| ordering.is_ne());
        differs.unwrap_or(Ordering::Equal)
    }

    /// The place of a row.
    #[must_use]
    pub fn of(&self, row: usize) -> Vec<u32> {
        self.axes.iter().map(|axis| axis[row]).collect()
    }

    /// The places of these rows, in this order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        Self {
            axes: self.axes.iter().map(|axis| rows.iter().map(|&row| axis[row as usize]).collect()).collect(),
        }
    }

    /// The rows in order; `None` if they stand in order already.
    #[must_use]
    pub fn sorted(&self) -> Option<Vec<u32>> {
        let mut rows: Vec<u32> = (0..u32::try_from(self.count()).unwrap_or(u32::MAX)).collect();
        if rows.is_sorted_by(|&a, &b| self.compare(a as usize, b as usize).is_le()) {
            return None;
        }
        rows.sort_by(|&a, &b| self.compare(a as usize, b as usize));
        Some(rows)
    }

    /// The rows of one set of places after those of another.
    pub fn append(&mut self, other: &Self) {
        if self.axes.is_empty() {
            self.axes.clone_from(&other.axes);
            return;
        }
        for (axis, more) in self.axes.iter_mut().zip(&other.axes) {
            axis.extend_from_slice(more);
        }
    }
}
