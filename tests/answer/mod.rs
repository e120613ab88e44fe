//! Requests from end to end: the whole service over HTTP, on the simulator.

mod aggregation;
mod explain;
mod lambda;
mod language;
mod main_job;
mod names;
mod navigation;
mod paging;
mod paging_under_updates;
mod published;
mod stages;
mod unknown_members;
