//! Events of the service: the traits through which stages report them, and the observers that count them as metrics or keep them
//! as reports.

pub mod metrics;
pub mod news;
pub mod panics;
mod process;
pub mod readiness;
pub mod reports;
pub mod request;
pub mod store_observer;
pub mod traces;
pub mod upstream_observer;
