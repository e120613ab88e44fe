//! Rules that the service stands or falls with, the upstream's first of all, one file each.

mod area_is_named;
mod asks_for_no_more;
mod batch;
mod capabilities;
mod closed_hour;
mod doubled_labels;
mod error_report;
mod explain;
mod faults;
mod hostile;
mod http;
mod odata_clients;
mod paging;
mod paging_under_updates;
mod payload;
mod plans;
mod same_cells_once;
mod table_for_table;
mod unknown_labels;
