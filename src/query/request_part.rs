//! The part of a request that an error points at.

use super::error::{QueryError, QueryErrorKind};

/// A part of the request: an option's name, or `path`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RequestPart(pub(super) &'static str);

pub(super) const APPLY: RequestPart = RequestPart("$apply");

impl RequestPart {
    /// An error at a character of this part.
    pub(super) fn error(self, position: usize, kind: QueryErrorKind) -> QueryError {
        QueryError { target: self.0, position: Some(position), kind }
    }

    /// An error about this part as a whole.
    pub(super) fn fault(self, kind: QueryErrorKind) -> QueryError {
        QueryError { target: self.0, position: None, kind }
    }
}
