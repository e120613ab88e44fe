//! Helpers that the tests of several parts share.

pub mod app;
pub mod canned;
pub mod canned_app;
pub mod collector;
pub mod issuer;
pub mod log;
pub mod open_files;
pub mod patience;
pub mod revised;
pub mod signed_in;
pub mod wire;

use std::io::{Cursor, Read as _};

/// A part of a package: of a workbook, a project, a connector.
pub fn zip_part(package: &[u8], path: &str) -> Vec<u8> {
    let mut package = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    let mut bytes = Vec::new();
    let mut part = package.by_name(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    part.read_to_end(&mut bytes).unwrap();
    bytes
}
