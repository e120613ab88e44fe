//! The upstream client against a test server that sends correct and incorrect answers.

mod client;
mod dialects;
mod secrecy;
mod simulator;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobindsats_bridge::catalogue::id::{HierarchyId, MeasurementId, PeriodId, PeriodTypeId};
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::observe::news::Announcements;
use jobindsats_bridge::observe::upstream_observer::{UpstreamCall, UpstreamObserver};
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::upstream::client::{ClientOptions, HttpUpstream};
use jobindsats_bridge::upstream::request::{
    DataRequest, HierarchySelection, MeasureSelection, NonEmpty, PeriodSelection,
};
use jobindsats_bridge::upstream::retry::Retry;
use jobindsats_bridge::upstream::slots::NoOthers;

use crate::support::canned::CannedServer;

pub const KEY: &str = "hemmelig-0123456789";

/// Remembers every call.
#[derive(Debug, Default)]
pub struct Calls(pub Mutex<Vec<UpstreamCall>>);

impl UpstreamObserver for Calls {
    fn upstream_started(&self) -> Box<dyn Send> {
        Box::new(())
    }

    fn upstream_circuit(&self, _: bool) {}

    fn upstream_call(&self, call: &UpstreamCall) {
        self.0.lock().unwrap().push(call.clone());
    }
}

/// Options with pauses of milliseconds and a clock that stands at noon.
pub fn options(server: &CannedServer) -> ClientOptions {
    ClientOptions {
        base_url: server.url.clone(),
        key: Some(ApiKey::new(KEY).unwrap()),
        timeout: Duration::from_millis(400),
        concurrency: 2,
        closed_hour: true,
        key_file: None,
        retry: Retry { pauses: vec![Duration::from_millis(5); 3], jitter: 0.0 },
        clock: Clock::fixed("2026-09-01T10:00:00Z".parse().unwrap()),
        observer: Arc::new(Calls::default()),
        slots: Arc::new(NoOthers),
        announcements: Announcements::default(),
    }
}

pub fn client(server: &CannedServer) -> HttpUpstream {
    HttpUpstream::new(options(server)).unwrap()
}

/// One month of the whole country, one measure.
pub fn one_cell() -> DataRequest {
    DataRequest {
        table: MeasurementId::from("y25i01"),
        measures: MeasureSelection::All,
        measure_count: 1,
        period_type: PeriodTypeId::from("M"),
        periods: PeriodSelection::List(NonEmpty::new(vec![PeriodId::from("2026M06")]).unwrap()),
        hierarchies: vec![(HierarchyId::from("_nykom"), HierarchySelection::Total)],
    }
}

pub const ONE_CELL: &str =
    r#"{"columns": ["Periode", "Område", "Antal"], "rows": [["2026M06", "Hele landet", 7]]}"#;
