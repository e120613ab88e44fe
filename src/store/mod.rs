//! Cells that we have: blocks of figures with the revision that they belong to.

pub mod block;
