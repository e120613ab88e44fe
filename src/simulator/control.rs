//! The handle to a running simulator's state: the same in the program and, as `/control/…`, over HTTP.
//!
//! | call | does |
//! |---|---|
//! | `GET /control/faults` | the faults that are on, with what is left of each |
//! | `POST /control/faults` | sets the fields of [`Faults`] that the JSON body names, such as `{"forbidden":2}` |
//! | `DELETE /control/faults` | switches every fault off |
//! | `GET`, `DELETE /control/requests` | the log of requests; forgets it |
//! | `POST /control/publish` | makes an update of a table: a [`Publish`] as JSON |
//! | `POST /control/edition` | sets a table, or all, to an edition: a [`SetEdition`] as JSON |
//! | `GET /control/made-up` | which parts of which tables are made up |
//!
//! No token is asked for. An update adds a period and changes made-up figures: the newest three periods always, one in eight of the
//! earlier ones, three years back. If the table was set to an earlier edition, the update brings the published figures of the next
//! retrieval. At the newest retrieval published figures stay, unless `revise_published` is set: then the country's totals of recent
//! periods are raised a little.

use std::sync::Arc;

use serde::Deserialize;

use super::faults::Faults;
use super::state::{MadeUp, Publish, RequestLog, State, UnknownTable};

/// Switches faults on and off, makes updates, and gives access to the log of requests.
#[derive(Clone, Debug)]
pub struct Control(Arc<State>);

/// Which table is to stand at which edition; no table: all.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetEdition {
    pub table: Option<String>,
    pub edition: i32,
}

impl Control {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self(state)
    }

    /// The faults that are switched on, with what is left of each.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.0.faults()
    }

    /// Replaces all faults.
    pub fn set_faults(&self, faults: Faults) {
        self.0.set_faults(faults);
    }

    /// Switches every fault off.
    pub fn reset_faults(&self) {
        self.0.set_faults(Faults::default());
    }

    /// The requests received since the start, or since the log was cleared.
    #[must_use]
    pub fn requests(&self) -> RequestLog {
        self.0.log()
    }

    /// Forgets the requests received so far.
    pub fn clear_requests(&self) {
        self.0.clear_log();
    }

    /// The parts of the metadata that were filled in because nothing real was known.
    #[must_use]
    pub fn made_up(&self) -> MadeUp {
        self.0.databank.made_up()
    }

    /// Makes an update of a table, or plans it for the middle of a download.
    pub fn publish(&self, publish: &Publish) -> Result<(), UnknownTable> {
        self.0.publish(publish)
    }

    /// Sets a table to an edition while the list of tables keeps its date, as the upstream is known to do.
    pub fn set_edition_silently(&self, table: &str, edition: i32) -> Result<(), UnknownTable> {
        self.0.set_edition_silently(table, edition)
    }

    /// Sets a table, or all of them, to an edition: 0 is the newest retrieval, -1 the one before.
    pub fn set_edition(&self, table: Option<&str>, edition: i32) -> Result<(), UnknownTable> {
        self.0.set_edition(table, edition)
    }
}
