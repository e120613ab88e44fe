//! The client and the catalogue against the simulator, table by table.

use std::sync::Arc;
use std::time::Duration;

use jobindsats_bridge::catalogue::dimension::Dimension;
use jobindsats_bridge::catalogue::id::{HierarchyId, PeriodTypeId};
use jobindsats_bridge::catalogue::measurement::Measurement;
use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::observe::news::Announcements;
use jobindsats_bridge::observe::reports::FailureReports;
use jobindsats_bridge::refresh::sync::files::CatalogueFiles;
use jobindsats_bridge::refresh::sync::keeper::{CatalogueKeeper, SyncScope};
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::simulator::{Faults, Simulator, SimulatorOptions, start};
use jobindsats_bridge::upstream::TableHints;
use jobindsats_bridge::upstream::client::{ClientOptions, HttpUpstream, Upstream};
use jobindsats_bridge::upstream::error::Failure;
use jobindsats_bridge::upstream::request::{
    DataRequest, HierarchySelection, MeasureSelection, NonEmpty, PeriodSelection,
};
use jobindsats_bridge::upstream::retry::Retry;
use jobindsats_bridge::upstream::slots::NoOthers;

async fn pair() -> (Simulator, Arc<HttpUpstream>) {
    let simulator =
        start(SimulatorOptions { closed_hour: false, ..SimulatorOptions::default() }).await.unwrap();
    let options = ClientOptions {
        base_url: simulator.url(),
        key: Some(ApiKey::new("any-token").unwrap()),
        timeout: Duration::from_secs(30),
        concurrency: 4,
        closed_hour: false,
        key_file: None,
        retry: Retry { pauses: vec![Duration::from_millis(5); 3], jitter: 0.0 },
        clock: Clock::default(),
        observer: Arc::new(FailureReports::default()),
        slots: Arc::new(NoOthers),
        announcements: Announcements::default(),
    };
    let upstream = HttpUpstream::new(options).unwrap();
    (simulator, Arc::new(upstream))
}

/// The newest period of the first type, by area, with every measure.
fn newest(measurement: &Measurement) -> DataRequest {
    let period = &measurement.periods[0];
    let area = &measurement.dimensions[measurement.area().unwrap()];
    DataRequest {
        table: measurement.id.clone(),
        measures: MeasureSelection::All,
        measure_count: measurement.measures.len(),
        period_type: PeriodTypeId::from(period.type_id.as_str()),
        periods: PeriodSelection::List(NonEmpty::new(vec![period.id.clone()]).unwrap()),
        hierarchies: vec![hierarchy(area)],
    }
}

fn hierarchy(dimension: &Dimension) -> (HierarchyId, HierarchySelection) {
    (dimension.hierarchies[0].id.clone(), HierarchySelection::All)
}

#[tokio::test]
async fn every_table_of_the_simulator_is_read_and_gives_figures_under_the_headings_that_its_metadata_promises()
 {
    let (_simulator, upstream) = pair().await;
    let folder = tempfile::tempdir().unwrap();
    let keeper = CatalogueKeeper::open(
        CatalogueFiles::new(folder.path()),
        Arc::<HttpUpstream>::clone(&upstream),
        Clock::default(),
        TableHints::built_in(),
    );
    let report = keeper.sync(SyncScope::All, 4, |_| ()).await.unwrap();
    assert_eq!(report.failed.len(), 0, "{:?}", report.failed);
    let catalogue = keeper.current();
    assert_eq!(catalogue.measurements.len(), catalogue.heads.len());
    assert!(catalogue.measurements.len() >= 50, "{}", catalogue.measurements.len());
    for measurement in catalogue.measurements.values() {
        let table = upstream.data(&newest(measurement)).await.unwrap();
        let promised: Vec<_> = measurement.measures.iter().map(|measure| measure.heading.as_str()).collect();
        assert_eq!(table.headings[2..], promised, "{}", measurement.id);
        assert!(table.row_count() > 0, "{}", measurement.id);
    }
}

#[tokio::test]
async fn a_pinned_dimension_and_one_without_total_are_known_as_such() {
    let (_simulator, upstream) = pair().await;
    let folder = tempfile::tempdir().unwrap();
    let keeper = CatalogueKeeper::open(
        CatalogueFiles::new(folder.path()),
        upstream,
        Clock::default(),
        TableHints::built_in(),
    );
    let pinned = keeper.measurement("y24j").await.unwrap();
    let dimension =
        pinned.dimensions.iter().find(|dimension| dimension.id.as_str() == "_popbeskudl").unwrap();
    assert_eq!(dimension.pinned.map(|member| dimension.members[member].id.to_string()).as_deref(), Some("2"));
    for table in ["y25i06", "y25i06b"] {
        let without = keeper.measurement(table).await.unwrap();
        let dimension =
            without.dimensions.iter().find(|dimension| dimension.id.as_str() == "_var13uger").unwrap();
        assert_eq!(dimension.total(), None, "{table}");
    }
}

#[tokio::test]
async fn every_fault_of_the_simulator_is_the_failure_that_it_imitates() {
    let (simulator, upstream) = pair().await;
    let folder = tempfile::tempdir().unwrap();
    let keeper = CatalogueKeeper::open(
        CatalogueFiles::new(folder.path()),
        Arc::<HttpUpstream>::clone(&upstream),
        Clock::default(),
        TableHints::built_in(),
    );
    let request = newest(&keeper.measurement("y25i01").await.unwrap());
    let none = Faults::default;
    type Expected = fn(&Failure) -> bool;
    let cases: [(&str, Faults, Expected); 5] = [
        ("unauthorized", Faults { unauthorized: 1, ..none() }, |failure| {
            matches!(failure, Failure::Unauthorized)
        }),
        ("html", Faults { html: 1, ..none() }, |failure| matches!(failure, Failure::Decode(_))),
        ("wrong types", Faults { wrong_types: 1, ..none() }, |failure| matches!(failure, Failure::Decode(_))),
        ("cell limit", Faults { cell_limit: Some(5), ..none() }, |failure| {
            matches!(failure, Failure::TooLarge { .. })
        }),
        ("updating", Faults { updating: ["y25i01".to_owned()].into(), ..none() }, |failure| {
            matches!(failure, Failure::Updating { .. })
        }),
    ];
    for (name, faults, expected) in cases {
        simulator.control().set_faults(faults);
        let error = upstream.data(&request).await.unwrap_err();
        assert!(expected(&error.failure), "{name}: {error}");
    }
    simulator.control().set_faults(Faults { forbidden: 1, ..none() });
    upstream.data(&request).await.unwrap();
}
