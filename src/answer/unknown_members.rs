//! Binds requests, and checks their conditions on members that do not exist: an error if the client prefers `handling=strict`;
//! otherwise they are logged and stay in the query, so that the answer can name them.

use super::resource::{self, RequestText};
use super::{Answerer, Request};
use crate::answer::error::BridgeError;
use crate::query::{BoundQuery, UnknownMember};

impl Answerer {
    /// Binds the request, and refuses conditions on members that do not exist if the client prefers that. Labels that figures were
    /// published under exist, listed or not.
    pub(super) fn bind_checked(
        &self,
        request: &Request<'_>,
        text: &RequestText,
    ) -> Result<BoundQuery, BridgeError> {
        let mut query = resource::bind(request, text)?;
        query.unknown_members.retain(|unknown| !self.came_with_figures(unknown));
        match query.unknown_members.first() {
            Some(first) if request.strict => Err(first.error().into()),
            _ => Ok(query),
        }
    }

    fn came_with_figures(&self, unknown: &UnknownMember) -> bool {
        let label = unknown.unknown_label();
        label.is_some_and(|(table, label)| self.fetcher.has_unknown_label(table, label))
    }
}

/// Logs conditions on members that do not exist.
pub(super) fn log(path: &str, query: &BoundQuery) {
    if let Some((first, others)) = query.unknown_members.split_first() {
        let (condition, others) = (first.error(), others.len());
        tracing::info!(path, %condition, others, "a condition names a member that does not exist");
    }
}
