//! Rows of chunk after chunk in one order, though those of one chunk may stand between those of others.

use super::Frame;
use super::error::FrameError;

/// Rows that wait until no others can come before them.
#[derive(Debug, Default)]
pub struct Merge {
    waiting: Vec<Frame>,
}

impl Merge {
    /// Takes rows that stand in order among themselves.
    pub fn add(&mut self, rows: Frame) {
        if rows.row_count() > 0 {
            self.waiting.push(rows);
        }
    }

    /// How many rows wait.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.waiting.iter().map(Frame::row_count).sum()
    }

    /// The waiting rows that stand before a place, in order; all for no place.
    ///
    /// # Errors
    /// When frames differ in their columns.
    pub fn before(&mut self, place: Option<&[u32]>) -> Result<Option<Frame>, FrameError> {
        let mut ready = Vec::new();
        for rows in std::mem::take(&mut self.waiting) {
            let end = place.map_or(rows.row_count(), |place| rows.first_at(place));
            if end < rows.row_count() {
                self.waiting.push(rows.slice(end, rows.row_count() - end));
            }
            if end > 0 {
                ready.push(rows.slice(0, end));
            }
        }
        if ready.len() < 2 {
            Ok(ready.pop())
        } else {
            Frame::joined(&ready)?.map(Frame::in_place).transpose()
        }
    }
}
