//! Areas and one other dimension divided together, where figures of both at once were published.

use super::shares::{Shares, Tree};

/// How often the parts are fitted to what they must add up to.
const ROUNDS: usize = 60;

/// The share of the whole of every area by every member of one more dimension.
#[derive(Debug)]
pub struct Joint {
    /// The other dimension.
    pub dimension: usize,
    width: usize,
    /// Summed over everything before a row and before a column.
    sums: Vec<f64>,
}

/// A share that is known: of a range of areas and a range of members.
pub type Part = ((usize, usize), (usize, usize), f64);

impl Joint {
    /// Fits the table to the shares of both dimensions and to the known shares inside it, by scaling rows, columns and
    /// known parts in turn. Where known parts are `certain`, in the end nothing is more than what it is a part of; where
    /// they only show the pattern, rows and columns have the last word.
    pub fn fit(
        dimension: usize,
        areas: (&Tree, &Shares),
        members: (&Tree, &Shares),
        known: &[Part],
        certain: bool,
    ) -> Self {
        let (height, width) = (areas.0.leaves(), members.0.leaves());
        let rows: Vec<_> = (0..height).map(|row| areas.1.of((row, row + 1))).collect();
        let columns: Vec<_> = (0..width).map(|column| members.1.of((column, column + 1))).collect();
        let mut cells: Vec<f64> =
            rows.iter().flat_map(|row| columns.iter().map(move |column| row * column)).collect();
        let blocks = (0..height).map(|row| ((row, row + 1), (0, width), rows[row]));
        let blocks =
            blocks.chain((0..width).map(|column| ((0, height), (column, column + 1), columns[column])));
        let margins: Vec<Part> = blocks.collect();
        let mut scale_all = |parts: &[Part], only_down: bool| {
            for (rows, columns, share) in parts {
                scale(&mut cells, width, *rows, *columns, *share, only_down);
            }
        };
        for _ in 0..ROUNDS {
            scale_all(&margins, false);
            scale_all(known, false);
        }
        if certain {
            scale_all(&margins, true);
            scale_all(known, true);
        } else {
            // Columns first, rows last: the areas of a member may miss a little, the members of an area do not.
            (0..ROUNDS).for_each(|_| scale_all(&margins, false));
            scale_all(&margins[..height], false);
        }
        Self { dimension, width, sums: summed(&cells, height, width) }
    }

    /// The share of a range of areas and a range of members.
    pub fn of(&self, areas: (usize, usize), members: (usize, usize)) -> f64 {
        let at = |row: usize, column: usize| self.sums[row * (self.width + 1) + column];
        at(areas.1, members.1) - at(areas.0, members.1) - at(areas.1, members.0) + at(areas.0, members.0)
    }
}

/// Scales a block of cells so that it comes to a share; only downward, if so told.
fn scale(
    cells: &mut [f64],
    width: usize,
    rows: (usize, usize),
    columns: (usize, usize),
    share: f64,
    only_down: bool,
) {
    let row = |row: usize| row * width + columns.0..row * width + columns.1;
    let sum: f64 = (rows.0..rows.1).map(|index| cells[row(index)].iter().sum::<f64>()).sum();
    let factor = if sum > 0.0 { share / sum } else { 1.0 };
    if !only_down || factor < 1.0 {
        (rows.0..rows.1).for_each(|index| cells[row(index)].iter_mut().for_each(|cell| *cell *= factor));
    }
}

fn summed(cells: &[f64], height: usize, width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; (height + 1) * (width + 1)];
    for row in 0..height {
        let mut sum = 0.0;
        for column in 0..width {
            sum += cells[row * width + column];
            sums[(row + 1) * (width + 1) + column + 1] = sums[row * (width + 1) + column + 1] + sum;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parts_and_both_margins_hold() {
        let areas = Tree::new(&[None, Some(0), Some(0)]);
        let members = Tree::new(&[None, Some(0), Some(0)]);
        let of = |tree: &Tree, leaves: [f64; 3]| {
            assert_eq!(tree.leaves(), 3);
            Shares::new(&leaves, 1)
        };
        let (rows, columns) = (of(&areas, [0.6, 0.3, 0.1]), of(&members, [0.5, 0.4, 0.1]));
        let joint = Joint::fit(1, (&areas, &rows), (&members, &columns), &[((0, 1), (0, 1), 0.35)], true);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
        let known = joint.of((0, 1), (0, 1));
        assert!(near(known, 0.35), "{known}");
        for (row, share) in [0.6, 0.3, 0.1].into_iter().enumerate() {
            assert!(near(joint.of((row, row + 1), (0, 3)), share));
        }
        for (column, share) in [0.5, 0.4, 0.1].into_iter().enumerate() {
            assert!(near(joint.of((0, 3), (column, column + 1)), share));
        }
    }
}
