//! Merges the rows of chunks in sort order. Rows of one chunk may come between those of others.

use super::Frame;
use super::error::FrameError;

/// Rows that wait until no later chunk can have rows before them.
#[derive(Debug, Default)]
pub struct Merge {
    waiting: Vec<Frame>,
}

impl Merge {
    /// Adds sorted rows.
    pub fn add(&mut self, rows: Frame) {
        if rows.row_count() > 0 {
            self.waiting.push(rows);
        }
    }

    /// How many rows are waiting.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.waiting.iter().map(Frame::row_count).sum()
    }

    /// Removes the waiting rows before a sort key, in order; all for `None`.
    ///
    /// # Errors
    /// When frames differ in their columns.
    pub fn before(&mut self, sort_key: Option<&[u32]>) -> Result<Option<Frame>, FrameError> {
        let mut ready = Vec::new();
        for rows in std::mem::take(&mut self.waiting) {
            let end = sort_key.map_or(rows.row_count(), |sort_key| rows.first_at(sort_key));
            if end < rows.row_count() {
                self.waiting.push(rows.slice(end, rows.row_count() - end));
            }
            if end > 0 {
                ready.push(rows.slice(0, end));
            }
        }
        if ready.len() < 2 {
            return Ok(ready.pop());
        }
        // Often no rows of one come between those of another.
        ready.sort_by_cached_key(|rows| rows.sort_keys().at(0));
        Frame::joined(&ready)?.map(Frame::in_place).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::UInt32Array;

    use super::*;
    use crate::frame::batch::batch;

    fn rows(sort_keys: &[u32]) -> Frame {
        let positions = Arc::new(UInt32Array::from(sort_keys.to_vec()));
        let batch = batch([("at".to_owned(), positions as _)], sort_keys.len()).unwrap();
        Frame { batch, columns: vec![Some(0)], sort_key: 0..1, held: Vec::new() }
    }

    fn before(merge: &mut Merge, sort_key: Option<u32>) -> Vec<u32> {
        let sort_key = sort_key.map(|at| vec![at]);
        let ready = merge.before(sort_key.as_deref()).unwrap();
        let rows = |frame: Frame| (0..frame.row_count()).flat_map(|row| frame.sort_keys().at(row)).collect();
        ready.map_or_else(Vec::new, rows)
    }

    #[test]
    fn rows_go_out_in_order_when_nothing_can_come_before_them() {
        let mut merge = Merge::default();
        merge.add(rows(&[1, 4, 9]));
        assert_eq!(before(&mut merge, Some(2)), [1]);
        merge.add(rows(&[2, 3, 5]));
        merge.add(rows(&[]));
        assert_eq!(before(&mut merge, Some(5)), [2, 3, 4]);
        assert_eq!((merge.row_count(), before(&mut merge, Some(5))), (2, vec![]));
        assert_eq!(before(&mut merge, None), [5, 9]);
        assert!(before(&mut merge, None).is_empty());
    }
}
