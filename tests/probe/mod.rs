//! The probe against the simulator: it names every variant from the answers alone, in few calls, and writes what a service follows.

use std::collections::BTreeSet;
use std::time::Duration;

use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::probe::points::{Outcome, POINTS};
use jobindsats_bridge::probe::{self, CallError, CallerOptions, Findings, MOST_CALLS};
use jobindsats_bridge::settings::key::ApiKey;
use jobindsats_bridge::simulator::{self, Dialect, Simulator, SimulatorOptions, Variant};
use jobindsats_bridge::upstream::dialect::{DIALECT_FILE, Dialect as Found};
use jobindsats_bridge::upstream::forms::Form;

const KEY: &str = "hemmelig-0123456789";

async fn simulator(variants: &[Variant]) -> Simulator {
    let dialect: Dialect = variants.iter().copied().collect();
    let options = SimulatorOptions { dialect, closed_hour: false, ..SimulatorOptions::default() };
    simulator::start(options).await.unwrap()
}

fn options(url: String) -> CallerOptions {
    let clock = Clock::fixed("2026-09-15T07:00:00Z".parse().unwrap());
    CallerOptions {
        base_url: url,
        key: Some(ApiKey::new(KEY).unwrap()),
        closed_hour: true,
        clock,
        pause: Duration::ZERO,
    }
}

async fn findings(variants: &[Variant]) -> Findings {
    let simulator = simulator(variants).await;
    let findings = probe::run(options(simulator.url()), |_, _| {}).await.unwrap();
    assert_eq!(findings.ended, None, "{variants:?}");
    assert!(findings.calls.len() <= MOST_CALLS, "{variants:?}: {} calls", findings.calls.len());
    simulator.stop().await;
    findings
}

/// Of what was seen, the names that are variants of the simulator.
fn named(findings: &Findings) -> BTreeSet<&'static str> {
    findings.seen().filter(|name| name.parse::<Variant>().is_ok()).collect()
}

fn names(variants: &[Variant]) -> BTreeSet<&'static str> {
    variants.iter().map(|variant| variant.name()).collect()
}

#[test]
fn every_variant_of_the_simulator_is_a_point() {
    let points: BTreeSet<_> = POINTS.iter().map(|point| point.name).collect();
    assert_eq!(points.len(), POINTS.len());
    for variant in Variant::ALL {
        assert!(points.contains(variant.name()), "{variant}");
    }
}

#[actix_web::test]
async fn an_upstream_as_it_is_thought_to_be_shows_no_variant() {
    assert_eq!(named(&findings(&[]).await), BTreeSet::new());
}

#[actix_web::test]
async fn each_variant_is_named_from_answers_alone() {
    for variant in Variant::ALL {
        assert_eq!(named(&findings(&[*variant]).await), names(&[*variant]), "{variant}");
    }
}

/// A sixth of the pairs, or all with `ALL_PAIRS=1`.
#[actix_web::test]
async fn pairs_of_variants_are_named() {
    let step = if std::env::var_os("ALL_PAIRS").is_some() { 1 } else { 6 };
    for (at, first) in Variant::ALL.iter().enumerate() {
        let others = Variant::ALL[at + 1..].iter().filter(|second| !first.excludes(**second));
        for second in others.skip(at % step).step_by(step) {
            assert_eq!(named(&findings(&[*first, *second]).await), names(&[*first, *second]));
        }
    }
}

#[actix_web::test]
async fn the_report_tells_every_point_without_the_key_and_a_service_obeys_the_dialect() {
    let folder = tempfile::tempdir().unwrap();
    let findings = findings(&[Variant::RootInListRefused, Variant::Gateway504]).await;
    let report = std::fs::read_to_string(findings.write(folder.path(), "simulator").unwrap()).unwrap();
    for point in POINTS {
        assert!(report.contains(&format!("| {} |", point.name)), "{}", point.name);
    }
    assert!(
        report.contains("**seen**")
            && report.contains("not seen")
            && report.contains("cannot be tried politely")
    );
    let dialect = std::fs::read_to_string(folder.path().join(DIALECT_FILE)).unwrap();
    assert!(!report.contains(KEY) && !dialect.contains(KEY));
    let found = Found::read(folder.path()).unwrap();
    assert!(found.forms.is_refused(Form::RootInList) && found.forms.is_proven(Form::LongList));
    assert_eq!(found.cell_limit, Some(10_000));
    assert!(found.seen.contains(&"gateway-504".to_owned()));
}

#[actix_web::test]
async fn nothing_is_asked_near_the_closed_hour() {
    let simulator = simulator(&[]).await;
    let clock = Clock::fixed("2026-09-15T19:59:00Z".parse().unwrap());
    let findings = probe::run(CallerOptions { clock, ..options(simulator.url()) }, |_, _| {}).await.unwrap();
    assert!(matches!(findings.ended, Some(CallError::Closed(_))), "{:?}", findings.ended);
    assert_eq!(findings.calls.len(), 0);
    assert!(findings.points.iter().all(|(_, outcome)| matches!(outcome, Outcome::NotTried(_))));
    assert_eq!(simulator.control().requests().arrivals.len(), 0);
}

#[actix_web::test]
async fn a_refused_key_ends_the_run_at_once() {
    let options_of = SimulatorOptions {
        token: Some("en-anden".to_owned()),
        closed_hour: false,
        ..SimulatorOptions::default()
    };
    let simulator = simulator::start(options_of).await.unwrap();
    let findings = probe::run(options(simulator.url()), |_, _| {}).await.unwrap();
    assert_eq!((findings.ended, findings.calls.len()), (Some(CallError::Unauthorized), 1));
}
