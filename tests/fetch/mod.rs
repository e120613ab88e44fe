//! Fetching cells from the upstream.

mod same_cells_once;
