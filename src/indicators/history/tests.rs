use std::cell::RefCell;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use chrono_tz::Europe::Copenhagen;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::json;

use super::*;
use crate::catalogue::id::{MemberId, PeriodTypeId};
use crate::indicators::definition::Definitions;
use crate::indicators::resolve::Area;

const LOOK_BACK: i64 = 5 * 60 * 1000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The series of all indicators.
fn read(snapshot: &Snapshot, query: &Query, budget: &mut usize) -> Result<Vec<Series>, HistoryError> {
    let indicators = 0..snapshot.indicators.len();
    let read = indicators.map(|indicator| read_indicator(snapshot, indicator, query, budget));
    Ok(read.collect::<Result<Vec<_>, _>>()?.concat())
}

fn ms(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().unwrap().timestamp_millis()
}

fn area(level: AreaLevel, code: &str, name: &str) -> Area {
    Area { level, member: MemberId::from(code), code: code.to_owned(), name: name.to_owned() }
}

/// An indicator of the country and two municipalities; the figure of area `a` in the n-th period is `100 × a + n`, counted from
/// the newest. Læsø's newest is not published.
fn state(id: &str, period_type: &str, periods: &[&str], quantity: &str) -> Arc<IndicatorState> {
    let definition = json!({
        "id": id, "title": "T", "table": "y25i01", "measure": "M", "period_type": period_type, "quantity": quantity
    });
    let definitions = Definitions::parse(&json!({ "indicators": [definition] }).to_string(), 20_000).unwrap();
    let type_id = PeriodTypeId::from(period_type);
    let areas = vec![
        area(AreaLevel::Country, "000", "Hele landet"),
        area(AreaLevel::Municipality, "751", "Aarhus"),
        area(AreaLevel::Municipality, "825", "Læsø"),
    ];
    let figure =
        |area: usize, period: usize| ((area, period) != (2, 0)).then(|| Decimal::from(100 * area + period));
    let figures = Figures {
        measure: "M".to_owned(),
        periods: periods.iter().map(|id| Period::new(&type_id, id)).collect(),
        values: (0..3).flat_map(|area| (0..periods.len()).map(move |period| figure(area, period))).collect(),
        areas,
        rows: 0,
        update_latest: None,
        read_at: DateTime::UNIX_EPOCH,
    };
    let mut state = IndicatorState::new(Arc::clone(definitions.iter().next().unwrap()));
    state.figures = Some(Arc::new(figures));
    Arc::new(state)
}

/// The published figures without their changes.
const FIGURES: &[(&str, &str)] = &[("baseline", "")];
const MONTHS: [&str; 4] = ["2026M06", "2026M05", "2026M04", "2026M02"];

fn snapshot() -> Snapshot {
    let indicators =
        vec![state("personer", "M", &MONTHS, "persons"), state("andel", "Q", &["2026Q01"], "percent")];
    Snapshot { origin: "simulator".into(), indicators }
}

/// What Prometheus 2 sends for a range of instant selectors.
fn range(start: i64, end: i64, step: i64) -> Query {
    let hints = Hints { start_ms: start - LOOK_BACK, end_ms: end, step_ms: step, ..Hints::default() };
    Query { start_ms: start - LOOK_BACK, end_ms: end, matchers: Vec::new(), hints }
}

fn only(query: Query, matchers: &[(&str, &str)]) -> Query {
    let equal = |(label, value): &(&str, &str)| Matcher::equal((*label).to_owned(), (*value).to_owned());
    Query { matchers: matchers.iter().map(equal).collect(), ..query }
}

fn answer(query: &Query) -> Vec<Series> {
    read(&snapshot(), query, &mut SAMPLE_LIMIT.clone()).unwrap()
}

/// The value that an instant selector finds at an instant.
fn seen(series: &Series, at: i64) -> Option<f64> {
    let newest = series.samples.iter().rev().find(|sample| sample.at_ms <= at)?;
    (newest.at_ms > at - LOOK_BACK && newest.value.to_bits() != ENDED.to_bits()).then_some(newest.value)
}

#[test]
fn series_carry_the_labels_of_a_scrape_ordered_by_name() {
    let query = range(ms("2026-05-10T00:00:00Z"), ms("2026-05-11T00:00:00Z"), DAY);
    let found = answer(&only(query, FIGURES));
    let written: Vec<_> = found.iter().map(|series| format!("{:?}", series.labels)).collect();
    let country = r#"[("__name__", "jobindsats_history_country_persons"), ("indicator", "personer"), ("source", "simulator")]"#;
    let place = r#"[("__name__", "jobindsats_history_municipality_persons"), ("area", "Aarhus"), ("area_code", "751"), ("indicator", "personer"), ("source", "simulator")]"#;
    assert_eq!(written[..2], [country, place]);
    assert_eq!(found.len(), 3, "the quarter lies outside");
}

#[test]
fn a_value_is_shown_for_its_period_in_copenhagen_and_a_missing_one_leaves_a_gap() {
    let query = only(
        range(ms("2026-01-01T00:00:00Z"), ms("2026-08-01T00:00:00Z"), 60 * 60 * 1000),
        &[("indicator", "personer"), ("area_code", "825"), ("baseline", "")],
    );
    let found = answer(&query);
    let at = |time: &str| seen(&found[0], ms(time));
    assert_eq!(at("2026-01-31T22:00:00Z"), None, "before everything");
    assert_eq!(at("2026-01-31T23:00:00Z"), Some(203.0), "midnight in winter");
    assert_eq!(at("2026-03-15T00:00:00Z"), None, "March is missing");
    assert_eq!(at("2026-03-31T21:00:00Z"), None);
    assert_eq!(at("2026-03-31T22:00:00Z"), Some(202.0), "midnight in summer");
    assert_eq!(at("2026-05-31T21:00:00Z"), Some(201.0));
    assert_eq!(at("2026-05-31T22:00:00Z"), None, "June is suppressed");
}

#[test]
fn ratios_are_ratios_and_long_periods_are_shown_for_their_last_part() {
    let held = |type_id: &str, id: &str| {
        let period = Period::new(&PeriodTypeId::from(type_id), id);
        held_from(&period).map(|day| day.to_string())
    };
    assert_eq!(held("M", "2026M02").as_deref(), Some("2026-02-01"));
    assert_eq!(held("Q", "2026Q02").as_deref(), Some("2026-04-01"));
    assert_eq!(held("Y", "2025Y01").as_deref(), Some("2025-01-01"));
    assert_eq!(held("QMAT", "2026QMAT01").as_deref(), Some("2026-01-01"));
    assert_eq!(held("MYTD", "2026MYTD07").as_deref(), Some("2026-07-01"));
    assert_eq!(held("W", "2026W07"), None);

    let found = answer(&only(
        range(ms("2026-02-01T00:00:00Z"), ms("2026-02-02T00:00:00Z"), DAY),
        &[("__name__", "jobindsats_history_municipality_ratio"), ("area_code", "751")],
    ));
    assert_eq!(seen(&found[0], ms("2026-02-02T00:00:00Z")), Some(1.0), "100 per cent");
}

#[test]
fn a_share_changes_by_percentage_points_too_and_a_count_does_not() {
    let periods = ["2026M06", "2026M05"];
    let indicators =
        vec![state("andel", "M", &periods, "percent"), state("personer", "M", &periods, "persons")];
    let snapshot = Snapshot { origin: "simulator".into(), indicators };
    let query = range(ms("2026-06-10T00:00:00Z"), ms("2026-06-11T00:00:00Z"), DAY);
    for (name, count) in [("change_points", 2), ("change_ratio", 3)] {
        let name = format!("jobindsats_history_country_{name}");
        let query = only(query.clone(), &[("__name__", &name), ("baseline", "previous_period")]);
        let found = read(&snapshot, &query, &mut SAMPLE_LIMIT.clone()).unwrap();
        assert_eq!(found.len() + 1, count, "{name}");
        assert_eq!(seen(&found[0], ms("2026-06-10T00:00:00Z")), Some(-1.0), "from 1 to 0 per cent");
    }
}

#[test]
fn a_change_is_shown_for_the_later_period_and_is_missing_where_either_figure_is() {
    let snapshot = Snapshot {
        origin: "simulator".into(),
        indicators: vec![state("personer", "M", &["2026M06", "2026M05", "2025M06"], "persons")],
    };
    let query = range(ms("2025-01-01T00:00:00Z"), ms("2026-08-01T00:00:00Z"), 60 * 60 * 1000);
    let changes = |level: &str, baseline: &str| {
        let name = format!("jobindsats_history_{level}_change_ratio");
        let query = only(query.clone(), &[("__name__", &name), ("baseline", baseline)]);
        read(&snapshot, &query, &mut SAMPLE_LIMIT.clone()).unwrap()
    };
    let at = |series: &Series, time: &str| seen(series, ms(time));

    let year = changes("municipality", "year_before");
    assert_eq!(year.len(), 1, "Læsø's June is suppressed");
    let written = r#"[("__name__", "jobindsats_history_municipality_change_ratio"), ("area", "Aarhus"), ("area_code", "751"), ("baseline", "year_before"), ("indicator", "personer"), ("source", "simulator")]"#;
    assert_eq!(format!("{:?}", year[0].labels), written);
    assert_eq!(at(&year[0], "2026-05-31T21:00:00Z"), None, "May has no year before");
    assert_eq!(at(&year[0], "2026-05-31T22:00:00Z"), Some(-2.0 / 102.0));
    assert_eq!(at(&year[0], "2026-06-30T21:00:00Z"), Some(-2.0 / 102.0));
    assert_eq!(at(&year[0], "2026-06-30T22:00:00Z"), None);

    let country = changes("country", "previous_period");
    assert_eq!(at(&country[0], "2026-06-15T00:00:00Z"), Some(-1.0), "from 1 to 0");
    assert_eq!(at(&country[0], "2026-05-15T00:00:00Z"), None, "April is missing");
}

#[test]
fn an_instant_query_has_the_one_sample_that_it_looks_for() {
    let at = ms("2026-05-10T12:34:56.789Z");
    let found = answer(&only(range(at, at, 0), &[("indicator", "personer"), ("area_code", "751")]));
    assert_eq!(seen(&found[0], at), Some(101.0));
    assert!(found[0].samples.len() <= 2);
}

#[test]
fn a_query_without_hints_and_a_look_up_of_series_get_a_sample_a_day() {
    let (start_ms, end_ms) = (ms("2026-02-01T00:00:00Z"), ms("2026-07-01T00:00:00Z"));
    let hints = Hints { start_ms, end_ms, ..Hints::default() };
    let found = answer(&only(Query { start_ms, end_ms, matchers: Vec::new(), hints }, FIGURES));
    assert_eq!(found.len(), 5, "Læsø has no quarter");
    let days = found[0].samples.iter().filter(|sample| !sample.value.is_nan()).count();
    assert_eq!(days, 28 + 30 + 31 + 30, "a sample for each day of February, April, May and June");
    assert_eq!(found[0].samples.len(), days + 2, "the series ends twice");
}

#[test]
fn windows_of_range_functions_hold_their_values() {
    let over_at = |at: i64, range_ms: i64, function: &str| {
        let hints = Hints {
            start_ms: at - range_ms,
            end_ms: at,
            step_ms: 0,
            range_ms,
            function: function.to_owned(),
        };
        let query = Query { start_ms: at - range_ms, end_ms: at, matchers: Vec::new(), hints };
        answer(&only(query, &[("indicator", "personer"), ("area_code", "751")])).remove(0).samples
    };
    let over = |range_ms, function| over_at(ms("2026-06-20T00:00:00Z"), range_ms, function);
    let month = over(30 * DAY, "avg_over_time");
    let of = |value: f64| month.iter().filter(|sample| sample.value == value).count();
    assert_eq!((of(100.0), of(101.0)), (20, 11), "every day once: 20 June, back to 21 May");
    assert!(over(60 * 60 * 1000, "changes").len() >= 2);
    assert_eq!(over(400 * DAY, "last_over_time").last().map(|sample| sample.value), Some(100.0));
    let long_after = over_at(ms("2026-11-20T00:00:00Z"), 200 * DAY, "last_over_time");
    let newest = long_after.iter().rfind(|sample| !sample.value.is_nan());
    assert_eq!(newest.map(|sample| sample.value), Some(100.0), "June is the newest figure of the window");
}

#[test]
fn periods_in_which_nobody_looks_cost_nothing() {
    let state = state("personer", "M", &MONTHS, "persons");
    let held = held(state.figures.as_deref().unwrap(), SampleKind::Figure);
    let looked_up = RefCell::new(Vec::new());
    let value = |held: &PeriodSpan| {
        looked_up.borrow_mut().push(held.period);
        Some(1.0)
    };
    let moments = [ms("2026-02-10T00:00:00Z"), ms("2026-03-10T00:00:00Z"), ms("2026-05-10T00:00:00Z")];
    let samples = samples(value, &held, &moments, i64::MAX);
    assert_eq!(
        looked_up.take(),
        [3, 1],
        "February and May; March is not there, and nobody looks at April and June"
    );
    let seen: Vec<_> = samples.iter().filter(|sample| !sample.value.is_nan()).map(|it| it.at_ms).collect();
    assert_eq!(seen, [moments[0], moments[2]]);
}

#[test]
fn all_series_of_an_answer_share_one_budget() {
    let query = range(ms("2026-04-01T00:00:00Z"), ms("2026-06-01T00:00:00Z"), 60_000);
    assert_eq!(read(&snapshot(), &query, &mut 1000), Err(HistoryError::TooManySamples));
    let at = ms("2026-05-10T00:00:00Z");
    let newest = range(at, at, 0);
    let samples: usize = answer(&newest).iter().map(|series| series.samples.len()).sum();
    let series = answer(&newest).len();
    assert!(read(&snapshot(), &newest, &mut (samples + series * SERIES_COST)).is_ok());
    assert_eq!(
        read(&snapshot(), &newest, &mut (samples + series * SERIES_COST - 1)),
        Err(HistoryError::TooManySamples),
        "labels count as well"
    );
    let fine = range(ms("2000-01-01T00:00:00Z"), ms("2030-01-01T00:00:00Z"), 1);
    assert_eq!(read(&snapshot(), &fine, &mut SAMPLE_LIMIT.clone()), Err(HistoryError::TooManySamples));
}

#[test]
fn ranges_that_nobody_can_mean_are_refused_and_long_ones_are_not() {
    let refused =
        |start, end| read(&snapshot(), &range(start, end, DAY), &mut SAMPLE_LIMIT.clone()).unwrap_err();
    assert!(matches!(
        refused(ms("2026-06-01T00:00:00Z"), ms("2026-05-01T00:00:00Z")),
        HistoryError::Reversed { .. }
    ));
    // What Prometheus sends for a look-up of series without start and end.
    let ever = only(range(-9_223_309_901_257_974_000, 9_223_309_901_257_974_000, DAY), FIGURES);
    let hints = Hints { start_ms: i64::MIN, end_ms: i64::MAX, ..ever.hints.clone() };
    assert_eq!(answer(&ever).len(), 5);
    assert_eq!(answer(&Query { hints, ..ever }).len(), 5);
    let centuries = only(range(ms("1500-01-01T00:00:00Z"), ms("2500-01-01T00:00:00Z"), DAY), FIGURES);
    assert_eq!(answer(&centuries).len(), 5);
    let strange = Hints { step_ms: i64::MIN, range_ms: i64::MIN, ..centuries.hints.clone() };
    assert_eq!(answer(&Query { hints: strange, ..centuries.clone() }).len(), 5);
    let huge = Hints { step_ms: i64::MAX, range_ms: i64::MAX, ..centuries.hints.clone() };
    answer(&Query { hints: huge, ..centuries.clone() });
    let many = vec![Matcher::equal("a".to_owned(), String::new()); MATCHER_LIMIT + 1];
    let error = read(&snapshot(), &Query { matchers: many, ..centuries }, &mut SAMPLE_LIMIT.clone());
    assert_eq!(error, Err(HistoryError::TooManyMatchers { found: MATCHER_LIMIT + 1 }));
}

/// The figure of Aarhus that is shown at an instant, computed from the calendar alone.
fn expected(at: i64) -> Option<f64> {
    let wall = DateTime::from_timestamp_millis(at).unwrap().with_timezone(&Copenhagen);
    let id = format!("{}M{:02}", wall.year(), wall.month());
    let place = MONTHS.iter().position(|month| *month == id)?;
    Some(f64::from(u32::try_from(100 + place).unwrap()))
}

proptest! {
    #[test]
    fn every_evaluation_sees_the_period_it_lies_in(
        start in ms("2025-12-01T00:00:00Z")..ms("2026-07-15T00:00:00Z"),
        step in prop_oneof![Just(DAY), Just(3_600_000_i64), 1_000_000_i64..40 * DAY],
        count in 1_i64..60,
        offset in prop_oneof![Just(0_i64), Just(31 * DAY), 0_i64..400 * DAY],
        newer in any::<bool>(),
    ) {
        // Prometheus 3 asks for one millisecond less than Prometheus 2.
        let first = start - offset - LOOK_BACK + i64::from(newer);
        let end = start + count * step - offset;
        let hints = Hints { start_ms: first, end_ms: end, step_ms: step, ..Hints::default() };
        let query = Query { start_ms: first, end_ms: end, matchers: Vec::new(), hints };
        let found = answer(&only(query, &[("indicator", "personer"), ("area_code", "751")]));
        for step_number in 0..=count {
            let at = start + step_number * step - offset;
            let value = found.first().and_then(|series| seen(series, at));
            let wanted = expected(at);
            prop_assert_eq!(value, wanted, "at {}", at);
        }
    }

    #[test]
    fn subqueries_see_the_period_at_every_multiple_of_their_step(
        at in ms("2026-05-01T00:00:00Z")..ms("2026-07-15T00:00:00Z"),
        days in 1_i64..90,
    ) {
        let start = at - days * DAY - LOOK_BACK;
        let hints = Hints { start_ms: start, end_ms: at, step_ms: DAY, function: "avg_over_time".to_owned(), range_ms: 0 };
        let query = Query { start_ms: start, end_ms: at, matchers: Vec::new(), hints };
        let found = answer(&only(query, &[("indicator", "personer"), ("area_code", "751")]));
        for midnight in (at - days * DAY) / DAY + 1..=at / DAY {
            let value = found.first().and_then(|series| seen(series, midnight * DAY));
            prop_assert_eq!(value, expected(midnight * DAY), "{}", TimeDelta::milliseconds(midnight * DAY));
        }
    }
}
