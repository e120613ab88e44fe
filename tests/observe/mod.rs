//! Reports for operators.

mod reports;
