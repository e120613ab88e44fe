//! The properties that the tests hold for the corpora, for the fuzzer.

// They are modules of the tests, which use more of them.
#![allow(dead_code)]

#[path = "../../tests/query/fixture.rs"]
pub mod fixture;
#[path = "../../tests/fuzz/properties.rs"]
pub mod properties;
#[path = "../../tests/feed/fixture.rs"]
pub mod table;
