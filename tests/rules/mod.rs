//! Rules of the upstream, one file each.

mod area_is_named;
mod closed_hour;
mod doubled_labels;
mod faults;
mod table_for_table;
mod unknown_labels;
