//! The upstream's rules, each in a file of its own, held on the service that is shipped.

mod area_is_named;
mod asks_for_no_more;
mod closed_hour;
mod doubled_labels;
mod error_report;
mod explain;
mod faults;
mod plans;

mod same_cells_once;
mod table_for_table;
