//! The upstream in every variant that the simulator knows: each answer is right to the row, or a clear 502 where the upstream cannot
//! be understood.

use std::collections::BTreeMap;
use std::time::Duration;

use jobindsats_bridge::catalogue::label::comparable;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Dialect, SimulatorOptions, Variant};
use serde_json::Value;

use crate::support::app::{App, AppOptions, SMALL_INDICATOR, one_indicator};

/// The headline set, breakdowns, cubes and single measures, of tables that list their totals and of ones that do not.
const QUERIES: [&str; 9] = [
    "y01dia02/Hovedtal?$filter=Periode ge '2026M05'",
    "y01dia02/Fordelt_på_A_kasse?$filter=Periode eq '2026M06' and Områdeniveau eq 'Land'",
    "y01dia02/Data?$filter=Periode eq '2026M06' and Områdeniveau eq 'Land'",
    "y60a02/Kommuner?$filter=Periode eq '2026M06'&$select=Periode,Område,Antal_personer",
    "y25i01/Landet",
    "y60a02/Data?$filter=Periode eq '2026M06' and Områdeniveau eq 'Land'",
    "y25i01/Fordelt_på_Køn?$filter=Periode ge '2026M05' and Områdeniveau eq 'Land'",
    "y25i01/Data?$filter=Periode eq '2026M06' and Område eq 'Aarhus'&$top=200",
    "y25i01/Hovedtal?$filter=Periode eq '2026M06'&$select=Periode,Område,Antal_ledige_personer",
];

async fn app(variants: &[Variant]) -> App {
    let options = AppOptions::default();
    let dialect: Dialect = variants.iter().copied().collect();
    let simulator = SimulatorOptions { dialect, ..options.simulator.clone() };
    App::with(AppOptions { simulator, ..options }).await
}

/// Rows by their keys, with texts as they are compared: how a label is spelt is the upstream's business.
fn by_key(rows: &[Value]) -> BTreeMap<String, BTreeMap<String, String>> {
    let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), comparable);
    let cells = |row: &Value| {
        let row = row.as_object().unwrap();
        // The label of a total that no level lists is made up for readers.
        let is_total = |name: &str| row.get(&format!("{name}_id")).is_some_and(|id| id == "T");
        // The address of a row is that of the service that was asked.
        let is_said = |name: &str| name != "Opdateret" && !name.starts_with('@');
        let cells = row.iter().filter(|(name, _)| is_said(name) && !is_total(name));
        cells.map(|(name, value)| (name.clone(), cell(value))).collect::<BTreeMap<_, _>>()
    };
    let key = |row: &BTreeMap<String, String>| {
        let is_key = |name: &str| name == "Periode" || name == "Område" || name.ends_with("_id");
        row.iter().filter(|(name, _)| is_key(name)).map(|(_, value)| format!("{value}|")).collect()
    };
    rows.iter().map(cells).map(|row| (key(&row), row)).collect()
}

/// What each query is answered with when the upstream is as it is thought to be.
async fn expected() -> Vec<BTreeMap<String, BTreeMap<String, String>>> {
    let app = app(&[]).await;
    let mut answers = Vec::new();
    for query in QUERIES {
        let rows = app.get(&format!("/odata/jobindsats/{query}")).await.rows();
        assert!(!rows.is_empty(), "{query}");
        answers.push(by_key(&rows));
    }
    answers
}

/// Whether the figures of a variant are others, or a period of it cannot be had.
fn differs(variant: Variant) -> bool {
    matches!(variant, Variant::SharesAsFractions | Variant::PeriodAhead)
}

#[actix_web::test]
async fn every_row_is_right_in_every_variant() {
    let expected = expected().await;
    for &variant in Variant::ALL.iter().filter(|variant| !differs(**variant)) {
        let app = app(&[variant]).await;
        for (query, expected) in QUERIES.iter().zip(&expected) {
            let answer = app.get(&format!("/odata/jobindsats/{query}")).await;
            assert_eq!(answer.status, 200, "{variant}, {query}: {}", answer.text());
            let found = by_key(&answer.rows());
            assert!(found == *expected, "{variant}, {query}: {:?}", difference(&found, expected));
        }
    }
}

type Rows = BTreeMap<String, BTreeMap<String, String>>;

/// The first row that is not as it must be.
fn difference<'a>(
    found: &'a Rows,
    expected: &'a Rows,
) -> Option<(&'a String, Option<&'a BTreeMap<String, String>>)> {
    let keys = found.keys().chain(expected.keys());
    keys.into_iter().find(|key| found.get(*key) != expected.get(*key)).map(|key| (key, found.get(key)))
}

/// The figures of the small indicator, as they are scraped.
async fn gauges(variants: &[Variant]) -> Vec<String> {
    let indicators = one_indicator();
    let options = AppOptions::default();
    let settings = BridgeSettings { indicators: Some(indicators.path().to_owned()), ..options.settings };
    let simulator = SimulatorOptions { dialect: variants.iter().copied().collect(), ..options.simulator };
    let app = App::with(AppOptions { settings, simulator, ..AppOptions::default() }).await;
    app.service.state.indicators.refresh(SMALL_INDICATOR).await;
    let wanted = ["jobindsats_country_full_time_persons{", "jobindsats_indicator_up{"];
    let text = app.get("/metrics/indicators").await.text();
    text.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect()
}

#[actix_web::test]
async fn gauges_are_right_in_every_variant() {
    let expected = gauges(&[]).await;
    assert_eq!(expected.len(), 2);
    for &variant in Variant::ALL.iter().filter(|variant| !differs(**variant)) {
        assert_eq!(gauges(&[variant]).await, expected, "{variant}");
    }
}

/// A quarter of the pairs, or all with `ALL_PAIRS=1`.
#[actix_web::test]
async fn rows_are_right_in_pairs_of_variants() {
    let step = if std::env::var_os("ALL_PAIRS").is_some() { 1 } else { 4 };
    let query = QUERIES[1];
    let path = format!("/odata/jobindsats/{query}");
    let expected = by_key(&app(&[]).await.get(&path).await.rows());
    let all: Vec<_> = Variant::ALL.iter().copied().filter(|variant| !differs(*variant)).collect();
    for (at, &first) in all.iter().enumerate() {
        let others = all[at + 1..].iter().filter(|second| !first.excludes(**second));
        for &second in others.skip(at % step).step_by(step) {
            let app = app(&[first, second]).await;
            let answer = app.get(&path).await;
            assert_eq!(answer.status, 200, "{first}, {second}: {}", answer.text());
            let found = by_key(&answer.rows());
            assert!(found == expected, "{first}, {second}: {:?}", difference(&found, &expected));
        }
    }
}

/// A period that cannot be had makes a clear 502 of the questions that name it, and leaves the others right.
#[actix_web::test]
async fn a_period_ahead_spoils_no_other_row() {
    let app = app(&[Variant::PeriodAhead]).await;
    let mut answered = 0;
    for (query, expected) in QUERIES.iter().zip(&expected().await) {
        let answer = app.get(&format!("/odata/jobindsats/{query}")).await;
        if answer.status == 502 {
            assert_eq!(answer.code(), "UpstreamRefused", "{query}");
        } else {
            let found = by_key(&answer.rows());
            assert!(found == *expected, "{query}: {:?}", difference(&found, expected));
            answered += 1;
        }
    }
    assert!((4..QUERIES.len()).contains(&answered), "{answered} were answered");
}

/// Where shares are fractions, they are passed on as they come, and every other figure is right.
#[actix_web::test]
async fn fractions_are_passed_on_and_spoil_no_other_figure() {
    let app = app(&[Variant::SharesAsFractions]).await;
    let mut shares = 0;
    for (query, expected) in QUERIES.iter().zip(&expected().await) {
        let found = by_key(&app.get(&format!("/odata/jobindsats/{query}")).await.rows());
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{query}");
        for (key, row) in expected {
            for (name, cell) in row.iter().filter(|(name, cell)| found[key][*name] != **cell) {
                let (percent, fraction): (f64, f64) =
                    (cell.parse().unwrap(), found[key][name].parse().unwrap());
                assert!((percent / 100.0 - fraction).abs() < 1e-9, "{query}, {key}, {name}");
                assert!(name.contains("pct") || name.contains("Andel"), "{name} is no share");
                shares += 1;
            }
        }
    }
    assert!(shares > 100, "{shares} shares");
}

#[actix_web::test]
async fn a_period_that_only_the_metadata_has_is_a_clear_502_and_nothing_is_stored() {
    let app = app(&[Variant::PeriodAhead]).await;
    let answer = app.get("/odata/jobindsats/y25i01/Landet").await;
    assert_eq!((answer.status, answer.code().as_str()), (502, "UpstreamRefused"), "{}", answer.text());
    assert_eq!(app.service.state.store.size().blocks, 0);
    let known = app.get("/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M05'").await;
    assert_eq!(known.rows().len(), 1, "periods that are there can be had");
}

#[actix_web::test]
async fn fractions_where_percentages_were_said_mark_the_indicator_as_down() {
    let indicator = serde_json::json!({
        "id": "andel", "title": "Andel", "table": "y25i01", "period_type": "M", "quantity": "percent",
        "measure": "Ledige fuldtidspersoner i pct. af arbejdsstyrken 16-66 år", "levels": ["country"]
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::json!({ "indicators": [indicator] }).to_string()).unwrap();
    for (variants, up) in [(vec![], true), (vec![Variant::SharesAsFractions], false)] {
        let options = AppOptions::default();
        let settings = BridgeSettings { indicators: Some(file.path().to_owned()), ..options.settings };
        let simulator = SimulatorOptions { dialect: variants.into_iter().collect(), ..options.simulator };
        let app = App::with(AppOptions { settings, simulator, ..AppOptions::default() }).await;
        assert_eq!(app.service.state.indicators.refresh("andel").await, up);
        let status = app.get("/status").await.text();
        assert_eq!(status.contains("do not look like percent"), !up);
    }
}

/// A table loses and gains periods while the list of tables keeps its date.
#[actix_web::test]
async fn a_table_that_changes_without_a_new_date_answers_rightly() {
    let app = app(&[]).await;
    let path = "/odata/jobindsats/y25i01/Landet";
    let newest = |answer: &[Value]| answer[0]["Periode"].as_str().unwrap().to_owned();
    let before = app.get(path).await.rows();
    for (edition, direction) in [(-1, "lost"), (1, "gained")] {
        app.upstream().set_edition_silently("y25i01", edition).unwrap();
        // Stored figures answer for a day; after that the upstream is asked again.
        app.clock.advance(Duration::from_secs(25 * 3600));
        let after = app.get(path).await.rows();
        let moved =
            if edition < 0 { newest(&after) < newest(&before) } else { newest(&after) > newest(&before) };
        assert!(moved, "{direction}: {} before, {} after", newest(&before), newest(&after));
        assert_eq!(after.len() as i64, before.len() as i64 + i64::from(edition), "{direction}");
    }
}

#[actix_web::test]
async fn large_questions_that_a_gateway_gives_up_on_leave_small_ones_alone() {
    let dialect = Dialect::from([Variant::Gateway504]).with_gateway_at(50);
    let options = AppOptions::default();
    let simulator = SimulatorOptions { dialect, ..options.simulator };
    let app = App::with(AppOptions { simulator, ..AppOptions::default() }).await;
    let wide = "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode ge '2026M01'";
    for _ in 0..3 {
        let answer = app.get(wide).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "UpstreamRefused"), "{}", answer.text());
        let small = app.get("/odata/jobindsats/y25i01/Landet?$filter=Periode eq '2026M05'").await;
        assert_eq!(small.status, 200, "the circuit stays closed: {}", small.text());
    }
}

#[actix_web::test]
async fn a_gateway_that_gives_up_on_one_row_is_an_outage() {
    let dialect = Dialect::from([Variant::Gateway502]).with_gateway_at(0);
    let options = AppOptions::default();
    let simulator = SimulatorOptions { dialect, ..options.simulator };
    let app = App::with(AppOptions { simulator, ..AppOptions::default() }).await;
    for filter in ["eq", "ge"] {
        let answer =
            app.get(&format!("/odata/jobindsats/y25i01/Landet?$filter=Periode {filter} '2026M05'")).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "UpstreamAway"), "{}", answer.text());
    }
    assert_eq!(app.service.state.store.size().blocks, 0);
}

#[actix_web::test]
async fn a_form_that_is_refused_is_not_used_again() {
    let app = app(&[Variant::RootInListRefused, Variant::LongListsRefused]).await;
    let wide = "Køn_id eq 'T' and Herkomst_id eq 'T' and Ydelsesgrupper_id eq 'T' and A_kasse_id eq 'T'";
    for periods in ["lt '2012M01'", "ge '2020M01'"] {
        let list = "Område in ('Hele landet','Aarhus','Odense') and Alder_id ne 'T'";
        let path = format!(
            "/odata/jobindsats/y25i01/Data?$filter=Periode {periods} and {list} and {wide}&$top=3000"
        );
        assert_eq!(app.get(&path).await.status, 200, "{periods}");
    }
    let requests = app.upstream().requests().requests;
    let refused = requests.iter().filter(|it| it.target.contains("=%2F%2C")).count();
    assert!(
        refused <= 1,
        "{refused} lists with the root: {:?}",
        requests.iter().map(|it| &it.target).collect::<Vec<_>>()
    );
}

/// The figures of a list with the root among its members, which is one request and is refused.
const ROOT_IN_LIST: &str = "/odata/jobindsats/y25i01/Data?$filter=Periode lt '2012M01' and Område in ('Hele landet','Aarhus','Odense') \
     and Alder_id ne 'T' and Køn_id eq 'T' and Herkomst_id eq 'T' and Ydelsesgrupper_id eq 'T' and A_kasse_id eq 'T'&$top=3000";

#[actix_web::test]
async fn what_fails_in_place_of_a_refused_form_is_what_the_client_is_told() {
    let app_with = async |dialect: Dialect, calls: Option<u64>| {
        let options = AppOptions::default();
        let simulator = SimulatorOptions { dialect, ..options.simulator };
        let settings = BridgeSettings { client_calls_per_hour: calls, ..options.settings };
        App::with(AppOptions { simulator, settings, ..AppOptions::default() }).await
    };
    let refusing = Dialect::from([Variant::RootInListRefused]);
    let failing = Dialect::from([Variant::RootInListRefused, Variant::Gateway504]).with_gateway_at(0);
    for (dialect, calls, error) in
        [(refusing, Some(1), (429, "ClientBudgetExhausted")), (failing, None, (503, "UpstreamAway"))]
    {
        let app = app_with(dialect, calls).await;
        assert_eq!(app.get(&format!("{ROOT_IN_LIST}&explain=plan")).await.json()["requests"], 1);
        let answer = app.get(ROOT_IN_LIST).await;
        assert_eq!((answer.status, answer.code().as_str()), error, "{}", answer.text());
        let first = &app.upstream().requests().requests[0].target;
        assert!(first.contains("=%2F%2C"), "the root is in a list: {first}");
    }
}
