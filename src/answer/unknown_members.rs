//! Conditions on members that do not exist: an error if the client prefers `handling=strict`; otherwise they are logged and stay in
//! the query, so that the answer can name them.

use super::{Answerer, Request};
use crate::answer::error::BridgeError;
use crate::catalogue::id::MeasurementId;
use crate::feed::RowSource;
use crate::query::BoundQuery;
use crate::query::error::{QueryError, QueryErrorKind};

impl Answerer {
    /// Refuses or logs conditions on members that do not exist. Labels that figures were published under exist, listed or not.
    pub(super) fn report_unknown_members(
        &self,
        request: &Request<'_>,
        query: &mut BoundQuery,
        is_first_page: bool,
    ) -> Result<(), BridgeError> {
        if let RowSource::Cells(source) = &request.feed.sets[query.set].rows {
            let table = &source.measurement.id;
            query.unknown_members.retain(|unknown| !self.is_unlisted(table, unknown));
        }
        let Some(first) = query.unknown_members.first() else { return Ok(()) };
        if request.strict {
            return Err(first.clone().into());
        }
        if is_first_page {
            let others = query.unknown_members.len() - 1;
            tracing::info!(path = request.path, condition = %first, others, "a condition names a member that does not exist");
        }
        Ok(())
    }

    fn is_unlisted(&self, table: &MeasurementId, unknown: &QueryError) -> bool {
        match &unknown.kind {
            QueryErrorKind::UnknownMember { value, .. } => self.fetcher.has_unlisted(table, value),
            _ => false,
        }
    }
}
