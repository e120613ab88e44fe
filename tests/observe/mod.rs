//! What an operator is shown of what happened.

mod reports;
