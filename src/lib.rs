//! The map of the crate.
//!
//! A request is a line of small stages with a named type between each two:
//! text → [`odata::uri`] syntax → [`query`] bound against a [`feed`] → [`plan`] → [`fetch`] (through
//! [`store`] and [`upstream`]) → [`frame`] → page. [`answer`] strings them together; [`web`] is the edge.
//!
//! Imports go one way, from high to low; `tests/architecture` holds the list:
//! 1. error, settings, clock, disk, budget, observe, odata, catalogue
//! 2. upstream, search, feed
//! 3. query, probe
//! 4. plan, frame, export, open
//! 5. store
//! 6. fetch
//! 7. answer, indicators
//! 8. refresh
//! 9. pages
//! 10. web
//! 11. service, which puts the parts together
//! 12. run, the commands of the program
//!
//! [`simulator`] stands outside this order: of the modules only [`run`] imports it, to start it.

// Without the feature the compiler sees what nothing but tests uses. Whoever tests against the service needs the clock and the
// simulator. `cfg_if!` is the form in which `cargo fmt` finds the files.
cfg_if::cfg_if! {
    if #[cfg(feature = "insides")] {
        pub mod answer;
        pub mod budget;
        pub mod catalogue;
        pub mod disk;
        pub mod error;
        pub mod export;
        pub mod feed;
        pub mod fetch;
        pub mod frame;
        pub mod indicators;
        pub mod observe;
        pub mod odata;
        pub mod open;
        pub mod pages;
        pub mod plan;
        pub mod probe;
        pub mod query;
        pub mod refresh;
        pub mod search;
        pub mod service;
        pub mod settings;
        pub mod store;
        pub mod upstream;
        pub mod web;
    } else {
        mod answer;
        mod budget;
        mod catalogue;
        mod disk;
        mod error;
        mod export;
        mod feed;
        mod fetch;
        mod frame;
        mod indicators;
        mod observe;
        mod odata;
        mod open;
        mod pages;
        mod plan;
        mod probe;
        mod query;
        mod refresh;
        mod search;
        mod service;
        mod settings;
        mod store;
        mod upstream;
        mod web;
    }
}

pub mod clock;
pub mod run;
pub mod simulator;
