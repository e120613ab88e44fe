//! The same answer of the upstream read by serde_json into plain vectors: what decoding is measured beside.

use serde::Deserialize;

/// Headings, and rows of four labels and four figures.
#[derive(Debug, Deserialize)]
pub struct Plain {
    pub columns: Vec<String>,
    pub rows: Vec<PlainRow>,
}

type PlainRow = (String, String, String, String, Option<f64>, Option<f64>, Option<f64>, Option<f64>);

/// Reads an answer.
#[must_use]
pub fn read(body: &[u8]) -> Plain {
    serde_json::from_slice(body).unwrap()
}
