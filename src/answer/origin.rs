//! Paths that continue through a navigation property: `Set('key')/Navigation`.

use futures_util::future::{BoxFuture, FutureExt};

use super::Answerer;
use super::scan::RowSink;
use super::stages::{Stage, Stages};
use crate::answer::error::BridgeError;
use crate::feed::Feed;
use crate::frame::Frame;
use crate::odata::value::Value;
use crate::query::{BoundExpr, BoundQuery};

/// Takes the first row.
#[derive(Clone)]
struct FirstRow(Option<Frame>);

impl RowSink for FirstRow {
    fn wanted(&self) -> Option<u64> {
        self.0.is_none().then_some(1)
    }

    fn take(&mut self, rows: Frame) -> Result<(), BridgeError> {
        self.0 = self.0.take().or((rows.row_count() > 0).then_some(rows));
        Ok(())
    }
}

impl Answerer {
    /// The condition of the rows that the path leads to; `None` if the path starts at the query's set. It is false for all rows if
    /// the first row has no value in the navigation property's column.
    pub(super) fn origin<'a>(
        &'a self,
        feed: &'a Feed,
        stages: &'a Stages,
        query: &'a BoundQuery,
    ) -> BoxFuture<'a, Result<Option<BoundExpr>, BridgeError>> {
        async move {
            let Some(origin) = &query.origin else { return Ok(None) };
            let outer = self.origin(feed, stages, &origin.query).await?;
            let resolved = self.resolve_lambdas(feed, stages, &origin.query, None).await?;
            let set = &feed.sets[origin.query.set];
            let condition = BoundExpr::all(resolved.query.condition(set).into_iter().chain(outer));
            let needed = [origin.navigation.from_column];
            let scan = stages.time(Stage::Plan, || self.plan(set, Some(condition), needed, |_| 0))?;
            let (first, _) = self.scan(stages, &scan, resolved.provenance.revision, &FirstRow(None)).await?;
            let row = first.0.ok_or(BridgeError::NoSuchRow)?;
            let target = &feed.sets[origin.navigation.target];
            let equal = |id| BoundExpr::equal(target, origin.navigation.to_column, Value::String(id));
            let id = row.text_at(origin.navigation.from_column, 0);
            Ok(Some(id.map_or_else(|| BoundExpr::any([]), equal)))
        }
        .boxed()
    }
}
