//! The program with a collector of traces that fails in every way: it serves on, says once what is wrong, and once that it is well again.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use jobindsats_bridge::simulator::{self, SimulatorOptions};

use crate::kill::process::Bridge;
use crate::support::collector::{Collector, Manner};
use crate::support::patience::until;

const FAILS: &str = "the collector does not take traces";
const IS_WELL: &str = "the collector takes traces again";

/// The lines of a log with a text.
fn lines(log: &Path, text: &str) -> Vec<String> {
    let said = fs::read_to_string(log).unwrap();
    said.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

/// The program with traces for a collector, which it sends them to without delay.
async fn bridge(simulator: &str, collector: &str, folder: &Path, log: &Path) -> Bridge {
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=tal,deployment.environment.name=test"),
    ];
    Bridge::start_on_logging(simulator, folder, &settings, log).await
}

async fn quiet_simulator() -> simulator::Simulator {
    let options = SimulatorOptions { closed_hour: false, ..SimulatorOptions::default() };
    simulator::start(options).await.unwrap()
}

#[tokio::test]
async fn a_collector_that_answers_badly_is_told_of_once_and_served_again_when_it_is_well() {
    let (simulator, collector) = (quiet_simulator().await, Collector::start().await);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let bridge = bridge(&simulator.url(), &collector.url, &folder.path().join("data"), &log).await;
    let ask = async || assert_eq!(bridge.get("/healthz").await.unwrap().0, 200);
    for (number, (manner, reason)) in [
        (Manner::Refuses, "400 Bad Request"),
        (Manner::Redirects, "307 Temporary Redirect"),
        (Manner::TalksWithoutEnd, "its answer is too long"),
        (Manner::KeepsSilent, "operation timed out"),
    ]
    .into_iter()
    .enumerate()
    {
        collector.behave(manner);
        until(&format!("{manner:?} is told of"), async || {
            ask().await;
            lines(&log, FAILS).len() > number
        })
        .await;
        let exports = collector.arrived();
        if manner != Manner::KeepsSilent {
            until("it was tried again", async || {
                ask().await;
                collector.arrived() > exports + 2
            })
            .await;
        }
        let told = lines(&log, FAILS);
        assert_eq!(told.len(), number + 1, "{told:?}");
        assert!(told[number].contains(reason), "{}", told[number]);
        collector.behave(Manner::Takes);
        until("it is well again", async || {
            ask().await;
            lines(&log, IS_WELL).len() > number
        })
        .await;
    }
    collector.behave(Manner::TalksNonsense);
    let before = collector.received().len();
    until("exports go on", async || {
        ask().await;
        collector.received().len() > before + 2
    })
    .await;
    assert_eq!(
        (lines(&log, FAILS).len(), lines(&log, IS_WELL).len()),
        (4, 4),
        "its answer is of no interest"
    );
    assert!(collector.elsewhere().is_empty(), "{:?}", collector.elsewhere());
    let resource = collector.received()[0].resource_spans[0].resource.clone().unwrap();
    let said = format!("{:?}", resource.attributes);
    assert!(said.contains("\"tal\"") && !said.contains("\"jobindsats-bridge\""), "{said}");
    collector.stop().await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_told_of_with_the_reason_of_the_system() {
    let simulator = quiet_simulator().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let bridge =
        bridge(&simulator.url(), &format!("http://{address}"), &folder.path().join("data"), &log).await;
    until("it is told of", async || {
        assert_eq!(bridge.get("/healthz").await.unwrap().0, 200);
        !lines(&log, FAILS).is_empty()
    })
    .await;
    let told = lines(&log, FAILS);
    assert!(told.len() == 1 && told[0].contains("Connection refused"), "{told:?}");
    simulator.stop().await;
}
