//! Rows as columns.

mod rows;
