//! Answers the fetch stage's question when a table was last updated, from the list of tables.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::catalogue::id::MeasurementId;
use crate::catalogue::measurement::Measurement;
use crate::fetch::Updates;
use crate::observe::request;
use crate::refresh::sync::keeper::CatalogueKeeper;
use crate::upstream::retry::Urgency;

/// The longest that an answer waits for the list of tables; reading it goes on in the background.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Update dates from the list of tables.
#[derive(Debug, Clone)]
pub struct ListedUpdates(pub Arc<CatalogueKeeper>);

#[async_trait]
impl Updates for ListedUpdates {
    async fn keep_fresh(&self) {
        if self.0.current_if_fresh().is_none() {
            let keeper = Arc::clone(&self.0);
            let look_up = request::spawn(async move { keeper.fresh_list().await });
            let _ = tokio::time::timeout(LONGEST_WAIT, look_up).await;
        }
    }

    fn update_latest(&self, table: &MeasurementId) -> Option<NaiveDate> {
        self.0.current().heads.get(table)?.update_latest
    }

    async fn look_up(&self) -> bool {
        let keeper = Arc::clone(&self.0);
        let look_up = request::spawn(async move { keeper.look_up().await });
        matches!(tokio::time::timeout(LONGEST_WAIT, look_up).await, Ok(Ok(Ok(()))))
    }

    fn outdated(&self, table: &MeasurementId) {
        let (keeper, table) = (Arc::clone(&self.0), table.clone());
        request::spawn(async move {
            if let Err(error) = keeper.reread(&table, Urgency::Background).await {
                tracing::warn!(%table, %error, "the table's metadata could not be read again");
            }
        });
    }

    async fn has_changed(&self, known: &Measurement) -> bool {
        let differs = |current: Option<&Arc<Measurement>>| current.is_some_and(|current| **current != *known);
        if differs(self.0.current().measurements.get(&known.id)) {
            return true;
        }
        match self.0.reread(&known.id, Urgency::Awaited).await {
            Ok(current) => differs(Some(&current)),
            Err(error) => {
                tracing::warn!(table = %known.id, %error, "the table's metadata could not be read again");
                false
            }
        }
    }
}
