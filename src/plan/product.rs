//! All chunks of a selection, as the product of the pieces of its axes: counted by multiplication, made one at a time.
//!
//! Chunks are in the order of their first rows. A chunk's number has one digit per axis, the period's being the most significant.
//! A chunk may have rows after the first row of the next chunk; a reader that needs rows in order holds those back.

use std::cmp::Ordering;

use crate::catalogue::id::PeriodTypeId;
use crate::catalogue::measurement::Measurement;
use crate::plan::chunk::{Chunk, ChunkDimension, columns};

/// Periods of one type that are requested together, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodPiece {
    pub period_type: PeriodTypeId,
    pub periods: Vec<usize>,
}

/// The chunks of a selection; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunks {
    /// Apart from each other and in the order of their first periods, as those of each dimension are in that of their members.
    periods: Vec<PeriodPiece>,
    dimensions: Vec<Vec<ChunkDimension>>,
    measures: Vec<usize>,
    cells: u64,
}

impl Chunks {
    pub(super) fn new(
        measurement: &Measurement,
        periods: Vec<PeriodPiece>,
        dimensions: Vec<Vec<ChunkDimension>>,
        measures: Vec<usize>,
    ) -> Self {
        let all_periods: usize = periods.iter().map(|piece| piece.periods.len()).sum();
        let nodes =
            |pieces: &Vec<ChunkDimension>| pieces.iter().map(|piece| piece.node_count(measurement)).sum();
        let rows = dimensions.iter().map(nodes).fold(all_periods as u64, u64::saturating_mul);
        let cells = rows.saturating_mul(columns(dimensions.len(), measures.len()));
        Self { periods, dimensions, measures, cells }
    }

    /// Lets a chunk end before a period where one would go on.
    pub(super) fn end_before(&mut self, period: usize) {
        let split = self.periods.iter_mut().enumerate().find_map(|(at, piece)| {
            let kept = piece.periods.partition_point(|&other| other < period);
            let is_inside = (1..piece.periods.len()).contains(&kept);
            is_inside.then(|| (at + 1, piece.period_type.clone(), piece.periods.split_off(kept)))
        });
        if let Some((at, period_type, periods)) = split {
            self.periods.insert(at, PeriodPiece { period_type, periods });
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        (0..=self.dimensions.len()).map(|axis| self.pieces(axis) as u64).fold(1, u64::saturating_mul)
    }

    /// The most cells of all answers, counted with all columns.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.cells
    }

    /// The chunk of that number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Chunk> {
        let mut left = number;
        let mut digits = vec![0; 1 + self.dimensions.len()];
        for (axis, digit) in digits.iter_mut().enumerate().rev() {
            let pieces = self.pieces(axis) as u64;
            *digit = usize::try_from(left.checked_rem(pieces)?).ok()?;
            left /= pieces;
        }
        (left == 0).then(|| self.chunk(&digits))
    }

    /// All of them.
    #[must_use]
    pub fn iter(&self) -> ChunkWalk<'_> {
        self.from(Vec::new())
    }

    /// The chunks that may contain the row at a position or later rows; all for an empty position. Earlier chunks are skipped without
    /// making them.
    #[must_use]
    pub fn from(&self, place: Vec<usize>) -> ChunkWalk<'_> {
        let digits = vec![0; 1 + self.dimensions.len()];
        ChunkWalk { chunks: self, next: (self.count() > 0).then_some(digits), place }
    }

    /// How many pieces an axis has: the periods, then each dimension.
    fn pieces(&self, axis: usize) -> usize {
        match axis.checked_sub(1) {
            None => self.periods.len(),
            Some(dimension) => self.dimensions[dimension].len(),
        }
    }

    fn last_of(&self, axis: usize, piece: usize) -> Option<usize> {
        let list = match axis.checked_sub(1) {
            None => &self.periods[piece].periods,
            Some(dimension) => &self.dimensions[dimension][piece].members,
        };
        list.last().copied()
    }

    fn chunk(&self, digits: &[usize]) -> Chunk {
        let PeriodPiece { period_type, periods } = self.periods[digits[0]].clone();
        let parts = self.dimensions.iter().zip(&digits[1..]);
        let dimensions = parts.map(|(pieces, &piece)| pieces[piece].clone()).collect();
        Chunk { period_type, periods, dimensions, measures: self.measures.clone() }
    }
}

/// A walk through chunks in the order of their first rows.
#[derive(Debug, Clone)]
pub struct ChunkWalk<'a> {
    chunks: &'a Chunks,
    /// The digits of the next chunk's number.
    next: Option<Vec<usize>>,
    place: Vec<usize>,
}

impl ChunkWalk<'_> {
    /// The axis on which the chunk lies before the position, if it does.
    fn before_place(&self, digits: &[usize]) -> Option<usize> {
        for (axis, (&piece, wanted)) in digits.iter().zip(&self.place).enumerate() {
            match self.chunks.last_of(axis, piece).as_ref().cmp(&Some(wanted)) {
                Ordering::Less => return Some(axis),
                Ordering::Equal => {}
                Ordering::Greater => return None,
            }
        }
        None
    }

    /// The digits after all those that are equal up to that axis.
    fn behind(&self, mut digits: Vec<usize>, axis: usize) -> Option<Vec<usize>> {
        digits[axis + 1..].fill(0);
        for axis in (0..=axis).rev() {
            digits[axis] += 1;
            if digits[axis] < self.chunks.pieces(axis) {
                return Some(digits);
            }
            digits[axis] = 0;
        }
        None
    }
}

impl Iterator for ChunkWalk<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        loop {
            let digits = self.next.take()?;
            let before = self.before_place(&digits);
            let chunk = if before.is_none() { Some(self.chunks.chunk(&digits)) } else { None };
            let axis = before.unwrap_or(digits.len() - 1);
            self.next = self.behind(digits, axis);
            if chunk.is_some() {
                return chunk;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::cut::cut;
    use crate::plan::fixture::{everything, table};

    use super::*;

    /// One row to a chunk: 12 periods, 5 areas, 3 and 2 members.
    fn single_rows() -> Chunks {
        cut(&table(), &everything(), 5).unwrap()
    }

    fn place(chunk: &Chunk) -> Vec<usize> {
        chunk.periods.iter().chain(chunk.dimensions.iter().map(|part| &part.members[0])).copied().collect()
    }

    #[test]
    fn the_number_of_a_chunk_is_its_place_with_the_period_weighing_most() {
        let chunks = single_rows();
        assert_eq!((chunks.count(), chunks.cells()), (12 * 5 * 3 * 2, 12 * 5 * 3 * 2 * 5));
        assert_eq!(chunks.get(0).map(|chunk| place(&chunk)), Some(vec![0, 0, 0, 0]));
        assert_eq!(chunks.get(31).map(|chunk| place(&chunk)), Some(vec![1, 0, 0, 1]));
        assert_eq!(chunks.get(359).map(|chunk| place(&chunk)), Some(vec![11, 4, 2, 1]));
        assert_eq!(chunks.get(360), None);
        assert_eq!(Chunks::default().get(0), None);
    }

    #[test]
    fn a_walk_begins_where_the_place_is_and_steps_over_what_lies_before() {
        let chunks = single_rows();
        let first = |from: &[usize]| chunks.from(from.to_vec()).next().map(|chunk| place(&chunk));
        assert_eq!(first(&[3, 2, 1, 1]), Some(vec![3, 2, 1, 1]));
        assert_eq!(first(&[3, 2]), Some(vec![3, 2, 0, 0]), "a place may be given in part");
        assert_eq!(first(&[3, 4, 2, 2]), Some(vec![4, 0, 0, 0]), "no piece holds it, the next period does");
        assert_eq!(first(&[12]), None);
        assert_eq!(chunks.from(vec![11, 4, 2, 1]).count(), 1);
        assert_eq!(Chunks::default().iter().count(), 0);
    }

    #[test]
    fn a_chunk_of_several_periods_is_met_as_long_as_its_last_one_is_not_over() {
        let chunks = cut(&table(), &everything(), 30 * 5 * 5).unwrap();
        let periods = |from: usize| chunks.from(vec![from]).map(|chunk| chunk.periods).collect::<Vec<_>>();
        assert_eq!(periods(0), [vec![0, 1], vec![2, 3, 4, 5, 6], vec![7, 8, 9, 10, 11]]);
        assert_eq!(periods(6), periods(2));
        assert_eq!(periods(7).len(), 1);
    }
}
