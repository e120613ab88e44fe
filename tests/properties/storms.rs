//! Random queries with tiny limits and pages and a failing upstream: every row arrives exactly once and correct, and no cells are
//! fetched twice.

use std::collections::BTreeMap;

use fastrand::Rng;
use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::{Faults, RateLimited};
use serde_json::Value;

use crate::support::app::{App, AppOptions};

/// The default number of queries; `STORM_QUERIES` overrides it.
const FEW: usize = 16;
/// The most tries of a query; there are fewer faults.
const TRIES: usize = 40;

async fn app(cell_limit: u64) -> App {
    let settings = BridgeSettings { cell_limit, ..AppOptions::default().settings };
    App::with(AppOptions { settings, ..AppOptions::default() }).await
}

fn pick<'a>(rng: &mut Rng, list: &[&'a str]) -> &'a str {
    rng.choice(list).copied().unwrap()
}

fn query(rng: &mut Rng) -> String {
    let set = pick(
        rng,
        &[
            "y25i01/Hovedtal",
            "y25i01/Kommuner",
            "y01dia02/Fordelt_på_A_kasse",
            "y28a15/Hovedtal",
            "y30r21/Data",
        ],
    );
    let periods = pick(
        rng,
        &[
            "Fra ge 2026-01-01",
            "Fra ge 2025-10-01 and Til le 2026-05-31",
            "endswith(Periode,'04') and Fra ge 2025-01-01",
        ],
    );
    let places = pick(
        rng,
        &[
            "Område_id eq 'T'",
            "startswith(Område,'H')",
            "Områdeniveau ne 'Kommune'",
            "Område in ('Hele landet','Aarhus','Odense')",
            "not (Områdeniveau eq 'Kommune' and not startswith(Område,'A'))",
        ],
    );
    let order = pick(rng, &["", "", "&$orderby=Område,Periode", "&$orderby=Periode,Område_id desc"]);
    let window = pick(rng, &["", "&$skip=3", "&$top=25", "&$skip=2&$top=19"]);
    format!("/odata/jobindsats/{set}?$filter={periods} and {places}{order}{window}&$count=true")
}

/// One or two things that go wrong with the next requests for figures.
fn faults(rng: &mut Rng) -> Faults {
    let one = || 1;
    match rng.u8(0..9) {
        0 => Faults { server_error: one(), ..Faults::default() },
        1 => Faults { drop: one(), truncate: one(), ..Faults::default() },
        2 => Faults { forbidden: one(), ..Faults::default() },
        3 => Faults { wrong_columns: one(), ..Faults::default() },
        4 => Faults { wrong_types: one(), ..Faults::default() },
        5 => Faults { html: one(), ..Faults::default() },
        6 => Faults { rate_limited: RateLimited { count: one(), retry_after: Some(0) }, ..Faults::default() },
        7 => Faults { cell_limit: Some(rng.u64(20..200)), ..Faults::default() },
        _ => Faults::default(),
    }
}

/// Asks until the answer is one, with a fault before every try.
async fn weathered(app: &App, link: &str, size: usize, rng: &mut Rng) -> Value {
    let prefer = format!("maxpagesize={size}");
    for _ in 0..TRIES {
        app.upstream().set_faults(faults(rng));
        let answer = app.get_with(link, &[("Prefer", &prefer)]).await;
        match answer.status {
            200 => return answer.json(),
            502 | 503 => app.clock.advance(std::time::Duration::from_secs(90)),
            other => panic!("{link}: {other} {}", answer.text()),
        }
    }
    panic!("{link}: no answer");
}

#[actix_web::test]
async fn pages_are_right_whatever_fails_between_and_within_them() {
    let queries = std::env::var("STORM_QUERIES").map_or(FEW, |number| number.parse().unwrap());
    let seed = std::env::var("STORM_SEED").map_or(1, |number| number.parse().unwrap());
    let mut rng = Rng::with_seed(seed);
    let calm = app(200_000).await;
    let mut met = 0;
    for number in 0..queries {
        let path = query(&mut rng);
        let expected = calm.get(&path).await.json();
        let rows = expected["value"].as_array().unwrap().clone();
        let stormy = app(*rng.choice(&[40, 77, 400, 5000]).unwrap()).await;
        let size = *rng.choice(&[1, 2, 3, 9, 40]).unwrap();
        let mut found = Vec::new();
        let mut next = Some(path.clone());
        while let Some(link) = next.filter(|_| found.len() <= rows.len() && found.len() < 60) {
            let page = weathered(&stormy, &link, size, &mut rng).await;
            assert_eq!(page["@odata.count"], expected["@odata.count"], "seed {seed}, query {number}: {path}");
            found.extend(page["value"].as_array().unwrap().iter().cloned());
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        let whole = rows.len().min(found.len());
        assert!(whole == rows.len() || whole >= 60, "seed {seed}, query {number}: {path}");
        assert_eq!(found[..], rows[..whole], "seed {seed}, query {number}, pages of {size}: {path}");
        met += whole;
    }
    assert!(met > 5 * queries, "{met} rows");
}

#[actix_web::test]
async fn nothing_that_arrived_is_asked_for_again() {
    let mut rng = Rng::with_seed(7);
    let mut met = 0;
    for _ in 0..6 {
        let app = app(*rng.choice(&[30, 77, 400]).unwrap()).await;
        let path = query(&mut rng);
        for size in ["maxpagesize=2", "maxpagesize=7"] {
            let mut next = Some(path.clone());
            for _ in 0..8 {
                let Some(link) = next.take() else { break };
                let page = app.get_with(&link, &[("Prefer", size)]).await.json();
                next = page["@odata.nextLink"].as_str().map(str::to_owned);
            }
        }
        let mut asked = BTreeMap::<String, usize>::new();
        for request in app.upstream().requests().requests {
            *asked.entry(request.target).or_default() += 1;
        }
        let twice: Vec<_> = asked.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{path}: {twice:?}");
        met += asked.len();
    }
    assert!(met > 10, "{met} requests");
}
