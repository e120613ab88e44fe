//! Rows with labels that are not in the table's metadata: a download has each exactly once, wherever its pages end.

use std::collections::BTreeSet;

use jobindsats_bridge::settings::BridgeSettings;
use jobindsats_bridge::simulator::Faults;
use serde_json::Value;

use crate::support::app::{App, AppOptions};

const QUERIES: [&str; 7] = [
    "y01dia02/Fordelt_på_A_kasse?$filter=Periode ge '2026M05' and Områdeniveau ne 'Kommune'&$top=30",
    "y01dia02/Data?$filter=Periode eq '2026M06' and startswith(Område,'R')&$top=30",
    "y25i01/Hovedtal?$filter=Periode ge '2026M05'&$top=40",
    "y25i01/Kommuner?$filter=Periode eq '2026M06'&$orderby=Antal_ledige_personer desc,Område_id&$top=30",
    "y28a15/Hovedtal?$filter=Fra ge 2025-01-01&$top=30",
    "y25i03/Observations?$top=40",
    "y01dia02/Observations?$filter=Periode eq '2026MM06' and startswith(Measure,'m')&$top=40",
];

/// An app whose upstream adds unknown labels to every answer.
async fn app(cell_limit: u64) -> App {
    let settings = BridgeSettings { cell_limit, ..AppOptions::default().settings };
    let app = App::with(AppOptions { settings, ..AppOptions::default() }).await;
    app.upstream().set_faults(Faults { unknown_rows: u32::MAX, ..Faults::default() });
    app
}

/// The rows of pages of that size.
async fn paged(app: &App, path: &str, size: usize) -> Vec<Value> {
    let prefer = format!("maxpagesize={size}");
    let (mut rows, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(link) = next {
        let answer = app.get_with(&link, &[("Prefer", &prefer)]).await;
        rows.extend(answer.rows());
        next = answer.json()["@odata.nextLink"].as_str().map(str::to_owned);
    }
    rows
}

fn keys(rows: &[Value]) -> BTreeSet<String> {
    let is_key = |name: &str| name == "Id" || name == "Periode" || name.ends_with("_id");
    let key = |row: &Value| {
        let columns = row.as_object().unwrap().iter().filter(|(name, _)| is_key(name));
        columns.map(|(_, value)| value.to_string()).collect::<Vec<_>>().join("|")
    };
    rows.iter().map(key).collect()
}

#[actix_web::test]
async fn pages_of_any_size_make_the_whole_answer() {
    for (cell_limit, sizes) in [(200, vec![1, 2, 7]), (200_000, vec![3])] {
        let app = app(cell_limit).await;
        let mut unknown = 0;
        for query in QUERIES {
            let path = format!("/odata/jobindsats/{query}");
            let whole = app.get(&path).await.rows();
            unknown += keys(&whole).iter().filter(|key| key.contains('?')).count();
            assert_eq!(keys(&whole).len(), whole.len(), "{query}: no row comes twice");
            for size in sizes.iter().copied().chain([whole.len() - 1]) {
                assert!(
                    paged(&app, &path, size).await == whole,
                    "{query}, pages of {size}, limit {cell_limit}"
                );
            }
        }
        assert!(unknown > 20, "{unknown}");
    }
}

#[actix_web::test]
async fn what_is_counted_is_what_the_pages_hold() {
    const COUNTED: [&str; 6] = [
        "y01dia02/Fordelt_på_A_kasse?$filter=Periode ge '2026M05' and startswith(Område,'R')",
        "y25i01/Kommuner?$filter=Periode ge '2026M06'",
        "y25i01/Hovedtal?$filter=Periode eq '2026M06' and Antal_ledige_personer gt 500",
        "y25i01/Hovedtal?$filter=Periode eq '2026M06' and endswith(Område,'(ny)')",
        "y25i03/Observations?$filter=Periode ge '2026MM01' and Value ne null",
        "y25i03/Observations?$filter=startswith(Periode,'2026')",
    ];
    for (cell_limit, unknown_rows) in [(200, 0), (200, u32::MAX), (200_000, u32::MAX)] {
        let app = app(cell_limit).await;
        app.upstream().set_faults(Faults { unknown_rows, ..Faults::default() });
        for query in COUNTED {
            let path = format!("/odata/jobindsats/{query}");
            let whole = app.all_rows(&path).await.len() as u64;
            let first = app.get(&format!("{path}&$count=true&$top=1")).await.json();
            assert_eq!(first["@odata.count"], whole, "{query}, limit {cell_limit}");
            if cell_limit == 200 && unknown_rows > 0 {
                // Fewer columns make other chunks, to each of which the upstream adds rows of its own.
                continue;
            }
            let (set, options) = path.split_once('?').unwrap();
            assert_eq!(
                app.get(&format!("{set}/$count?{options}")).await.text(),
                whole.to_string(),
                "{query}"
            );
        }
    }
}
