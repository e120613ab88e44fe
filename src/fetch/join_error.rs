//! Why an answer cannot be joined to ids.

use thiserror::Error;

/// Why an answer is not the answer to its chunk.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoinError {
    #[error(
        "the answer has {found} label columns and {figures} figure columns, expected {expected} and {measures}"
    )]
    ColumnCount { found: usize, figures: usize, expected: usize, measures: usize },
    #[error("no column of the answer is headed '{expected}'; its headings are {found:?}")]
    Heading { expected: String, found: Vec<String> },
    #[error(
        "no column of the answer is headed '{expected}', which is a measure; its figures are headed {found:?}"
    )]
    Measure { expected: String, found: Vec<String> },
    #[error("the answer holds period '{0}', which was not asked for")]
    Period(String),
    #[error("an answer to the total of '{dimension}' alone has the labels {found:?}, expected one")]
    Total { dimension: String, found: Vec<String> },
    #[error("the answer holds two different rows for {0}")]
    Contradiction(String),
    #[error("the answer could not be held as columns: {0}")]
    Columns(String),
}
