//! Requests from end to end: the service that is shipped, over HTTP, on the simulator.

mod aggregation;
mod main_job;
mod published;
