//! Writes rows as files: CSV and Parquet. Record batches go in and bytes come out piece by piece, so that no file is ever in
//! memory as a whole. Independent of requests, pages and where the rows come from.

pub mod csv;
pub mod parquet;

use std::fmt::Debug;

use arrow_array::RecordBatch;
use thiserror::Error;

use crate::error::{DescribeError, ErrorDescription};
use crate::odata::payload::PayloadError;
use crate::odata::value::PrimitiveType;

/// One column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileColumn {
    pub name: String,
    pub primitive: PrimitiveType,
    pub nullable: bool,
}

impl FileColumn {
    #[must_use]
    pub fn new(name: impl Into<String>, primitive: PrimitiveType) -> Self {
        Self { name: name.into(), primitive, nullable: true }
    }

    /// A column that has a value in every row.
    #[must_use]
    pub fn required(self) -> Self {
        Self { nullable: false, ..self }
    }
}

/// Writes a file piece by piece. Every batch has the file's columns, in their order.
pub trait FileWriter: Debug + Send {
    /// Takes rows and returns the bytes that are ready; there may be none yet.
    ///
    /// # Errors
    /// When a column's type is not the declared one.
    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ExportError>;

    /// The last bytes of the file.
    ///
    /// # Errors
    /// When the buffered rows cannot be written.
    fn end(self: Box<Self>) -> Result<Vec<u8>, ExportError>;
}

/// Why rows cannot be written as a file.
#[derive(Debug, Error)]
pub enum ExportError {
    #[error("'{found}' is not a dialect of CSV; expected 'dansk' or 'standard'")]
    UnknownDialect { found: String },
    #[error("'{path}' is not a set; only rows of a set are exported")]
    NotASet { path: String },
    #[error("a file has no rows within rows; $expand is not offered for it")]
    NoExpand,
    #[error("the option {option} means nothing for a file; leave it out")]
    NoOption { option: &'static str },
    #[error(transparent)]
    Cells(#[from] PayloadError),
    #[error("the file cannot be compressed: {0}")]
    Compression(#[source] std::io::Error),
    #[error("the file that was made cannot be read: {0}")]
    MadeFile(#[source] std::io::Error),
    #[error("the rows cannot be written as Parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
}

impl DescribeError for ExportError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::UnknownDialect { .. } => ErrorDescription::new(
                400,
                "UnknownDialect",
                "Dialekten kendes ikke; skriv dialekt=dansk, eller udelad den for komma og punktum.",
            )
            .on("dialekt"),
            Self::NotASet { .. } => ErrorDescription::new(
                404,
                "NotASet",
                "Kun hele sæt kan hentes som fil; skriv sættets navn efterfulgt af .csv eller .parquet.",
            ),
            Self::NoExpand => ErrorDescription::new(
                501,
                "NotOffered",
                "En fil har ingen rækker inde i rækker; hent det andet sæt som en fil for sig.",
            )
            .on("$expand"),
            Self::NoOption { option } => ErrorDescription::new(
                400,
                "OptionNotApplicable",
                format!("{option} giver ikke mening for en fil; udelad den."),
            )
            .on(option),
            Self::Cells(_) | Self::Compression(_) | Self::MadeFile(_) | Self::Parquet(_) => {
                ErrorDescription::internal()
            }
        }
    }
}
