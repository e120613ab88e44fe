//! Fetching cells from the upstream.

mod figures;
mod morning;
mod queries;
mod same_cells_once;
mod stored;
mod under_way;
