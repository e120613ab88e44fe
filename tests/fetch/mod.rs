//! Cells on their way from the upstream.

mod same_cells_once;
