//! Refreshes of the collector: what is published after successes and failures.

use std::time::Duration;

use jobindsats_bridge::clock::Clock;
use jobindsats_bridge::indicators::figures::Baseline;
use jobindsats_bridge::observe::upstream_observer::FailureReason;
use jobindsats_bridge::plan::selection::Members;
use serde_json::json;

use super::fake::{self, AARHUS, COUNTRY, KOEGE, LAESOE, lines, sample};

const UP: &str = "jobindsats_indicator_up{indicator=\"personer\"}";
const REVISIONS: &str = "jobindsats_indicator_revisions_total{indicator=\"personer\"}";

fn failures(reason: &str) -> String {
    format!("jobindsats_indicator_refresh_failures_total{{indicator=\"personer\",reason=\"{reason}\"}}")
}

#[tokio::test]
async fn a_refresh_reads_all_periods_and_publishes_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let (source, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    assert!(collector.refresh("personer").await);
    let snapshot = collector.published().snapshot.clone();
    let figures = snapshot.indicator("personer").unwrap().figures.clone().unwrap();
    assert_eq!(
        figures.periods.iter().map(|period| period.id.as_str()).collect::<Vec<_>>(),
        ["2026M06", "2026M05", "2026M04", "2025M06"]
    );
    assert_eq!(source.change(|databank| databank.selections[0].periods.len()), 4);
    assert_eq!(figures.newest(), Some(0));
    assert_eq!(
        (figures.baselines(Baseline::PreviousPeriod)[0], figures.baselines(Baseline::YearBefore)[0]),
        (Some(1), Some(3))
    );
    assert_eq!(sample(&collector, "jobindsats_indicator_areas"), 4.0);
    assert_eq!(
        sample(&collector, "jobindsats_indicator_suppressed_areas"),
        2.0,
        "Køge, and Region Sjælland without a row"
    );
}

#[tokio::test]
async fn a_suppressed_area_has_no_sample_and_no_older_period_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    collector.refresh("personer").await;
    assert_eq!(lines(&collector, "jobindsats_municipality_persons").len(), 2);
    assert!(lines(&collector, "jobindsats_").iter().all(|line| !line.contains("Køge")));
    assert!(!lines(&collector, "").iter().any(|line| line.contains("NaN")));
}

#[tokio::test]
async fn a_change_needs_both_sides_and_a_baseline_that_is_not_zero() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    collector.refresh("personer").await;
    let country = "jobindsats_country_change_ratio{source=\"simulator\",indicator=\"personer\",baseline=";
    assert_eq!(sample(&collector, &format!("{country}\"previous_period\"")), 0.015_425);
    assert_eq!(sample(&collector, &format!("{country}\"year_before\"")), -0.187_66);
    let municipalities = lines(&collector, "jobindsats_municipality_change_ratio");
    assert_eq!(
        municipalities.len(),
        1,
        "Læsø rose from zero, Aarhus has no figure a year ago: {municipalities:?}"
    );
    assert!(municipalities[0].contains("Aarhus") && municipalities[0].ends_with(" 0.09733333333333333"));
}

#[tokio::test]
async fn a_share_changes_by_percentage_points_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let share = fake::definition(json!({ "quantity": "percent", "measure": "m_1", "levels": ["country"] }));
    let (source, _, collector) = fake::collector(&[share], folder.path());
    for (period, percent) in [("2026M06", 3.2), ("2026M05", 2.9)] {
        source.change(|databank| databank.cells.insert((COUNTRY, period), Some(percent)));
    }
    collector.refresh("personer").await;
    let change = "jobindsats_country_change_points{source=\"simulator\",indicator=\"personer\",baseline=\"previous_period\"}";
    assert_eq!(sample(&collector, change), 0.3);
    let counts = fake::collector(&[fake::definition(json!({}))], tempfile::tempdir().unwrap().path()).2;
    counts.refresh("personer").await;
    assert_eq!(lines(&counts, "jobindsats_country_change_points"), Vec::<String>::new());
}

#[tokio::test]
async fn a_gap_of_a_month_gives_no_change_from_the_month_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (source, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    source.change(|databank| databank.cells.retain(|(_, period), _| *period != "2026M05"));
    collector.refresh("personer").await;
    assert!(
        lines(&collector, "jobindsats_country_change_ratio").iter().all(|line| line.contains("year_before"))
    );
}

#[tokio::test]
async fn figures_are_read_again_only_when_the_date_moves_or_a_day_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, clock, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    let reads = || source.change(|databank| databank.reads);
    collector.refresh("personer").await;
    clock.advance(Duration::from_secs(3600));
    assert!(collector.refresh("personer").await);
    assert_eq!(reads(), 1, "nothing is new");
    let success = sample(&collector, "jobindsats_indicator_last_success_timestamp_seconds{");
    assert_eq!(success, clock.now().timestamp_millis() as f64 / 1000.0, "to find nothing new is a success");
    source.change(|databank| databank.update_latest = databank.update_next);
    collector.refresh("personer").await;
    assert_eq!(reads(), 2, "the date moved");
    clock.advance(Duration::from_secs(24 * 3600));
    collector.refresh("personer").await;
    assert_eq!(reads(), 3, "a day passed");
    assert_eq!(sample(&collector, "jobindsats_indicator_refreshes_total"), 4.0);
}

#[tokio::test]
async fn figures_are_as_old_as_the_databank_answer_that_they_came_in() {
    let folder = tempfile::tempdir().unwrap();
    let (source, clock, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    source.change(|databank| databank.stored_for = Duration::from_secs(23 * 3600));
    collector.refresh("personer").await;
    clock.advance(Duration::from_secs(2 * 3600));
    collector.refresh("personer").await;
    assert_eq!(source.change(|databank| databank.reads), 2, "a day after the answer, not after the refresh");
}

#[tokio::test]
async fn revised_and_withdrawn_figures_are_counted_but_new_periods_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (source, clock, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    source.change(|databank| databank.cells.retain(|(_, period), _| *period != "2026M06"));
    collector.refresh("personer").await;
    assert_eq!(sample(&collector, REVISIONS), 0.0);
    source.change(|databank| {
        databank.update_latest = databank.update_next;
        databank.cells.insert((COUNTRY, "2026M06"), Some(82_000.0));
        databank.cells.insert((COUNTRY, "2026M05"), Some(80_001.0));
        databank.cells.insert((AARHUS, "2026M05"), None);
        databank.cells.remove(&(LAESOE, "2026M05"));
    });
    collector.refresh("personer").await;
    assert_eq!(sample(&collector, REVISIONS), 3.0);
    clock.advance(Duration::from_secs(25 * 3600));
    collector.refresh("personer").await;
    assert_eq!(sample(&collector, REVISIONS), 3.0, "the same figures read again are no revision");
}

#[tokio::test]
async fn revised_figures_are_listed_with_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(fake::noon());
    let source = fake::FakeSource::new(&clock);
    let (collector, log) =
        fake::start_with_log(&source, &clock, &[fake::definition(json!({}))], folder.path());
    collector.refresh("personer").await;
    source.change(|databank| {
        databank.update_latest = databank.update_next;
        databank.cells.insert((AARHUS, "2026M05"), Some(4_321.0));
    });
    collector.refresh("personer").await;
    let listed = log.figures();
    assert_eq!(listed.len(), 1);
    let change = &listed[0];
    assert_eq!((change.table.as_str(), change.period.as_str()), ("y99a02", "2026M05"));
    assert_eq!((change.area.as_deref(), change.after), (Some("Aarhus"), Some(4_321.into())));
}

#[tokio::test]
async fn a_failed_refresh_keeps_what_was_known_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (source, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    assert_eq!(
        lines(&collector, "jobindsats_indicator_refresh_failures_total").len(),
        9,
        "all reasons from the start"
    );
    collector.refresh("personer").await;
    let before = lines(&collector, "jobindsats_municipality");
    for reason in FailureReason::ALL {
        source.change(|databank| databank.fault = Some(reason));
        assert!(!collector.refresh("personer").await);
        assert_eq!(sample(&collector, &failures(reason.as_str())), 1.0);
    }
    assert_eq!(sample(&collector, UP), 0.0);
    assert_eq!(lines(&collector, "jobindsats_municipality"), before);
    let state = collector.published().snapshot.indicator("personer").cloned().unwrap();
    assert_eq!(state.health.last_failure.as_deref(), Some("databanken svarer ikke"));
    source.change(|databank| databank.fault = None);
    assert!(collector.refresh("personer").await);
    assert_eq!(sample(&collector, UP), 1.0);
}

#[tokio::test]
async fn before_the_first_success_there_is_health_but_no_figure() {
    let folder = tempfile::tempdir().unwrap();
    let (source, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    source.change(|databank| databank.fault = Some(FailureReason::Connect));
    collector.refresh("personer").await;
    assert_eq!(sample(&collector, "jobindsats_indicator_last_success_timestamp_seconds{"), 0.0);
    assert_eq!(sample(&collector, "jobindsats_indicator_info"), 1.0);
    for family in ["jobindsats_country", "jobindsats_indicator_period", "jobindsats_indicator_areas"] {
        assert_eq!(lines(&collector, family), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_right_is_refused() {
    type Spoil = fn(&mut fake::Databank);
    let cases: [(&str, Spoil); 4] = [
        ("fewer than half", |databank| databank.cells.retain(|(area, _), _| *area == COUNTRY)),
        ("no figure is published", |databank| databank.cells.values_mut().for_each(|figure| *figure = None)),
        ("no measure is called", |databank| {
            let mut renamed =
                jobindsats_bridge::catalogue::measurement::Measurement::clone(&databank.measurement);
            "Antal borgere".clone_into(&mut renamed.measures[0].heading);
            "Antal borgere".clone_into(&mut renamed.measures[0].label);
            databank.measurement = renamed.into();
        }),
        ("no periods of type", |databank| {
            let mut other =
                jobindsats_bridge::catalogue::measurement::Measurement::clone(&databank.measurement);
            other.periods.retain(|period| period.type_id.as_str() == "Q");
            databank.measurement = other.into();
        }),
    ];
    for (expected, spoil) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (source, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
        collector.refresh("personer").await;
        source.change(|databank| {
            databank.update_latest = databank.update_next;
            spoil(databank);
        });
        assert!(!collector.refresh("personer").await, "{expected}");
        assert_eq!(sample(&collector, &failures("validation")), 1.0, "{expected}");
        assert_eq!(
            lines(&collector, "jobindsats_municipality_persons").len(),
            2,
            "{expected}: old figures stay"
        );
        let health = collector.published().snapshot.indicator("personer").unwrap().health.clone();
        assert!(health.last_failure.as_deref().unwrap().contains(expected), "{health:?}");
    }
}

#[tokio::test]
async fn one_broken_indicator_leaves_the_others_alone() {
    let folder = tempfile::tempdir().unwrap();
    let broken = fake::definition(json!({ "id": "broken", "measure": "Findes ikke" }));
    let (_, _, collector) = fake::collector(&[broken, fake::definition(json!({}))], folder.path());
    assert!(!collector.refresh("broken").await);
    assert!(collector.refresh("personer").await);
    assert_eq!(sample(&collector, "jobindsats_indicator_up{indicator=\"broken\"}"), 0.0);
    assert_eq!(sample(&collector, UP), 1.0);
}

#[tokio::test]
async fn an_area_that_the_table_loses_is_gone_from_the_next_rendering() {
    let folder = tempfile::tempdir().unwrap();
    let (source, _, collector) = fake::collector(&[fake::definition(json!({}))], folder.path());
    collector.refresh("personer").await;
    assert!(lines(&collector, "jobindsats_municipality").iter().any(|line| line.contains("Læsø")));
    source.change(|databank| {
        databank.update_latest = databank.update_next;
        databank.cells.retain(|(area, _), _| *area != LAESOE);
    });
    assert!(collector.refresh("personer").await);
    assert!(!lines(&collector, "jobindsats_municipality").iter().any(|line| line.contains("Læsø")));
}

#[tokio::test]
async fn the_country_alone_is_asked_for_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let alone = fake::definition(json!({ "levels": ["country"] }));
    let (source, _, collector) = fake::collector(&[alone], folder.path());
    assert!(collector.refresh("personer").await);
    assert_eq!(source.change(|databank| databank.selections[0].members[0].clone()), Members::Named(vec![0]));
    assert_eq!(sample(&collector, "jobindsats_country_persons"), 81_234.0);
    assert_eq!(lines(&collector, "jobindsats_municipality"), [] as [&str; 0]);
}

#[tokio::test]
async fn refreshes_at_the_same_time_do_not_lose_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let ids = ["a", "b", "c", "d"];
    let all: Vec<_> = ids.iter().map(|id| fake::definition(json!({ "id": id }))).collect();
    let (_, _, collector) = fake::collector(&all, folder.path());
    let outcomes = futures_util::future::join_all(ids.map(|id| collector.refresh(id))).await;
    assert_eq!(outcomes, [true; 4]);
    assert_eq!(lines(&collector, "jobindsats_country_persons").len(), 4);
}

#[tokio::test]
async fn other_definitions_keep_what_still_stands_for_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let both = [fake::definition(json!({})), fake::definition(json!({ "id": "gone" }))];
    let (_, _, collector) = fake::collector(&both, folder.path());
    collector.refresh("personer").await;
    collector.refresh("gone").await;
    collector.redefine(&fake::definitions(&[
        fake::definition(json!({ "title": "Nyt navn" })),
        fake::definition(json!({ "id": "new" })),
    ]));
    assert_eq!(lines(&collector, "jobindsats_country_persons").len(), 1, "kept, and the others not there");
    assert!(lines(&collector, "jobindsats_indicator_info{indicator=\"personer\"")[0].contains("Nyt navn"));
    assert_eq!(lines(&collector, "jobindsats_indicator_up").len(), 2);
    assert!(lines(&collector, "").iter().all(|line| !line.contains("\"gone\"")));
    collector.redefine(&fake::definitions(&[fake::definition(json!({ "members": { "_sats": "2" } }))]));
    assert_eq!(lines(&collector, "jobindsats_country_persons").len(), 0, "another choice is another figure");
    assert!(collector.refresh("gone").await, "nothing is left to refresh");
}

#[tokio::test]
async fn a_doubled_row_must_agree_with_itself() {
    use jobindsats_bridge::indicators::figures::{Figures, FiguresError};
    use jobindsats_bridge::indicators::resolve::resolve;
    use jobindsats_bridge::indicators::source::FigureSource;

    let clock = jobindsats_bridge::clock::Clock::fixed(fake::noon());
    let source = fake::FakeSource::new(&clock);
    let definitions = fake::definitions(&[fake::definition(json!({}))]);
    let resolved = resolve(definitions.iter().next().unwrap(), &fake::measurement()).unwrap();
    let read = || source.cells(&resolved.measurement, &resolved.selection);
    let mut blocks = read().await.unwrap();
    blocks.extend(read().await.unwrap());
    assert!(Figures::assemble(&resolved, &blocks).is_ok());
    source.change(|databank| databank.cells.insert((KOEGE, "2026M06"), Some(1.0)));
    blocks.extend(read().await.unwrap());
    let error = Figures::assemble(&resolved, &blocks).unwrap_err();
    assert_eq!(error, FiguresError::Contradiction { area: "Køge".to_owned(), period: "2026M06".to_owned() });
    source.change(|databank| databank.cells.insert((COUNTRY, "2026M06"), Some(-1.0)));
    let mut stripped = read().await.unwrap();
    stripped.iter_mut().for_each(|block| {
        let mut bare = jobindsats_bridge::store::block::CellBlock::clone(block);
        bare.cells = bare.cells.project(&[0, 1]).unwrap();
        *block = bare.into();
    });
    let error = Figures::assemble(&resolved, &stripped).unwrap_err();
    assert_eq!(error, FiguresError::MissingColumn("m_0".to_owned()));
}
