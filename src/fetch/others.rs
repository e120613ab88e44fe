//! Other bridges that ask the same upstream: what they are fetching is not fetched here, and what was fetched here is told to them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::catalogue::id::MeasurementId;
use crate::store::key::CellKey;

/// A position in what bridges tell each other. All of them see everything in the same order.
pub type Position = u64;

/// The other bridges.
#[async_trait]
pub trait Others: Send + Sync + fmt::Debug {
    /// The right to plan requests of a table, while nobody else does. What others have stored by then is stored here too. `None` where
    /// others cannot be asked.
    async fn turn(&self, table: &MeasurementId) -> Option<Box<dyn Turn>>;

    /// How far this bridge knows what others told.
    fn known(&self) -> Position;

    /// Tells the others of what is stored of a table and was not told yet, and that a request has ended which brought it. Figures were
    /// compared with all that was told up to `known`. Returns what was told where.
    async fn publish(
        &self,
        table: &MeasurementId,
        known: Position,
        ended: Option<&str>,
    ) -> Vec<(Arc<CellKey>, Position)>;

    /// Waits while another bridge reads the list of tables, until what it read is known here.
    async fn list_read(&self);

    /// The time that all bridges have in common.
    fn now(&self) -> DateTime<Utc>;
}

/// The right to plan requests of one table.
#[async_trait]
pub trait Turn: Send + Sync {
    /// What others are fetching of the table.
    fn claims(&self) -> &[Claim];

    /// A request that this bridge makes now.
    fn claim(&self, revision: String, key: CellKey) -> Claim;

    /// A future that ends when that one of others' requests has, or when it is not known any more.
    fn end_of(&self, claim: &Claim) -> BoxFuture<'static, ()>;

    /// Ends the turn with requests that this bridge makes now. False if it took too long: somebody else may have planned meanwhile.
    async fn end(self: Box<Self>, claims: &[Claim]) -> bool;
}

/// A request that a bridge is making.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    pub id: String,
    /// Which bridge makes it.
    pub bridge: String,
    /// The revision that it was planned for, as text.
    pub revision: String,
    /// What it brings.
    pub key: CellKey,
}
