//! Requests from end to end: the service that is shipped, over HTTP, on the simulator.

mod aggregation;
mod lambda;
mod language;
mod main_job;
mod navigation;
mod published;
