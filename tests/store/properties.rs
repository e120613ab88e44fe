//! Within one revision an answer never depends on the cell limit, on earlier or concurrent requests, on the memory budget, or on a
//! restart in between.

use fastrand::Rng;
use futures_util::future::join_all;
use jobindsats_bridge::settings::BridgeSettings;
use serde_json::Value;

use crate::support::app::{App, AppOptions};

const QUERIES: &[&str] = &[
    "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode ge '2026M04'&$top=5000",
    "/odata/jobindsats/y25i01/Kommuner?$filter=Periode eq '2026M06'&$top=5000",
    "/odata/jobindsats/y25i01/Kommuner?$filter=Periode ge '2026M03' and Periode le '2026M06'&$top=5000",
    "/odata/jobindsats/y25i01/Landet?$filter=Periode ge '2024M01'",
    "/odata/jobindsats/y25i01/Hovedtal?$filter=Periode ge '2025M12'&$select=Periode,Område_id,Antal_ledige_personer",
    "/odata/jobindsats/y25i01/Kommuner?$filter=Område eq 'Aalborg' and Periode ge '2025M01'",
    "/odata/jobindsats/y25i01/Kommuner?$filter=Område_id eq '101' or Område eq 'Odense'&$top=200",
    "/odata/jobindsats/y25i01/Landet?$top=3&$select=Periode,Antal_ledige_fuldtidspersoner,Opdateret",
];

/// The rows without their addresses: each service has one of its own.
async fn ask(app: &App, query: usize) -> Vec<Value> {
    let mut rows = app.all_rows(QUERIES[query]).await;
    for row in &mut rows {
        row.as_object_mut().unwrap().retain(|name, _| !name.starts_with('@'));
    }
    rows
}

/// The answer to each query from a service without other requests.
async fn alone() -> Vec<Vec<Value>> {
    let mut answers = Vec::new();
    for query in 0..QUERIES.len() {
        answers.push(ask(&App::start().await, query).await);
    }
    answers
}

#[actix_web::test]
async fn an_answer_does_not_depend_on_what_came_before() {
    let expected = alone().await;
    assert!(expected.iter().filter(|rows| rows.len() > 1).count() > 5, "the queries have rows");
    for seed in 0..4 {
        let mut rng = Rng::with_seed(seed);
        let options = AppOptions::default();
        let (cell_limit, memory_mb) = ([40, 333, 5_000, 200_000][seed as usize], 1);
        let settings = BridgeSettings { cell_limit, memory_mb, ..options.settings };
        let mut app = App::with(AppOptions { settings, ..options }).await;
        for _ in 0..6 {
            let asked: Vec<usize> = (0..rng.usize(1..4)).map(|_| rng.usize(0..QUERIES.len())).collect();
            let answers = join_all(asked.iter().map(|&query| ask(&app, query))).await;
            for (query, rows) in asked.into_iter().zip(answers) {
                assert_eq!(rows, expected[query], "seed {seed}: {}", QUERIES[query]);
            }
            if rng.u8(0..3) == 0 {
                app = app.restart().await;
            }
        }
    }
}
