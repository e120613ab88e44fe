//! Frames: filters and orders over record batches.

mod rows;
