//! Errors of operations on frames.

use arrow_schema::{ArrowError, DataType};
use thiserror::Error;

use crate::budget::work::WorkError;
use crate::error::{DescribeError, ErrorDescription};
use crate::query::eval::EvalError;

/// Why an operation on a frame failed.
#[derive(Debug, Error)]
pub enum FrameError {
    /// A fault of the request: an expression cannot be evaluated for a row.
    #[error(transparent)]
    Eval(#[from] EvalError),
    #[error(transparent)]
    Work(#[from] WorkError),
    #[error("column {column} of the set is not in the frame")]
    MissingColumn { column: usize },
    #[error("a block of table {table} lacks the column '{column}'")]
    MissingCells { table: String, column: String },
    #[error("column {column} of the frame has the type {found}, which no value is read from")]
    UnreadableColumn { column: String, found: DataType },
    #[error("a measure has a column of another type than figures: {found:?}")]
    NoFigures { found: Vec<DataType> },
    #[error("a frame of {rows} rows is too large to sort")]
    TooManyRows { rows: usize },
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

impl DescribeError for FrameError {
    fn describe(&self) -> ErrorDescription {
        match self {
            Self::Eval(EvalError::Work(error)) | Self::Work(error) => error.describe(),
            Self::Eval(error) => ErrorDescription::new(400, "NoValue", error.danish()).on("$filter"),
            Self::MissingColumn { .. }
            | Self::MissingCells { .. }
            | Self::UnreadableColumn { .. }
            | Self::NoFigures { .. }
            | Self::TooManyRows { .. }
            | Self::Arrow(_) => ErrorDescription::internal(),
        }
    }
}
