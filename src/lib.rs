//! The map of the crate.
//!
//! A request passes through small stages with a named type between each two:
//! text → [`odata::uri`] syntax → [`query`] bound against a [`feed`] → [`plan`] → [`fetch`] (through
//! [`store`] and [`upstream`]) → [`frame`] → page. It enters through the handlers that `web/routes.rs` names, for OData
//! `web/odata/mod.rs`; `Answerer::answer` in `answer/mod.rs` calls the stages in order, and `web` writes the page.
//! `docs/architecture.md` lists the types between the stages and has a glossary.
//!
//! A module imports from its own layer and from those before it in this list; `tests/architecture` checks that:
//! 1. unix, error, settings, clock, disk, budget, observe, odata, catalogue, sign_in
//! 2. upstream, search, feed
//! 3. query, probe
//! 4. plan, frame, export, open
//! 5. store
//! 6. fetch
//! 7. answer, indicators
//! 8. refresh
//! 9. pages, peers
//! 10. web
//! 11. service, which puts the parts together
//! 12. run, the commands of the program
//!
//! [`simulator`] is outside this order: only [`run`] imports it, to start it, and it imports only [`clock`], so that neither can hide
//! mistakes of the other.

// The modules are public under the feature `insides` only, so that without it the compiler reports code that only tests use. Clock
// and simulator are always public, for tests against the service. `cfg_if!` is used because `cargo fmt` finds the files in it.
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
        pub mod peers;
        pub mod plan;
        pub mod probe;
        pub mod query;
        pub mod refresh;
        pub mod search;
        pub mod service;
        pub mod settings;
        pub mod sign_in;
        pub mod store;
        pub mod unix;
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
        mod peers;
        mod plan;
        mod probe;
        mod query;
        mod refresh;
        mod search;
        mod service;
        mod settings;
        mod sign_in;
        mod store;
        mod unix;
        mod upstream;
        mod web;
    }
}

pub mod clock;
pub mod run;
pub mod simulator;
